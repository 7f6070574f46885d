/**
 * The index against a plain map: random positions, crowded ones, and those at the ring's seams.
 */

import { addHead, mixName } from "../../core/merkle-digest.ts";
import type { IndexEntry } from "../../storage/engine.ts";
import { ENTRY_OFFSET, ENTRY_WORDS } from "../../storage/index-region.ts";
import { PositionIndex } from "../../storage/position-index.ts";
import { everyHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 48);

const KEY = Int32Array.of(1, 2, 3, 4);

/** Where positions are drawn: all over the ring, in one region, on a few points, at the seams. */
const CROWDS: readonly (readonly [name: string, draw: (random: SeededRandom) => number])[] = [
  ["all over the ring", (random) => random.uint32()],
  ["in one region", (random) => (0xabc00000 | random.below(1 << 20)) >>> 0],
  ["at the start of one region", (random) => (0xabc00000 | random.below(50)) >>> 0],
  ["at the end of the ring", (random) => (0xffffffff - random.below(300)) >>> 0],
  ["on eight points", (random) => Math.imul(random.below(8), 0x20000001) >>> 0],
];

export const suite: Case[] = [
  ...CROWDS.map(([where, draw]) => ({
    name: `entries ${where} agree with a map`,
    run: (check: Check) => agree(check, draw),
  })),
  { name: "an entry finds its place, whatever has changed since it was looked for", run: changesBetween },
  { name: "at no moment of its growth does an object take more than 48 bytes", run: bytesAnObject },
  { name: "scanBucket() goes on where a slice ended, and where it was stopped", run: slices },
  { name: "one partition and 65,536 are counted as well", run: partitionBits },
];

interface Entry {
  position0: number;
  position1: number;
  tag: number;
  digest0: number;
  offset: number;
}

function agree(check: Check, draw: (random: SeededRandom) => number): void {
  const random = new SeededRandom(SEED);
  const index = new PositionIndex(6, KEY);
  const model = new Map<string, Entry>();
  for (let step = 0; step < 12_000; step++) {
    const position0 = draw(random);
    const [position1, tag] = [random.below(3), random.below(2) * 0x10000 + random.below(2)];
    const key = [position0, position1, tag].join();
    const held = model.get(key);
    const isFound = index.seek(position0, position1, tag);
    if (isFound !== (held !== undefined)) check.ok(false, `SEED=${SEED} step ${step}: seek`);
    if (held === undefined) {
      const entry = { position0, position1, tag, digest0: random.uint32(), offset: step };
      index.insert(position0, position1, tag, entry.digest0, 1, 1, step, 9);
      model.set(key, entry);
    } else {
      const { words, at } = index;
      if (words[at + ENTRY_OFFSET] !== held.offset) {
        check.ok(false, `SEED=${SEED} step ${step}: place`);
      }
      // Grow in the first half, shrink in the second.
      if (random.chance(step < 6000 ? 1 : 9, 10)) {
        index.remove();
        model.delete(key);
      } else {
        held.digest0 = random.uint32();
        held.offset = step;
        index.replace(held.digest0, 1, 1, step, 9);
      }
    }
    if (step % everyHere(1_000) === 0) compare(check, index, model, random, `SEED=${SEED} step ${step}`);
  }
  compare(check, index, model, random, `SEED=${SEED} end`);
}

function compare(
  check: Check,
  index: PositionIndex,
  model: Map<string, Entry>,
  random: SeededRandom,
  say: string,
): void {
  const entries = [...model.values()];
  check.equal(index.count, entries.length, `${say}: count`);
  const bounds = [random.uint32(), random.uint32()].sort((left, right) => left - right);
  for (const [from, to] of [[0, 0xffffffff], bounds, [0xabc00000, 0xabcfffff]]) {
    const wanted = entries.filter((entry) => entry.position0 >= from && entry.position0 <= to);
    const seen: string[] = [];
    let last = 0;
    index.scan(from, to, (entry: IndexEntry) => {
      if (entry.position0 < last) check.ok(false, `${say}: out of order`);
      last = entry.position0;
      return seen.push(`${entry.position0},${entry.position1},${entry.tag},${entry.digest0}`) > 0;
    });
    const texts = wanted.map((entry) => {
      return `${entry.position0},${entry.position1},${entry.tag},${entry.digest0}`;
    });
    check.same(seen.sort(), texts.sort(), `${say}: scan from ${from} to ${to}`);
  }
  compareBuckets(check, index, entries, bounds, say);
  const fresh = new PositionIndex(6, KEY);
  for (const entry of [...entries].reverse()) {
    fresh.insert(entry.position0, entry.position1, entry.tag, entry.digest0, 1, 1, 1, 1);
  }
  check.equal(digests(index), digests(fresh), `${say}: digests have no history`);
  for (let partition = 0; partition < 64; partition++) compareTree(check, index, partition, say);
}

/** The two buckets that the tags speak of, and one that nothing belongs to. */
function compareBuckets(
  check: Check,
  index: PositionIndex,
  entries: readonly Entry[],
  [from, to]: readonly number[],
  say: string,
): void {
  for (const bucket of [0, 1, 2]) {
    const wanted = entries.filter(({ position0, tag }) => {
      return position0 >= from && position0 <= to && tag >>> 16 === bucket;
    });
    const texts = wanted.sort(byPlace).map((entry) => `${entry.position0},${entry.position1},${entry.tag}`);
    const seen: string[] = [];
    const end = index.scanBucket(bucket, from, to, ({ position0, position1, tag }) => {
      return seen.push(`${position0},${position1},${tag}`) > 0;
    });
    check.same(seen, texts, `${say}: bucket ${bucket} from ${from} to ${to}, in order`);
    check.equal(end, to + 1, `${say}: to the end`);
  }
}

