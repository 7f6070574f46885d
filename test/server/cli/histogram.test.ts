/** The latency histogram: its quantiles stay within one percent of the exact ones. */

import t from "tap";
import { Histogram } from "../../../server/cli/histogram.ts";
import { SeededRandom, seedFrom } from "../../random.ts";

t.test("quantileMs() is within 1 % of the sorted latencies", (t) => {
  const seed = seedFrom(process.env["SEED"], 7);
  t.comment(`SEED=${seed} npx tap run test/server/cli/histogram.test.ts`);
  const random = new SeededRandom(seed);
  const histogram = new Histogram();
  const latencies = Array.from({ length: 20_000 }, () => {
    return (1 + random.below(2 ** (1 + random.below(24)))) / 1000;
  });
  for (const latency of latencies) histogram.record(latency);
  latencies.sort((left, right) => left - right);
  for (const share of [0, 0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = latencies[Math.max(0, Math.ceil(share * latencies.length) - 1)];
    const error = Math.abs(histogram.quantileMs(share) - exact);
    t.ok(error <= exact * 0.01 + 0.001, `the quantile ${share} of ${exact} ms is off by ${error}`);
  }
  t.equal(histogram.count, latencies.length);
  t.end();
});

t.test("record() counts what is out of range at its edges", (t) => {
  const histogram = new Histogram();
  histogram.record(-1);
  histogram.record(1e12);
  t.equal(histogram.quantileMs(0.5), 0);
  t.ok(Math.abs(histogram.quantileMs(1) - 4_294_967) < 43_000);
  t.end();
});

t.test("no quantile is beyond the greatest latency, which is told exactly", (t) => {
  const histogram = new Histogram();
  // Of a bucket from 100.352 ms to 100.864.
  histogram.record(100.4);
  t.same([histogram.maxMs, histogram.quantileMs(0.999)], [100.4, 100.4]);
  const other = new Histogram();
  other.record(100.5);
  other.add(histogram);
  t.equal(other.maxMs, 100.5, "of two");
  other.clear();
  t.equal(other.maxMs, 0, "of none");
  t.end();
});

t.test("add() joins two, clear() empties, an empty one answers 0", (t) => {
  const left = new Histogram();
  const right = new Histogram();
  left.record(0.1);
  right.record(0.2);
  left.add(right);
  t.equal(left.count, 2);
  t.equal(left.quantileMs(0.5), 0.1);
  t.equal(left.quantileMs(1), 0.2);
  left.clear();
  t.equal(left.count, 0);
  t.equal(left.quantileMs(0.99), 0);
  t.end();
});
