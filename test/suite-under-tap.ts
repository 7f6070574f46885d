/**
 * Runs a runtime-neutral suite under tap: one tap test a case, its failures as tap's own.
 */

import t from "tap";
import type { Case } from "./suite.ts";
import { Tally } from "./tally.ts";

export function runUnderTap(suite: readonly Case[]): void {
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
