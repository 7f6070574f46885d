/**
 * The log under crashes and failing disks, at a size for every day; `make crash` runs the same at full
 * size (test/crash).
 */

import { compound, kill, overwriting, powerLoss } from "../../crash/crash-points.ts";
import { failedSync, failing, full } from "../../crash/disk-errors.ts";
import { everyHere, roundsHere, seedFrom } from "../../random.ts";
import type { Case } from "../../suite.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);
const STEPS = 60;

export const suite: Case[] = [
  {
    name: "power loss at every operation: a prefix that holds all that was synced",
    run: (check) => void powerLoss(check, { seed: SEED, steps: STEPS, every: everyHere(2), fates: 1 }),
  },
  {
    name: "segments go and snapshots of the index are taken, killed anywhere: as the whole log says",
    run: (check) => void overwriting(check, { seed: SEED, steps: 3 * STEPS, every: everyHere(11), fates: 1 }),
  },
  {
    name: "kill at every operation: all that was handed over, and a prefix of the rest",
    run: (check) => void kill(check, { seed: SEED + 2, steps: STEPS, every: everyHere(3), fates: 1 }),
  },
  {
    name: "power loss and errors while recovering from a power loss",
    run: (check) => void compound(check, SEED, STEPS, roundsHere(100)),
  },
  {
    name: "an error at every operation, once and for ever",
    run: (check) => void failing(check, { seed: SEED, steps: STEPS, every: everyHere(7) }, "EIO"),
  },
  {
    name: "no room at any operation, once and for ever",
    run: (check) => void failing(check, { seed: SEED, steps: STEPS, every: everyHere(17) }, "ENOSPC"),
  },
  {
    name: "a full disk at every operation: refused, nothing half-written, and it recovers",
    run: (check) => void full(check, SEED, STEPS, everyHere(997)),
  },
  {
    name: "a sync that fails once seals the engine",
    run: (check) => void failedSync(check, SEED, STEPS, roundsHere(20)),
  },
];
