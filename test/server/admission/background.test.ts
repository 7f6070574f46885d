import t from "tap";
import { Background, type BackgroundKind } from "../../../server/admission/background.ts";
import { LatencyWindow } from "../../../server/admission/latency-window.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";

const MIB = 1 << 20;
const TARGET_MS = 20;

class Lane {
  readonly world = new World();
  readonly clock = new SimulatedClock(this.world, "lane");
  readonly foreground = new LatencyWindow(this.clock);
  /** Added to every wait, as a busy thread does. */
  lateMs = 0;
  readonly background = new Background(
    { elapsedMs: () => this.clock.elapsedMs(), after: (ms, run) => this.clock.after(ms + this.lateMs, run) },
    this.foreground,
    TARGET_MS,
  );
  readonly done = new Map<BackgroundKind, number>();

  /** Goes on for ever with steps of so many bytes. */
  work(kind: BackgroundKind, bytes: number): void {
    this.background.after(kind, bytes, () => {
      this.done.set(kind, (this.done.get(kind) ?? 0) + bytes);
      this.work(kind, bytes);
    });
  }

  /** Requests, one every 10 ms, that take so long. */
  requests(seconds: number, tookMs: number): void {
    for (let passed = 0; passed < seconds * 100; passed++) {
      this.foreground.note(tookMs);
      this.world.run(10);
    }
  }

  bytes(kind: BackgroundKind): number {
    return this.done.get(kind) ?? 0;
  }
}

t.test("on an idle thread the lane gets as fast as it may, and takes the time that its bytes need", (tt) => {
  const lane = new Lane();
  lane.work("transfer", 64 << 10);
  lane.world.run(20_000);
  tt.equal(lane.background.bytesPerSecond, 32 * MIB);
  const before = lane.bytes("transfer");
  lane.world.run(10_000);
  const rate = (lane.bytes("transfer") - before) / 10;
  tt.ok(Math.abs(rate - 32 * MIB) < MIB, `${rate / MIB} MiB a second`);
  tt.end();
});

t.test("all kinds share the lane: two get on alike, and none starves", (tt) => {
  const lane = new Lane();
  lane.work("transfer", 64 << 10);
  lane.work("compaction", 64 << 10);
  lane.world.run(20_000);
  const [one, other] = [lane.bytes("transfer"), lane.bytes("compaction")];
  tt.ok(Math.abs(one - other) <= 128 << 10, `${one} and ${other} bytes`);
  tt.end();
});

t.test("steps that come late make it yield, and it never stops; then it comes back", (tt) => {
  const lane = new Lane();
  lane.work("scrub", 64 << 10);
  lane.world.run(20_000);
  lane.lateMs = 8;
  lane.world.run(2_000);
  tt.equal(lane.background.bytesPerSecond, 4 * MIB);
  lane.lateMs = 0;
  lane.world.run(30_000);
  tt.equal(lane.background.bytesPerSecond, 32 * MIB);
  tt.end();
});

t.test("slow requests make it yield as long as the minute remembers them", (tt) => {
  const lane = new Lane();
  lane.work("transfer", 64 << 10);
  lane.requests(20, 2);
  tt.equal(lane.background.bytesPerSecond, 32 * MIB, "fast requests do not");
  lane.requests(10, TARGET_MS * 2);
  tt.equal(lane.background.bytesPerSecond, 4 * MIB, "p99 is beyond the target");
  const before = lane.bytes("transfer");
  lane.requests(10, 2);
  tt.ok(lane.bytes("transfer") - before > 30 * MIB, "the background goes on");
  tt.equal(lane.background.bytesPerSecond, 4 * MIB, "the slow ones still count");
  lane.requests(70, 2);
  tt.equal(lane.background.bytesPerSecond, 32 * MIB, "they are forgotten");
  tt.end();
});

t.test("a kind that is paused waits, others go on, and it goes on when it is resumed", (tt) => {
  const lane = new Lane();
  lane.work("scrub", 1 << 10);
  lane.work("transfer", 1 << 10);
  lane.world.run(1_000);
  lane.background.pause("scrub");
  lane.world.run(1_000);
  const [scrub, transfer] = [lane.bytes("scrub"), lane.bytes("transfer")];
  lane.world.run(10_000);
  tt.equal(lane.bytes("scrub"), scrub);
  tt.ok(lane.bytes("transfer") > transfer);
  lane.background.report();
  lane.world.run(6_000);
  const told = lane.background.report().find(({ kind }) => kind === "scrub");
  tt.match(told, { isPaused: true, waiting: 1, bytesPerSecond: 0 });
  lane.background.resume("scrub");
  lane.world.run(1_000);
  tt.ok(lane.bytes("scrub") > scrub);
  tt.equal(lane.background.report().find(({ kind }) => kind === "scrub")?.isPaused, false);
  tt.end();
});

t.test("a step that is cancelled is not taken, held or not", (tt) => {
  const lane = new Lane();
  let steps = 0;
  lane.background.after("handoff", 1, () => steps++).cancel();
  lane.background.pause("handoff");
  const held = lane.background.after("handoff", 1, () => steps++);
  lane.world.run(1_000);
  held.cancel();
  held.cancel();
  lane.background.resume("handoff");
  lane.world.run(1_000);
  tt.equal(steps, 0);
  tt.equal(lane.background.report().find(({ kind }) => kind === "handoff")?.waiting, 0);
  tt.end();
});

t.test("requests that were fast on their own are protected long before the target", (tt) => {
  const lane = new Lane();
  lane.requests(70, 2);
  lane.work("transfer", 64 << 10);
  lane.requests(20, 2);
  tt.equal(lane.background.bytesPerSecond, 32 * MIB, "nobody feels anything");
  lane.requests(30, 6);
  tt.equal(lane.background.bytesPerSecond, 4 * MIB, "6 ms are three times what they took, and below the target");
  lane.requests(1_500, 6);
  tt.ok(lane.background.bytesPerSecond > 16 * MIB, "after half an hour that is what they take");
  tt.end();
});
