/**
 * Families of seeds (RELIABILITY.md C4 … C13): each puts the cluster through one kind of trouble, by a script instead of by
 * drawn faults, under the same clients and the same oracle.
 *
 *   C4  the network is cut in 45 ways: five shapes × both directions, one, the other × 3 s, 60 s, on and off
 *   C5  nodes stand still one by one, and go on in another order
 *   C6  clocks jump by an hour or by minutes, jitter, run backwards, stand an hour apart
 *   C8  disks are lost between writes, again and again: clocks must not go back
 *   C9  many deletes, nodes that are away for long, tombstones that are forgotten soon
 *   C10 at one message while nodes come and go, one thing goes wrong: four seeds for each message (strikes.ts)
 *   C12 more requests than may wait, and one node stands still (overload.ts)
 *   C13 all nodes run another version, and are upgraded one by one, with whatever else the seed draws; what both
 *       versions ask of the outside world (ports) must be the same
 *
 *   FAMILY=C4 SEEDS=1-45 bun test/simulation/main.ts
 */

import { SeededRandom } from "../random.ts";
import { drawShape, type FaultWeights, NO_ADMINISTRATION, NO_FAULTS, type Shape } from "./shape.ts";
import { Overload } from "./overload.ts";
import type { Simulation } from "./simulation.ts";
import { Strike, TROUBLES } from "./strikes.ts";

const NODES = 5;
const STEP_MS = 1_000;
/** In an overloaded cluster so many requests may wait at a node. */
const REQUESTS_MAX = 3;
/** How long a node is down between two versions. */
const UPGRADE_MS = 1_500;
const NOTHING: Script = { what: "" };

export interface Family {
  readonly id: string;
  readonly title: string;
  /** How many seeds make the family whole; further ones repeat it with other draws. */
  readonly seeds: number;
  shape(seed: number, operations: number): Shape;
  /** What is done before the nodes start. */
  prepare?(simulation: Simulation): void;
  /** What is done from the moment when clients begin. */
  script(simulation: Simulation, random: SeededRandom): Script;
}

export interface Script {
  /** "" or what it is, for the trace. */
  readonly what: string;
  /** Called at the end of the run. */
  readonly lift?: () => void;
}

/** Five nodes, a sound network, no faults but what the script does. */
function quiet(seed: number, operations: number): Shape {
  const drawn = drawShape(seed, operations);
  return {
    ...drawn,
    nodes: NODES,
    engine: "log",
    network: { lossPercent: 0, duplicatePercent: 0, delayMeanMs: 2 },
    faults: { everyMs: 0, lastsMsMax: 1, downMax: 0, weights: NO_FAULTS },
    administration: NO_ADMINISTRATION,
    workload: { ...drawn.workload, clients: 5, thinkMs: 400, timeoutMs: 1_500 },
  };
}

/** The same with drawn faults of some kinds alone. */
function stormy(seed: number, operations: number, weights: Partial<FaultWeights>, everyMs: number, lastsMsMax: number): Shape {
  const shape = quiet(seed, operations);
  const faults = { everyMs, lastsMsMax, downMax: 2, weights: { ...NO_FAULTS, ...weights } };
  return { ...shape, faults, network: drawShape(seed, operations).network };
}

// C4

type Pair = readonly [from: number, to: number];

/** Which ways are cut: from each of the victims' side to the others, by shape. */
const CUTS: Readonly<Record<string, readonly Pair[]>> = {
  "isolate one": pairs([0], [1, 2, 3, 4]),
  "two from three": pairs([0, 1], [2, 3, 4]),
  "a bridge between two": pairs([0, 1], [3, 4]),
  // Each hears its two neighbours: everybody is in a majority, and no two in the same one.
  "a ring of majorities": [[0, 2], [0, 3], [1, 3], [1, 4], [2, 4]],
  "a client from its coordinator": [],
};
const DIRECTIONS = ["both ways", "only sent", "only received"] as const;
const TIMES = ["3 s", "60 s", "on and off each second"] as const;
/** The shapes, ways and times that there are. */
export const SCENARIOS = Object.keys(CUTS).flatMap((shape) =>
  DIRECTIONS.flatMap((direction) => TIMES.map((time) => ({ shape, direction, time })))
);

