/**
 * `make sim SEED=100391` (2026-11-26). A put with W=1 was acknowledged by an owner that a partition had cut
 * off, while a layout was committed in which it owned the name no more. The new owner became complete by
 * another one, the old layout retired, and a read of all three owners answered without the write, which
 * came to them later as a hint: R + W > N held in neither layout alone, since they had no owner in common.
 */

import t from "tap";
import { simulate } from "../simulation/simulation.ts";

t.test("a layout retires when those who go have shown what they hold to all who own it", (t) => {
  const report = simulate(100_391, { operations: 1_000, keepTrace: false });
  t.same(report.violations.map(({ verdict, key, detail }) => `${verdict} ${key}: ${detail}`), []);
  t.end();
});
