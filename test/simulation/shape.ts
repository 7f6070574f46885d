/**
 * What one seed's run looks like: how many nodes, how bad the network, which faults how often, what
 * clients do. Everything is drawn from the seed, each kind of fault on or off on its own (swarm
 * testing): a run without partitions gets further into crashes than one that has a little of each.
 *
 * Rates are whole percent and whole milliseconds.
 */

import { COLD_MS_DEFAULT } from "../../storage/log/compaction.ts";
import { SeededRandom } from "../random.ts";
import type { Weights, WorkloadShape } from "./workload.ts";

export interface NetworkShape {
  /** Of 100 writes to a socket, how many never arrive. */
  readonly lossPercent: number;
  /** Of 100 writes to a socket, how many arrive twice. */
  readonly duplicatePercent: number;
  readonly delayMeanMs: number;
}

/** How often each kind of fault comes, relative to the others; 0: never in this run. */
export interface FaultWeights {
  /** Two groups that do not hear each other. */
  readonly partition: number;
  /** One node that hears nobody, or that nobody hears. */
  readonly oneWay: number;
  /** One direction between two nodes stands still for a while and then delivers all. */
  readonly clog: number;
  /** kill -9 of one node. */
  readonly kill: number;
  /** Power loss of one node: what was not synced is lost or torn. */
  readonly powerLoss: number;
  /** Power loss of all nodes at once. */
  readonly blackout: number;
  /** A node stands still, as in a long garbage collection. */
  readonly pause: number;
  /** A node's disk is replaced by an empty one. */
  readonly wipe: number;
  /** A node's wall clock jumps. */
  readonly clockJump: number;
}

export interface FaultShape {
  /** Mean time between two faults; 0: none in this run. */
  readonly everyMs: number;
  /** Longest time that a fault lasts. */
  readonly lastsMsMax: number;
  /** Most nodes that are down or standing still at one time (a blackout aside). */
  readonly downMax: number;
  readonly weights: FaultWeights;
}

/** Changes of the membership while clients work. */
export interface AdministrationShape {
  /** Machines that are not members at first. */
  readonly spares: number;
  /** Mean time between two changes that an administrator begins; 0: none in this run. */
  readonly everyMs: number;
  /** Changes under way at one time: administrators who know nothing of each other. */
  readonly atOnceMax: number;
  /** How often each kind comes, relative to the others. */
  readonly weights: AdministrationWeights;
}

export interface AdministrationWeights {
  readonly join: number;
  /** A member hands over what it has and goes. */
  readonly leave: number;
  /** A member dies with its disk and is removed. */
  readonly remove: number;
  /** A member dies with its disk and a spare takes its place. */
  readonly replace: number;
  /** Another capacity or zone. */
  readonly change: number;
}

export interface Shape {
  readonly seed: number;
  readonly nodes: number;
  readonly partitions: number;
  readonly replicas: number;
  readonly engine: "log" | "memory";
  readonly clockEntriesMax: number;
  /** The slowest sync of a disk. */
  readonly syncMsMax: number;
  /**
   * How long a segment is left alone. Soon is what a run of a minute needs to see segments emptied, and
   * then a restart tells less of retries than the store promises.
   */
  readonly compactionColdMs: number;
  /** Tombstones go so soon. */
  readonly reapAfterMs: number;
  /** Requests that may wait for their answer at a node; default: the product's. */
  readonly requestsMax?: number;
  /** The cluster's; absent: none. */
  readonly secret?: Uint8Array;
  readonly network: NetworkShape;
  readonly faults: FaultShape;
  readonly administration: AdministrationShape;
  readonly workload: WorkloadShape;
}

const REPLICAS = 3;
/** Listings draw from a source of their own, so that a seed means the same run without them. */
const LISTINGS = 0x11575;
/** And so does the age from which segments are emptied. */
const COLD = 0xc01d;
const REAP_AFTER_MS = 1_000;
const COLD_SOON_MS = 2_000;

/** The run that belongs to a seed. */
export function drawShape(seed: number, operations: number): Shape {
  const random = new SeededRandom(seed);
  const nodes = 3 + random.below(5);
  const isCalm = random.chance(1, 12);
  const engine = random.chance(1, 8) ? "memory" : "log";
  return {
    seed,
    nodes,
    partitions: 16 << random.below(3),
    replicas: REPLICAS,
    engine,
    clockEntriesMax: random.chance(1, 4) ? 10 : 64,
    syncMsMax: random.chance(1, 2) ? 2 : 1 + random.below(150),
    reapAfterMs: REAP_AFTER_MS,
    compactionColdMs: new SeededRandom(seed ^ COLD).chance(1, 2) ? COLD_SOON_MS : COLD_MS_DEFAULT,
    network: drawNetwork(random, isCalm),
    faults: drawFaults(random, isCalm, nodes, engine === "log"),
    administration: drawAdministration(seed, engine === "log"),
    workload: drawWorkload(random, operations, new SeededRandom(seed ^ LISTINGS)),
  };
}

