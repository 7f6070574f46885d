/**
 * `make sim SEED=100513` (2026-11-26). A put was sent again through another node. One owner had seen it
 * superseded, by a write that nobody else had, and said so; what it held was asked for and got lost on the
 * way. The coordinator believed it, and had the version removed where it was still live: of two copies of
 * an acknowledged write one was left, in the state of a write that nobody had acknowledged.
 */

import t from "tap";
import { simulate } from "../simulation/simulation.ts";

t.test("a version is not given up for a state that has not come", (t) => {
  const report = simulate(100_513, { operations: 1_000, keepTrace: false });
  t.same(report.violations.map(({ verdict, key, detail }) => `${verdict} ${key}: ${detail}`), []);
  t.end();
});
