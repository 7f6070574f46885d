/** All calls of an engine in seeded orders, at a size for every day (`make crash ROWS=B11` for more). */

import { interleavings } from "../../crash/interleavings.ts";
import { seedFrom } from "../../random.ts";
import type { Case } from "../../suite.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);

export const suite: Case[] = [
  {
    name: "between any two steps of compaction each read is what the model says",
    run: (check) => void interleavings(check, SEED, 40),
  },
];
