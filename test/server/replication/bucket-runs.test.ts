/** One replica's runs of a bucket against a sorted list: ranges, places, limits, names in one place, damage. */

import t from "tap";
import type { BucketRun } from "../../../core/bucket-run.ts";
import { ObjectName } from "../../../core/object-name.ts";
import { comparePlaces, lastPlaceOf, orderOf, type RingPlace } from "../../../core/ring-place.ts";
import { BucketRuns, type RunQuestion } from "../../../server/replication/bucket-runs.ts";
import { openMemoryEngine } from "../../../storage/memory/memory-engine.ts";
import { SeededRandom, seedFrom } from "../../random.ts";
import { LABELS, nameOf, payloadOf, setOf } from "../../storage/sets.ts";
import { FaultyEngine } from "./faulty-engine.ts";

const SEED = seedFrom(process.env.SEED, 5);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);
const END = 0xffffffff;

interface Bed {
  readonly engine: FaultyEngine;
  readonly runs: BucketRuns;
  readonly repaired: number[];
  readonly partial: Set<number>;
  /** Requests that were served meanwhile; steps that waited for them to have their turn. */
  served: number;
  waits: number;
}

/** A replica on a clock that does at once what it is to do soon. */
function bed(names: readonly ObjectName[]): Bed {
  const shape = { partitionBits: 4, treeKey: new Int32Array(4), freeBytesMin: 0, totalBytesMax: 0 };
  const engine = new FaultyEngine(openMemoryEngine({ ...shape, folder: "objects" }));
  names.forEach((name, index) => {
    engine.write(name, setOf({ counter: index + 1, payload: payloadOf(index, 5) }), LABELS);
  });
  const waiting: (() => void)[] = [];
  const clock = {
    nowMs: () => 0,
    elapsedMs: () => 0,
    after: (_delayMs: number, callback: () => void) => {
      made.waits++;
      clock.soon(callback);
      return { cancel: () => {} };
    },
    soon: (callback: () => void) => {
      waiting.push(callback);
      if (waiting.length > 1) return;
      queueMicrotask(() => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
      });
    },
  };
  const repaired: number[] = [];
  const partial = new Set<number>();
  const runs = new BucketRuns({
    clock,
    engine,
    partitionBits: 4,
    refusal: () => "",
    isCompletePrimary: (partition) => !partial.has(partition),
    served: () => made.served,
    repair: ({ position0 }) => repaired.push(position0),
  });
  const made: Bed = { engine, runs, repaired, partial, served: 0, waits: 0 };
  return made;
}

function ask({ runs }: Bed, question: Partial<RunQuestion>): Promise<BucketRun | string> {
  const whole = { bucket: encoder.encode("cart"), prefix: NOTHING, after: null, from: 0, to: END };
  return new Promise((resolve) => {
    runs.run({ ...whole, entriesMax: 256, ...question }, (run, error) => resolve(run ?? error));
  });
}

function placeOf({ position0, position1, tag, bytes }: ObjectName): RingPlace {
  return { position0, position1, tag, order: orderOf(bytes) };
}

/** 500 names of the bucket, 40 of them sharing positions and tags by fours, 40 a first word; 100 of another. */
function manyNames(): ObjectName[] {
  const cart = Array.from({ length: 500 }, (_, index) => nameOf(`cart/k${index}`));
  const other = Array.from({ length: 100 }, (_, index) => nameOf(`other/k${index}`));
  for (let index = 0; index < 40; index += 4) {
    const { position0, position1, tag } = cart[index];
    for (const name of cart.slice(index, index + 4)) Object.assign(name, { position0, position1, tag });
  }
  for (let index = 40; index < 80; index++) {
    Object.assign(cart[index], { position0: cart[40].position0, position1: index });
  }
  return [...cart, ...other];
}

