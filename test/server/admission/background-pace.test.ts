import t from "tap";
import { BackgroundPace } from "../../../server/admission/background-pace.ts";

const MIB = 1 << 20;

/** Steps of 64 KiB that begin `lateMs` after they were asked to; the rate at the end. */
function run(steps: number, lateMs: number, start?: BackgroundPace): BackgroundPace {
  const pace = start ?? new BackgroundPace({ elapsedMs: () => now });
  pace.grant(0);
  for (let step = 0; step < steps; step++) now += pace.grant(64 << 10) + lateMs;
  return pace;
}

let now = 1000;

t.test("what is asked for is the time that the bytes take at the rate", (tt) => {
  const pace = new BackgroundPace({ elapsedMs: () => 5 });
  tt.equal(pace.grant(0), 0, "work begins at once");
  const delayMs = pace.grant(MIB);
  tt.ok(Math.abs(delayMs - (MIB * 1000) / pace.bytesPerSecond) < 0.001, `${delayMs} ms`);
  tt.end();
});

t.test("on an idle thread it gets as fast as it may, and no faster", (tt) => {
  const pace = run(1000, 1);
  tt.equal(pace.bytesPerSecond, 32 * MIB);
  tt.end();
});

t.test("on a busy thread it yields, and never stops", (tt) => {
  const pace = run(20, 8, run(1000, 1));
  tt.equal(pace.bytesPerSecond, 2 * MIB);
  run(300, 1, pace);
  tt.ok(pace.bytesPerSecond > 30 * MIB, "and comes back");
  tt.end();
});

t.test("a rest between two pieces of work is no lateness", (tt) => {
  const pace = run(1000, 1);
  now += 60_000;
  run(1, 0, pace);
  tt.equal(pace.bytesPerSecond, 32 * MIB);
  tt.end();
});
