/** Rows of the table of faults that need no more than a moment (`make crash` has the others' full sizes). */

import { formats } from "../crash/formats.ts";
import { slowDisk } from "../crash/slow-disk.ts";
import { seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);

export const suite: Case[] = [
  {
    name: "files as FORMAT.md shows them are read, those of a newer version refused",
    run: (check) => void formats(check),
  },
  {
    name: "beside a slow disk, and one that stands still, others are as fast as before",
    run: (check) => void slowDisk(check, SEED, 150),
  },
];