function pairs(side: readonly number[], others: readonly number[]): Pair[] {
  return side.flatMap((one) => others.map((other): Pair => [one, other]));
}

function setCut(simulation: Simulation, shape: string, direction: string, isCut: boolean): void {
  const { cluster } = simulation;
  if (shape === "a client from its coordinator") {
    const requests = direction !== "only sent";
    const answers = direction !== "only received";
    cluster.cutClients(0, isCut && requests, isCut && answers);
    return;
  }
  for (const [one, other] of CUTS[shape] ?? []) {
    if (direction !== "only sent") cluster.cut(one, other, isCut);
    if (direction !== "only received") cluster.cut(other, one, isCut);
  }
}

function cutNetwork(simulation: Simulation): Script {
  const { shape, direction, time } = SCENARIOS[(simulation.shape.seed - 1) % SCENARIOS.length];
  const { world } = simulation;
  const set = (isCut: boolean): void => setCut(simulation, shape, direction, isCut);
  const flips = time === "on and off each second" ? 30 : 1;
  const lastsMs = time === "60 s" ? 60_000 : time === "3 s" ? 3_000 : STEP_MS;
  for (let flip = 0; flip < flips; flip++) {
    world.after(STEP_MS + 2 * flip * lastsMs, () => set(true));
    world.after(STEP_MS + (2 * flip + 1) * lastsMs, () => set(false));
  }
  return { what: `${shape}, ${direction}, ${time}` };
}

// C5

function swizzle({ world, cluster }: Simulation, random: SeededRandom): Script {
  for (let round = 0; round < 4; round++) {
    const beginMs = STEP_MS + round * 15_000;
    const frozen = shuffled(random, NODES).slice(0, 2 + random.below(3));
    const order = shuffled(random, frozen.length);
    const gapMs = 100 + random.below(1_500);
    frozen.forEach((node, place) => {
      const atMs = beginMs + place * gapMs;
      const untilMs = beginMs + (frozen.length + order[place]) * gapMs;
      world.after(atMs, () => {
        if (cluster.isUp(node)) cluster.pause(node, untilMs - atMs);
      });
    });
  }
  return { what: "nodes stand still one by one and go on in another order" };
}

function shuffled(random: SeededRandom, count: number): number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [all[index], all[other]] = [all[other], all[index]];
  }
  return all;
}

// C6

const HOUR_MS = 3_600_000;
/** Not so much that a request of a client whose clock is right would be taken for too old. */
const MINUTES_MS = 500_000;
const CLOCK_TROUBLES =
  ["an hour forth and back", "minutes forth and back", "jitter", "backwards", "a leap second", "an hour apart"] as const;

function clocks({ world, cluster, workload }: Simulation, random: SeededRandom): Script {
  const what = CLOCK_TROUBLES[random.below(CLOCK_TROUBLES.length)];
  const jump = (node: number, ms: number): void => cluster.jumpClock(node, ms);
  for (let node = 0; node < NODES; node++) {
    if (what === "an hour apart") jump(node, (node - 2) * HOUR_MS);
  }
  for (let second = 1; second <= 60; second++) {
    world.after(second * STEP_MS, () => {
      // All is mended by then.
      if (workload.isOver) return;
      const node = random.below(NODES);
      if (what === "an hour forth and back" && second % 5 === 0) jump(node, random.chance(1, 2) ? HOUR_MS : -HOUR_MS);
      if (what === "minutes forth and back" && second % 5 === 0) jump(node, random.chance(1, 2) ? MINUTES_MS : -MINUTES_MS);
      if (what === "jitter") for (let one = 0; one < NODES; one++) jump(one, random.below(1_001) - 500);
      if (what === "backwards") jump(node, -random.below(5_000));
      if (what === "a leap second" && second % 20 === 0) for (let one = 0; one < NODES; one++) jump(one, -1_000);
    });
  }
  return { what: `clocks: ${what}` };
}

// C10

/** In it a node joins, one leaves, and joins again. */
const MOVING_WORLD = 3;
const MOVING_OPERATIONS = 400;
/** So many messages are counted in it. */
const MOVING_MESSAGES = 412;