/** Looked for, not there, and entered: with a neighbour entered or taken out in between. */
function changesBetween(check: Check): void {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 300; round++) {
    const index = new PositionIndex(0, KEY);
    const positions = Array.from({ length: 60 }, () => random.below(1 << 20));
    for (const position of positions) {
      index.seek(position, 0, 1);
      const neighbour = Math.max(0, position - random.below(3) * 10_000);
      if (random.chance(1, 2)) index.insert(neighbour, 0, 2, 1, 1, 1, 1, 1);
      if (random.chance(1, 4) && index.seek(neighbour, 0, 2)) index.remove();
      index.insert(position, 0, 1, 1, 1, 1, 1, 1);
      if (!random.chance(1, 4)) continue;
      index.remove();
      index.insert(position, 0, 1, 1, 1, 1, 1, 1);
    }
    let last = 0;
    let isOrdered = true;
    index.scan(0, 0xffffffff, ({ position0 }) => {
      isOrdered &&= position0 >= last;
      last = position0;
      return true;
    });
    check.ok(isOrdered, `SEED=${SEED} round ${round}: in order`);
    const missing = positions.filter((position) => !index.seek(position, 0, 1));
    check.same(missing, [], `SEED=${SEED} round ${round}: all are found`);
  }
}

/** 128 of the regions, filled as far as those of an index of 10 million objects; and as a start fills them. */
function bytesAnObject(check: Check): void {
  const random = new SeededRandom(SEED);
  const index = new PositionIndex(0, KEY);
  let most = 0;
  for (let count = 1; count <= 300_000; count++) {
    index.insert(random.below(2 ** 27), count, 1, 1, 1, 1, 1, 1);
    if (count >= 100_000 && count % 2_000 === 0) most = Math.max(most, index.bytes / count);
  }
  check.ok(most <= 48, `while it grows: ${most}`);
  const started = new PositionIndex(0, KEY);
  for (let region = 0; region < 128; region++) {
    const entries = new Uint32Array(index.countIn(region) * ENTRY_WORDS);
    index.copyRegion(region, entries, 0);
    started.fillRegion(region, entries);
  }
  check.equal(started.count, index.count, "all of them");
  for (let more = 1; more <= 150_000; more++) {
    started.insert(random.below(2 ** 27), more, 2, 1, 1, 1, 1, 1);
    if (more % 2_000 === 1) most = Math.max(most, started.bytes / started.count);
  }
  check.ok(most <= 48, `after a start: ${most}`);
}

function byPlace(left: Entry, right: Entry): number {
  return left.position0 - right.position0 || left.position1 - right.position1 || left.tag - right.tag;
}

function slices(check: Check): void {
  const index = new PositionIndex(0, KEY);
  const count = 400_000;
  for (let entry = 0; entry < count; entry++) {
    index.insert(Math.imul(entry, 0x9e3779b1) >>> 0, entry, (entry % 100) << 16, 1, 1, 1, 1, 1);
  }
  const seen = new Set<number>();
  let calls = 0;
  for (let from = 0; from < 2 ** 32; calls++) {
    const stops = calls === 1;
    const next = index.scanBucket(7, from, 0xffffffff, ({ position1 }) => {
      check.equal(position1 % 100, 7, "of the bucket");
      check.equal(seen.has(position1), false, "once");
      if (stops) return false;
      return seen.add(position1).size > 0;
    });
    check.ok(next > from || stops, "it moves on");
    from = next;
  }
  check.equal(seen.size, count / 100, "all of them");
  check.ok(calls >= 3 && calls <= 4, `in ${calls} calls, one of which was stopped`);
}

/** Each node of a tree is the sum of what a scan of its range gives. */
function compareTree(check: Check, index: PositionIndex, partition: number, say: string): void {
  const tree = index.tree(partition);
  const children = new Uint8Array(128);
  const words = new Int32Array(children.buffer);
  const range = new Uint32Array(2);
  const sum = new Int32Array(2);
  for (let node = 0; tree.hasChildren(node); node++) {
    tree.childrenInto(node, children, 0);
    for (let place = 0; place < 16; place++) {
      sum.fill(0);
      tree.nodeRangeInto(16 * node + 1 + place, range, 0);
      index.scan(range[0], range[1], ({ position0, position1, tag, digest0, digest1 }) => {
        mixName(KEY, position0, position1, tag);
        addHead(digest0, digest1, 1, sum);
        return true;
      });
      if (sum[0] === words[2 * place] && sum[1] === words[2 * place + 1]) continue;
      check.ok(false, `${say}: child ${place} of node ${node} in partition ${partition}`);
    }
  }
}

function digests(index: PositionIndex): string {
  const words = new Uint32Array(128);
  const counts: number[] = [];
  for (let partition = 0; partition < 64; partition++) {
    index.tree(partition).rootInto(words, partition * 2);
    counts.push(index.tree(partition).count);
  }
  return `${words.join()} ${counts.join()}`;
}

function partitionBits(check: Check): void {
  for (const bits of [0, 1, 16]) {
    const index = new PositionIndex(bits, KEY);
    index.insert(0xffff0000, 1, 2, 3, 4, 1, 1, 1);
    index.insert(5, 1, 2, 3, 4, 1, 1, 1);
    check.equal(
      index.tree(2 ** bits - 1).count,
      bits === 0 ? 2 : 1,
      `${bits} bits: the last one`,
    );
    check.equal(index.tree(0).count, bits === 0 ? 2 : 1, `${bits} bits: the first one`);
  }
}
