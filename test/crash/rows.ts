/**
 * The table of a disk's faults, a row each, at full size: what each runs, and the names of the sizes that
 * the environment may change.
 */

import { compactionFaults } from "./compaction-faults.ts";
import { compound, kill, overwriting, powerLoss } from "./crash-points.ts";
import { flips, rewrites } from "./damaged-bytes.ts";
import { failedSync, failing, full } from "./disk-errors.ts";
import { formats } from "./formats.ts";
import { fullDisk } from "./full-disk.ts";
import { interleavings } from "./interleavings.ts";
import { killCampaign } from "./kills/campaign.ts";
import { lostDisk } from "./lost-disk.ts";
import type { Row, Sizes } from "../row.ts";
import { slowDisk } from "./slow-disk.ts";
import { cutActor, cutTail, rubbishTail } from "./torn-tails.ts";

/** Steps of the scripts: each is some operations of the disk. */
const steps = (sizes: Sizes): number => sizes.get("STEPS", 200);
/** Every operation, unless it is told otherwise. */
const every = (sizes: Sizes): number => sizes.get("EVERY", 1);

export const ROWS: readonly Row[] = [
  {
    id: "B1",
    title: "kill or power loss after every operation of a script",
    reads: ["STEPS", "EVERY"],
    run: (sizes, check) => {
      const all = { seed: sizes.seed, steps: steps(sizes), every: every(sizes), fates: 1 };
      return {
        ...powerLoss(check, all),
        ...kill(check, { ...all, seed: all.seed + 2 }),
        ...overwriting(check, { ...all, every: 3 * all.every }),
      };
    },
  },
  {
    id: "B2",
    title: "fates of unsynced writes at every operation: kept, dropped, torn, reordered, unlisted",
    reads: ["STEPS", "FATES", "FATES_EACH"],
    run: (sizes, check) => {
      const counts = { scripts: 0, crashPoints: 0, fates: 0 };
      while (counts.fates < sizes.get("FATES", 50_000)) {
        const seed = sizes.seed + counts.scripts++;
        const fates = sizes.get("FATES_EACH", 16);
        const tried = powerLoss(check, { seed, steps: steps(sizes), every: every(sizes), fates });
        counts.crashPoints += tried["crashPoints"];
        counts.fates += tried["fates"];
      }
      return counts;
    },
  },
  {
    id: "B3",
    title: "the last record cut at every byte, zeros and rubbish behind it",
    reads: ["TAIL_STEP"],
    run: (sizes, check) => ({
      ...cutTail(check, every(sizes)),
      ...rubbishTail(check, sizes.seed, sizes.get("TAIL_STEP", 61)),
      ...cutActor(check),
    }),
  },
  {
    id: "B4",
    title: "every bit turned over; damage whose checksums fit",
    reads: ["FLIPS", "DAMAGES"],
    run: (sizes, check) => ({
      ...flips(check, sizes.seed, sizes.get("FLIPS", 262_144), 1),
      ...rewrites(check, sizes.seed, sizes.get("DAMAGES", 200_000)),
    }),
  },
  {
    id: "B5",
    title: "kill -9 under load",
    reads: ["KILLS", "NODES"],
    run: async (sizes, check) => ({ ...await killCampaign(sizes, check) }),
  },
  {
    id: "B6",
    title: "EIO at every operation of each kind, once and from then on",
    reads: ["STEPS", "EVERY"],
    run: (sizes, check) =>
      failing(check, { seed: sizes.seed, steps: steps(sizes), every: every(sizes) }, "EIO"),
  },
  {
    id: "B7",
    title: "no room at every operation, at every capacity, and for a real node on 64 MiB",
    reads: ["STEPS", "EVERY", "FULL_SECONDS"],
    run: async (sizes, check) => ({
      ...failing(check, { seed: sizes.seed, steps: steps(sizes), every: every(sizes) }, "ENOSPC"),
      ...full(check, sizes.seed, steps(sizes), 199),
      ...await fullDisk(check, sizes.get("FULL_SECONDS", 600)),
    }),
  },
  {
    id: "B8",
    title: "a sync fails once: never acknowledged, never retried as if clean",
    reads: ["SYNCS"],
    run: (sizes, check) => failedSync(check, sizes.seed, 60, sizes.get("SYNCS", 1_000)),
  },
  {
    id: "B9",
    title: "a fault while recovering from a crash",
    reads: ["PAIRS"],
    run: (sizes, check) => compound(check, sizes.seed, 60, sizes.get("PAIRS", 10_000)),
  },
  {
    id: "B10",
    title: "crashes and errors under compaction",
    reads: ["SEEDS"],
    run: (sizes, check) => compactionFaults(check, sizes.seed, sizes.get("SEEDS", 10_000)),
  },
  {
    id: "B11",
    title: "seeded interleavings of all calls",
    reads: ["SEEDS"],
    run: (sizes, check) => interleavings(check, sizes.seed, sizes.get("SEEDS", 10_000)),
  },
  {
    id: "B12",
    title: "one slow disk of four, and one that stands still",
    reads: ["ROUNDS"],
    run: (sizes, check) => slowDisk(check, sizes.seed, sizes.get("ROUNDS", 20_000)),
  },
  {
    id: "B13",
    title: "one node of four loses its disk under load: it is removed, or fails",
    reads: ["PUTS"],
    run: (sizes, check) => lostDisk(check, sizes.get("PUTS", 99_000)),
  },
  {
    id: "B15",
    title: "files as FORMAT.md shows them, and of a newer version",
    reads: [],
    run: (_, check) => formats(check),
  },
];
