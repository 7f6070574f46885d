import t from "tap";
import { HandoffWindow } from "../../../server/replication/handoff-window.ts";

/** So many deliveries, one after the other, each of which takes so long. */
function deliver(window: HandoffWindow, count: number, tookMs: number, isDelivered = true): void {
  for (let index = 0; index < count; index++) {
    window.began();
    window.ended(tookMs, isDelivered);
  }
}

t.test("an owner that stays fast is given more and more, up to a bound", (tt) => {
  const window = new HandoffWindow();
  tt.equal(window.size, 1, "one at first");
  deliver(window, 3, 2);
  tt.ok(window.size >= 2 && window.size < 4, `${window.size}`);
  deliver(window, 300, 2);
  tt.equal(window.size, 16);
  tt.end();
});

t.test("one that gets slower, or does not take what it is given, is given less, and never nothing", (tt) => {
  for (const [tookMs, isDelivered] of [[50, true], [2, false]] as const) {
    const window = new HandoffWindow();
    deliver(window, 300, 2);
    deliver(window, 3, tookMs, isDelivered);
    tt.ok(window.size <= 5, `${window.size}`);
    deliver(window, 20, tookMs, isDelivered);
    tt.equal(window.size, 1);
    tt.ok(window.hasRoom);
    deliver(window, 300, 2);
    tt.equal(window.size, 16, "and more again when it is well");
  }
  tt.end();
});

t.test("one that is slow for good is not held to what it was once", (tt) => {
  const window = new HandoffWindow();
  deliver(window, 10, 1);
  deliver(window, 1_000, 40);
  tt.equal(window.size, 16);
  tt.end();
});

t.test("room is what is not on its way", (tt) => {
  const window = new HandoffWindow();
  window.began();
  tt.notOk(window.hasRoom);
  window.ended(1, true);
  tt.ok(window.hasRoom);
  tt.match(window, { delivered: 1, failed: 0, inFlight: 0, latencyMs: 1 });
  tt.end();
});
