import t from "tap";
import { LatencyWindow } from "../../../server/admission/latency-window.ts";
import { SeededRandom } from "../../random.ts";

t.test("percentiles are at most an eighth above the true ones, over seven decades", (tt) => {
  const random = new SeededRandom(1);
  const window = new LatencyWindow({ elapsedMs: () => 12_345 });
  const all: number[] = [];
  for (let index = 0; index < 20_000; index++) {
    const tookMs = 0.001 * 10 ** (7 * (random.below(1_000_000) / 1_000_000));
    all.push(tookMs);
    window.note(tookMs);
  }
  all.sort((left, right) => left - right);
  for (const part of [0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
    const wanted = all[Math.ceil(all.length * part) - 1];
    const told = window.percentile(part);
    tt.ok(told >= wanted && told <= wanted * 1.126 + 0.001, `${part}: ${told} for ${wanted}`);
  }
  tt.end();
});

t.test("what is a minute old does not count any more", (tt) => {
  let nowMs = 5_000;
  const window = new LatencyWindow({ elapsedMs: () => nowMs });
  tt.equal(window.percentile(0.99), 0, "nothing yet");
  for (let second = 0; second < 30; second++) {
    window.note(100);
    nowMs += 1_000;
  }
  tt.equal(window.count, 30);
  nowMs += 25_000;
  tt.ok(window.count > 0 && window.percentile(0.5) >= 100, "still remembered");
  nowMs += 35_000;
  tt.equal(window.count, 0, "forgotten");
  window.note(1);
  tt.ok(window.percentile(0.99) < 1.2, "a new beginning");
  nowMs += 3_600_000;
  tt.equal(window.count, 0, "after an hour of silence");
  tt.end();
});