/** None of any kind. */
export const NO_FAULTS: FaultWeights = {
  partition: 0,
  oneWay: 0,
  clog: 0,
  kill: 0,
  powerLoss: 0,
  blackout: 0,
  pause: 0,
  wipe: 0,
  clockJump: 0,
};

export const NO_ADMINISTRATION: AdministrationShape = {
  spares: 0,
  everyMs: 0,
  atOnceMax: 0,
  weights: { join: 0, leave: 0, remove: 0, replace: 0, change: 0 },
};

/** Two seeds of five; drawn apart from the rest, so that the other three stay what they were. */
function drawAdministration(seed: number, hasDisk: boolean): AdministrationShape {
  if (seed % 5 > 1) return NO_ADMINISTRATION;
  const random = new SeededRandom(seed ^ 0x1a7075);
  const weight = (oneIn: number): number => random.chance(1, oneIn) ? 1 + random.below(4) : 0;
  const diskWeight = (oneIn: number): number => weight(oneIn) * (hasDisk ? 1 : 0);
  return {
    spares: 1 + random.below(3),
    everyMs: 1_000 + random.below(12_000),
    atOnceMax: 1 + random.below(3),
    weights: {
      join: 1 + random.below(4),
      leave: weight(1),
      remove: diskWeight(2),
      replace: diskWeight(2),
      change: weight(2),
    },
  };
}

function drawNetwork(random: SeededRandom, isCalm: boolean): NetworkShape {
  const delayMeanMs = 1 + random.below(random.chance(1, 3) ? 100 : 10);
  if (isCalm) return { lossPercent: 0, duplicatePercent: 0, delayMeanMs };
  return {
    lossPercent: rate(random, 30),
    duplicatePercent: rate(random, 50),
    delayMeanMs,
  };
}

function drawFaults(
  random: SeededRandom,
  isCalm: boolean,
  nodes: number,
  hasDisk: boolean,
): FaultShape {
  const weight = (oneIn: number): number => random.chance(1, oneIn) ? 1 + random.below(4) : 0;
  // A memory engine has nothing left after a crash of any kind: such a run has none.
  const diskWeight = (oneIn: number): number => weight(oneIn) * (hasDisk ? 1 : 0);
  return {
    everyMs: isCalm ? 0 : 500 + random.below(6_000),
    lastsMsMax: 200 + random.below(15_000),
    downMax: 1 + random.below(nodes - 1),
    weights: {
      partition: weight(2),
      oneWay: weight(2),
      clog: weight(2),
      kill: diskWeight(2),
      powerLoss: diskWeight(2),
      blackout: diskWeight(6),
      pause: weight(2),
      wipe: diskWeight(3),
      clockJump: weight(3),
    },
  };
}

function drawWorkload(
  random: SeededRandom,
  operations: number,
  listings: SeededRandom,
): WorkloadShape {
  return {
    clients: 2 + random.below(9),
    operations,
    thinkMs: 20 + random.below(400),
    timeoutMs: 500 + random.below(3_000),
    keys: {
      siblings: 1 + random.below(24),
      lww: random.below(8),
      carts: random.below(5),
    },
    weights: drawWeights(random),
    attemptsMax: 1 + random.below(4),
    fillerBytesMax: random.chance(1, 4) ? 90_000 : 3_000,
    drawQuorums: random.chance(2, 3),
    owners: REPLICAS,
    listings: {
      everyMs: listings.chance(2, 3) ? 20 + listings.below(400) : 0,
      seed: listings.uint32(),
    },
  };
}

function drawWeights(random: SeededRandom): Weights {
  const deletes = random.chance(2, 3) ? 1 : 0;
  return {
    read: 1 + random.below(6),
    putBlind: random.below(3),
    putAfterRead: 1 + random.below(6),
    putRemembered: random.below(4),
    deleteAfterRead: deletes * random.below(3),
    deleteBlind: deletes * random.below(2),
    create: random.below(2),
  };
}

/** 0 half of the time, else up to `percentMax`, small values more often. */
function rate(random: SeededRandom, percentMax: number): number {
  if (random.chance(1, 2)) return 0;
  return random.below(1 + random.below(percentMax + 1));
}
