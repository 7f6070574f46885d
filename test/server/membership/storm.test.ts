/**
 * Joins in a storm, many seeds. `SEED=n` repeats one, `SEEDS=n` runs so many: SEED=17 npx tap run
 * --disable-coverage --allow-empty-coverage test/server/membership/storm.test.ts
 */

import t from "tap";
import { seedFrom } from "../../random.ts";
import { storm } from "./storm.ts";

const only = seedFrom(process.env.SEED, 0);
const count = seedFrom(process.env.SEEDS, 40);
const first = only === 0 ? 1 : only;

t.test(`joins end in one chain of layouts, ${only === 0 ? count : 1} seeds`, async (t) => {
  const broken: string[] = [];
  for (let seed = first; seed < first + (only === 0 ? count : 1); seed++) {
    const trouble = storm(seed);
    if (trouble !== "") broken.push(`SEED=${seed} storm.test.ts: ${trouble}`);
  }
  t.same(broken, []);
});