/** One world for all seeds. */
function moving(_seed: number, operations: number): Shape {
  const weights = { ...NO_ADMINISTRATION.weights, join: 1, leave: 1 };
  const shape = quiet(MOVING_WORLD, Math.min(operations, MOVING_OPERATIONS));
  return {
    ...shape,
    nodes: 4,
    administration: { spares: 1, everyMs: 2_000, atOnceMax: 1, weights },
    workload: { ...shape.workload, thinkMs: 200, listings: { everyMs: 0, seed: 0 } },
  };
}

function strikeAt(simulation: Simulation): Script {
  const at = Math.floor((simulation.seed - 1) / TROUBLES.length);
  const trouble = TROUBLES[(simulation.seed - 1) % TROUBLES.length];
  return { what: `${trouble} at message ${at}`, lift: new Strike(simulation, trouble, at).lay() };
}

// C12

/** Clients want from two to ten times what all nodes take at a time. */
function crowded(seed: number, operations: number): Shape {
  const shape = quiet(seed, operations);
  const clients = NODES * REQUESTS_MAX * (2 + seed % 9);
  const workload = { ...shape.workload, clients, operations: 3 * operations, thinkMs: 40, timeoutMs: 1_000 };
  return { ...shape, requestsMax: REQUESTS_MAX, syncMsMax: 100, workload };
}

function crowd(simulation: Simulation, random: SeededRandom): Script {
  const overload = new Overload(simulation);
  overload.begin(random.below(NODES));
  return { what: `${simulation.shape.workload.clients} clients`, lift: () => overload.end() };
}

// C13

/** What the seed draws, on disks: a memory engine does not live through an upgrade. */
function upgradable(seed: number, operations: number): Shape {
  return { ...drawShape(seed, operations), engine: "log" };
}

/** All run the other version first. */
function startOther({ cluster }: Simulation): void {
  for (let node = 0; node < cluster.count; node++) cluster.runOther(node, true);
}

/** One after the other goes on as this version; now and then one goes back for a while. */
function upgrade({ world, cluster }: Simulation, random: SeededRandom): Script {
  const replaced = (node: number, isOther: boolean, atMs: number): void => {
    world.after(atMs, () => {
      cluster.runOther(node, isOther);
      if (!cluster.isUp(node)) return;
      cluster.kill(node);
      world.after(UPGRADE_MS, () => {
        if (cluster.isInside(node) && !cluster.isUp(node)) cluster.start(node);
      });
    });
  };
  shuffled(random, cluster.count).forEach((node, place) => {
    const atMs = STEP_MS + place * (UPGRADE_MS + random.below(4_000));
    replaced(node, false, atMs);
    if (!random.chance(1, 4)) return;
    replaced(node, true, atMs + 5_000);
    replaced(node, false, atMs + 12_000);
  });
  return { what: "one node after the other is upgraded" };
}

export const FAMILIES: readonly Family[] = [
  { id: "C4", title: "the network is cut in 45 ways", seeds: 45, shape: quiet, script: cutNetwork },
  { id: "C5", title: "swizzle-clogging", seeds: 1_000, shape: quiet, script: swizzle },
  { id: "C6", title: "clocks", seeds: 1_000, shape: quiet, script: clocks },
  {
    id: "C8",
    title: "disks are lost between writes",
    seeds: 10_000,
    shape: (seed, operations) => stormy(seed, operations, { wipe: 4, kill: 1, partition: 1 }, 1_500, 3_000),
    script: () => NOTHING,
  },
  {
    id: "C9",
    title: "deletes, and nodes that are away for long",
    seeds: 10_000,
    shape: (seed, operations) => {
      const shape = stormy(seed, operations, { kill: 3, pause: 2, partition: 1 }, 4_000, 30_000);
      const weights = { read: 2, putBlind: 1, putAfterRead: 2, putRemembered: 1, deleteAfterRead: 4, deleteBlind: 2, create: 1 };
      return { ...shape, workload: { ...shape.workload, keys: { siblings: 6, lww: 3, carts: 1 }, weights } };
    },
    script: () => NOTHING,
  },
  { id: "C12", title: "overload", seeds: 1_000, shape: crowded, script: crowd },
  { id: "C13", title: "two versions, and an upgrade", seeds: 1_000, shape: upgradable, prepare: startOther, script: upgrade },
  { id: "C10", title: "trouble at each message while nodes come and go", seeds: TROUBLES.length * MOVING_MESSAGES, shape: moving, script: strikeAt },
];
