/**
 * Runs a runtime-neutral suite under tap: one tap test a case, its failures as tap's own.
 */

import t from "tap";
import type { Case } from "./suite.ts";
import { Tally } from "./tally.ts";

/** Long, since suites share the machine with others; a case that hangs still ends. */
const TIMEOUT_MS = 300_000;

export function runUnderTap(suite: readonly Case[]): void {
  t.setTimeout(TIMEOUT_MS);
  for (const one of suite) {
    void t.test(one.name, async (tt) => {
      const tally = new Tally();
      let thrown: unknown;
      try {
        await one.run(tally);
      } catch (error) {
        thrown = error ?? new Error("threw nothing in particular");
      }
      tally.close(thrown);
      for (const failure of tally.failures) tt.fail(failure);
      tt.equal(tally.failed, 0, `all of ${tally.checks} checks hold`);
    });
  }
}