t.test("between steps requests have their turn, while there are any", async (tt) => {
  const store = bed(manyNames());
  await ask(store, {});
  tt.equal(store.waits, 0, "nobody else is there: no step waits");
  store.served = 1;
  const run = await ask(store, {});
  tt.ok(store.waits >= 7, `${store.waits} of 8 steps wait`);
  tt.equal(typeof run === "string" ? 0 : run.entries.length, 256, "and the run has as many entries");
});

t.test("runs one after the other have every entry of a range behind a place, once, in order", async (tt) => {
  const random = new SeededRandom(SEED);
  const names = manyNames();
  const store = bed(names);
  const cart = names.slice(0, 500).sort((left, right) => comparePlaces(placeOf(left), placeOf(right)));
  for (let round = 0; round < 60; round++) {
    const [from, to] = round < 10 ? [0, END] : [random.uint32(), random.uint32()].sort((a, b) => a - b);
    const entriesMax = 1 + random.below(round % 2 === 0 ? 5 : 100);
    const start = random.chance(1, 2) ? null : placeOf(cart[random.below(500)]);
    const wanted = cart.filter((name) => {
      const isBehind = start === null || comparePlaces(placeOf(name), start) > 0;
      return name.position0 >= from && name.position0 <= to && isBehind;
    });
    const listed: string[] = [];
    let after = start;
    for (let runs = 0; after === null || comparePlaces(after, lastPlaceOf(to)) < 0; runs++) {
      const run = await ask(store, { from, to, after, entriesMax });
      if (typeof run === "string" || runs > 600) throw new Error(`SEED=${SEED} round ${round}: ${String(run)}`);
      for (const { key } of run.entries) listed.push(`cart/${decoder.decode(key)}`);
      if (after !== null && comparePlaces(run.through, after) <= 0) break;
      after = run.through;
    }
    tt.same(listed, wanted.map(({ bytes }) => decoder.decode(bytes)), `SEED=${SEED} round ${round}`);
  }
});

t.test("a prefix picks keys, and a run says for which partitions it is complete", async (tt) => {
  const store = bed(manyNames());
  store.partial.add(3).add(15);
  const run = await ask(store, { prefix: encoder.encode("k49"), entriesMax: 100 });
  if (typeof run === "string") throw new Error(run);
  const keys = run.entries.map(({ key }) => decoder.decode(key)).sort();
  tt.same(keys, ["k49", ...Array.from({ length: 10 }, (_, index) => `k49${index}`)]);
  tt.same([run.partitions, ...run.complete], [16, 0xf7, 0x7f]);
  const part = await ask(store, { from: 0x30000000, to: 0x4fffffff });
  tt.same(typeof part === "string" ? part : [part.partitions, part.complete[0] & 3], [2, 2]);
});

t.test("a damaged record ends the run before it, or refuses it, and is repaired", async (tt) => {
  const names = manyNames();
  const store = bed(names);
  const sorted = names.slice(0, 500).sort((left, right) => comparePlaces(placeOf(left), placeOf(right)));
  // Not among those that share a place in the index: before one of them, all would be left out.
  const isAlone = ({ bytes }: ObjectName): boolean => Number(decoder.decode(bytes).slice(6)) >= 80;
  const at = sorted.findIndex((name, index) => index > 100 && isAlone(name) && isAlone(sorted[index - 1]));
  const [before, damaged] = [sorted[at - 1], sorted[at]];
  store.engine.damage(damaged);
  const run = await ask(store, {});
  if (typeof run === "string") throw new Error(run);
  tt.same(run.entries.map(({ key }) => `cart/${decoder.decode(key)}`), sorted.slice(0, at).map(({ bytes }) => {
    return decoder.decode(bytes);
  }));
  tt.ok(comparePlaces(run.through, placeOf(damaged)) < 0, "not up to it");
  tt.ok(comparePlaces(run.through, placeOf(before)) >= 0, "up to what lies before it");
  tt.match(await ask(store, { after: run.through }), /cannot be read/);
  tt.same([...new Set(store.repaired)], [damaged.position0]);
});
