/**
 * Merkle trees on every runtime: the digest and the tree against a naive model; that two trees tell
 * exactly where two replicas differ, also while both change; that crafted names and values neither
 * hide a difference nor make it dear; and that nothing of it allocates.
 *
 *   PAIRS=100000 SEED=7 bun test/runtimes.ts core/merkle     random pairs of replicas, more of them
 */

import {
  MERKLE_ANSWER_BYTES_MAX,
  MERKLE_QUESTION_BYTES_MAX,
  MerkleDescent,
  merkleAnswerInto,
} from "../../core/merkle-descent.ts";
import { addHead, merkleKey, mixName } from "../../core/merkle-digest.ts";
import { MERKLE_HEIGHT_MAX, MerkleTree, firstNode, levelOf } from "../../core/merkle-tree.ts";
import { ObjectName } from "../../core/object-name.ts";
import { HEAP_NOISE_BYTES, HOT_CALLS, steadyHeapGrowth } from "../heap-growth.ts";
import {
  type Entry,
  Replica,
  Universe,
  digestsOf,
  exchange,
  modelDigest,
  modelSum,
} from "../model/merkle-model.ts";
import { SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import { collidingNames } from "./md5-collision.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 5);
const PAIRS = seedFrom(globalThis.process?.env.PAIRS, 600);
const secret = Uint8Array.from({ length: 16 }, (_, index) => 17 * index + 3);
const key = merkleKey(secret);

export const suite: readonly Case[] = [
  { name: "An entry's digest equals the model's", run: digestEqualsModel },
  { name: "A digest depends on each bit of the entry and of the secret", run: digestAvalanches },
  { name: "Heads swapped between two names do not cancel in the sum", run: swappedHeads },
  { name: "Each node is the sum of its entries while a tree grows and shrinks", run: treeIsModel },
  { name: "A tree grows and shrinks at its marks, and forgets its history", run: growth },
  { name: "The nodes of a level cut the partition in equal ranges", run: ranges },
  { name: "Trees of all small sets: equal roots for equal sets alone", run: smallSets },
  { name: `${PAIRS} random pairs of replicas: exactly what differs is found`, run: randomPairs },
  { name: "What differs throughout is found while sides change", run: changingPairs },
  { name: "Equal trees cost 8 bytes, one difference in 300,000 at most 4 KiB", run: onTheWire },
  { name: "A descent survives lost, repeated and malformed messages", run: badMessages },
  { name: "Names with one MD5, and versions of one name, are told apart", run: collisions },
  { name: "10,000 names crafted into one leaf cost O(n log n)", run: craftedLeaf },
  { name: "Many updates and comparisons allocate nothing", run: allocatesNothing },
];

function randomEntry(random: SeededRandom): Entry {
  const [position0, position1, tag] = [random.uint32(), random.uint32(), random.uint32()];
  return { position0, position1, tag, digest0: random.uint32(), digest1: random.uint32() };
}

function digestOf(entry: Entry, words: Int32Array = key): [number, number] {
  const sum = new Int32Array(2);
  mixName(words, entry.position0, entry.position1, entry.tag);
  addHead(entry.digest0, entry.digest1, 1, sum);
  return [sum[0] >>> 0, sum[1] >>> 0];
}

function digestEqualsModel(check: Check): void {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 1_000; round++) {
    const entry = randomEntry(random);
    check.same(digestOf(entry), modelDigest(key, entry), `SEED=${SEED} round ${round}`);
  }
  const sum = Int32Array.from([5, -6]);
  const entry = randomEntry(random);
  mixName(key, entry.position0, entry.position1, entry.tag);
  addHead(entry.digest0, entry.digest1, 1, sum);
  addHead(entry.digest0, entry.digest1, -1, sum);
  check.same([...sum], [5, -6], "what is added and taken away leaves nothing");
}

/** Of 64 bits, about 32 change: fewer than 8 or more than 56 do so once in 10^10 draws. */
function digestAvalanches(check: Check): void {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 20; round++) {
    const entry = randomEntry(random);
    const before = digestOf(entry);
    for (const field of ["position0", "position1", "tag", "digest0", "digest1"] as const) {
      for (let bit = 0; bit < 32; bit++) {
        const flipped = { ...entry, [field]: (entry[field] ^ (1 << bit)) >>> 0 };
        check.ok(isFar(before, digestOf(flipped)), `bit ${bit} of ${field}`);
      }
    }
    for (let bit = 0; bit < 128; bit++) {
      const bytes = secret.slice();
      bytes[bit >> 3] ^= 1 << (bit & 7);
      check.ok(isFar(before, digestOf(entry, merkleKey(bytes))), `bit ${bit} of the secret`);
    }
  }
  check.throws(() => merkleKey(new Uint8Array(15)), "a secret of another length");
}

function isFar(left: readonly number[], right: readonly number[]): boolean {
  const bits = bitsOf(left[0] ^ right[0]) + bitsOf(left[1] ^ right[1]);
  return bits >= 8 && bits <= 56;
}

function bitsOf(word: number): number {
  return (word >>> 0).toString(2).replaceAll("0", "").length;
}

function swappedHeads(check: Check): void {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 1_000; round++) {
    const [left, right] = [randomEntry(random), randomEntry(random)];
    const crossed = [
      { ...left, digest0: right.digest0, digest1: right.digest1 },
      { ...right, digest0: left.digest0, digest1: left.digest1 },
    ];
    const straight = modelSum(digestsOf(key, [left, right]), 0, 0xffffffff);
    const other = modelSum(digestsOf(key, crossed), 0, 0xffffffff);
    check.ok(straight !== other, `SEED=${SEED} round ${round}`);
  }
}

/** Where entries lie in a partition: all over, in one corner, on few points. */
function crowd(random: SeededRandom, partitionBits: number): () => number {
  const width = 2 ** (32 - partitionBits);
  const kind = random.below(4);
  if (kind === 0) {
    const points = 1 + random.below(5);
    const point = Array.from({ length: points }, () => random.uint32() % width);
    return () => point[random.below(points)];
  }
  if (kind === 1) {
    const start = random.uint32() % width;
    return () => Math.min(width - 1, start + random.below(5_000));
  }
  return () => random.uint32() % width;
}

function randomUniverse(random: SeededRandom, size: number): Universe {
  const partitionBits = random.below(17);
  const partition = random.below(2 ** partitionBits);
  return new Universe(size, partitionBits, partition, random, crowd(random, partitionBits));
}

/** Compares all nodes of a tree with sums made anew. */
function compareNodes(check: Check, replica: Replica, say: string): void {
  const { tree, universe } = replica;
  const entries = digestsOf(key, replica.entries());
  const from = universe.partition * 2 ** (32 - universe.partitionBits);
  const to = from + 2 ** (32 - universe.partitionBits) - 1;
  check.equal(tree.count, entries.length, `${say}: count`);
  check.equal(replica.root(), modelSum(entries, from, to), `${say}: root`);
  check.same(rangeOf(tree, 0), [from, to], `${say}: the root's range`);
  const bytes = new Uint8Array(128);
  const words = new Uint32Array(bytes.buffer);
  for (let node = 0; tree.hasChildren(node); node++) {
    tree.childrenInto(node, bytes, 0);
    const [first, last] = rangeOf(tree, node);
    let next = first;
    for (let place = 0; place < 16; place++) {
      const child = 16 * node + 1 + place;
      const [childFrom, childTo] = rangeOf(tree, child);
      if (childFrom !== next) check.ok(false, `${say}: node ${child} does not follow`);
      next = childTo + 1;
      const wanted = modelSum(entries, childFrom, childTo);
      const given = [words[2 * place], words[2 * place + 1]];
      if (given.join() !== wanted) check.ok(false, `${say}: node ${child} is wrong`);
    }
    check.equal(next, last + 1, `${say}: the children fill node ${node}`);
  }
}

function rangeOf(tree: MerkleTree, node: number): number[] {
  const range = new Uint32Array(2);
  tree.nodeRangeInto(node, range, 0);
  return [...range];
}

/** Sizes that cross the first mark and the second; growth is driven, or left alone for a while. */
function treeIsModel(check: Check): void {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 12; round++) {
    const size = round % 3 === 0 ? 2_000 : 200;
    const universe = randomUniverse(random, size);
    const replica = new Replica(universe, key);
    for (let step = 0; step < 8 * size; step++) {
      // Grow in the first half, shrink in the second.
      const version = random.chance(step < 4 * size ? 9 : 1, 10) ? 1 + random.below(3) : 0;
      replica.setOnly(random.below(size), version);
      if (random.chance(1, 3)) replica.step();
      if (step % size !== 0) continue;
      compareNodes(check, replica, `SEED=${SEED} round ${round} step ${step}`);
    }
    compareNodes(check, replica, `SEED=${SEED} round ${round} end`);
  }
}

function growth(check: Check): void {
  const random = new SeededRandom(SEED);
  const universe = new Universe(1_200, 10, 77, random, () => random.uint32() >>> 10);
  const replica = new Replica(universe, key);
  const { tree } = replica;
  check.same([tree.height, tree.bytes, replica.root()], [0, 0, "0,0"], "an empty tree");
  const heights: string[] = [];
  for (let index = 0; index < universe.size; index++) {
    const before = tree.height;
    replica.set(index, 1);
    if (tree.height !== before) heights.push(`${tree.count}: ${tree.height}`);
  }
  // One leaf is split at once; the sixteen of the next level by one write each.
  check.same(heights, ["65: 1", "1040: 2"], "beyond 64 entries a leaf, and then a write a leaf");
  check.equal(tree.bytes, 8 * firstNode(3), "bytes of three levels");
  const full = replica.root();
  for (let index = 0; index < universe.size; index++) replica.set(index, 0);
  check.same([tree.height, tree.count, replica.root()], [0, 0, "0,0"], "emptied");
  for (let index = universe.size - 1; index >= 0; index--) replica.set(index, 1);
  check.equal(replica.root(), full, "filled in another order");
  abandonedGrowth(check, random);
  const narrow = new Replica(new Universe(280_000, 16, 9, random, () => random.below(65_536)), key);
  for (let index = 0; index < narrow.held.length; index++) narrow.set(index, 1);
  check.equal(narrow.tree.height, 3, "levels of one of 65,536 partitions, however full");
  const bytes = new Uint8Array(128);
  tree.childrenInto(0, bytes, 0);
  check.ok(tree.nodeEquals(3, bytes, 16), "a node equals its packed form");
  for (let offset = 16; offset < 24; offset++) {
    bytes[offset] ^= 0x80;
    check.ok(!tree.nodeEquals(3, bytes, 16), `not with another byte ${offset - 16}`);
    bytes[offset] ^= 0x80;
  }
  check.same([0, 1, 16, 17, 272, 273].map(levelOf), [0, 1, 1, 2, 2, 3], "levels of nodes");
}

/** Growth that the owner never drives, or that is overtaken by removals, harms nothing. */
function abandonedGrowth(check: Check, random: SeededRandom): void {
  const tree = new MerkleTree(16, 0xffff, key);
  const entries: Entry[] = [];
  for (let index = 0; index < 200; index++) {
    const entry = { ...randomEntry(random), position0: (0xffff0000 | random.below(65_536)) >>> 0 };
    entries.push(entry);
    tree.add(entry.position0, entry.position1, entry.tag, entry.digest0, entry.digest1);
  }
  check.same([tree.height, tree.isGrowing], [0, true], "growing, one level wanted");
  const range = new Uint32Array(2);
  tree.splitRangeInto(range, 0);
  check.same([...range], [0xffff0000, 0xffffffff], "the whole partition");
  for (const entry of entries.splice(10)) {
    tree.remove(entry.position0, entry.position1, entry.tag, entry.digest0, entry.digest1);
  }
  check.same([tree.height, tree.isGrowing, tree.bytes], [0, false, 8], "given up");
  const root = new Uint32Array(2);
  tree.rootInto(root, 0);
  const wanted = modelSum(digestsOf(key, entries), 0, 0xffffffff);
  check.equal(root.join(), wanted, "its root");
}

function ranges(check: Check): void {
  for (let bits = 0; bits <= 16; bits++) {
    for (const partition of [0, 2 ** bits >> 1, 2 ** bits - 1]) {
      const tree = new MerkleTree(bits, partition, key);
      const origin = partition * 2 ** (32 - bits);
      for (let level = 0; level <= MERKLE_HEIGHT_MAX && bits + 4 * level < 32; level++) {
        const width = 2 ** (32 - bits - 4 * level);
        for (const place of [0, 1, 16 ** level - 1]) {
          const from = origin + place * width;
          const given = rangeOf(tree, firstNode(level) + place);
          if (place < 16 ** level) check.same(given, [from, from + width - 1], `${bits}, ${level}`);
        }
      }
    }
  }
}

function smallSets(check: Check): void {
  const random = new SeededRandom(SEED);
  const universe = new Universe(4, 3, 5, random, () => random.uint32() >>> 3);
  const replicas: Replica[] = [];
  for (let set = 0; set < 3 ** 4; set++) {
    const replica = new Replica(universe, key);
    for (let index = 0, rest = set; index < 4; index++, rest = Math.floor(rest / 3)) {
      replica.set(index, rest % 3);
    }
    replicas.push(replica);
  }
  for (const here of replicas) {
    for (const there of replicas) {
      const wanted = differing(here, there);
      const isEqual = here.root() === there.root();
      check.equal(isEqual, wanted.length === 0, `roots of ${here.held} and ${there.held}`);
      check.same(exchange(here, there, idle).found, wanted, `${here.held} and ${there.held}`);
    }
  }
}

function idle(): void {}

function differing(here: Replica, there: Replica): number[] {
  const indices: number[] = [];
  for (let index = 0; index < here.held.length; index++) {
    if (here.held[index] !== there.held[index]) indices.push(index);
  }
  return indices;
}

/** Two replicas that differ in up to `differences` entries, filled in different orders. */
function randomPair(random: SeededRandom): [Replica, Replica] {
  const size = random.below(random.chance(1, 10) ? 3_000 : 300);
  const universe = randomUniverse(random, size);
  const [here, there] = [new Replica(universe, key), new Replica(universe, key)];
  const filled = random.below(11);
  for (let index = 0; index < size; index++) {
    if (random.chance(filled, 10)) here.set(index, 1 + random.below(3));
  }
  for (let index = size - 1; index >= 0; index--) there.set(index, here.held[index]);
  const differences = size === 0 ? 0 : random.below(random.chance(1, 10) ? 1_001 : 10);
  for (let change = 0; change < differences; change++) {
    const side = random.chance(1, 2) ? here : there;
    side.set(random.below(size), random.below(4));
  }
  // One side loses most, now and then: trees of different heights.
  const kept = random.chance(1, 4) ? random.below(500) : size;
  for (let index = kept; index < size; index++) there.set(index, 0);
  return random.chance(1, 2) ? [here, there] : [there, here];
}

function randomPairs(check: Check): void {
  const random = new SeededRandom(SEED);
  let uneven = 0;
  for (let pair = 0; pair < PAIRS; pair++) {
    const [here, there] = randomPair(random);
    const wanted = differing(here, there);
    const seen = exchange(here, there, idle);
    const say = `SEED=${SEED} PAIRS=${PAIRS} pair ${pair}`;
    if (here.tree.height !== there.tree.height) uneven++;
    check.equal(here.root() === there.root(), wanted.length === 0, `${say}: roots`);
    check.equal(seen.found.join(), wanted.join(), `${say}: what differs`);
    check.same([seen.idleRanges, seen.idleQuestions, seen.fault], [0, 0, ""], `${say}: no idling`);
  }
  check.ok(uneven > 0, `${uneven} pairs were of different heights`);
}

function changingPairs(check: Check): void {
  const random = new SeededRandom(SEED);
  for (let pair = 0; pair < PAIRS / 2; pair++) {
    const [here, there] = randomPair(random);
    const always = new Set(differing(here, there));
    const ever = new Set(always);
    const changedBy = new Map<number, Replica>();
    const change = (): void => {
      for (let count = random.below(random.chance(1, 5) ? 400 : 4); count > 0; count--) {
        if (here.held.length === 0) return;
        const index = random.below(here.held.length);
        const side = random.chance(1, 2) ? here : there;
        side.set(index, random.below(4));
        // Once both have moved, one may have held at one moment what the other holds at another.
        const isOne = (changedBy.get(index) ?? side) === side;
        changedBy.set(index, side);
        if (!isOne || here.held[index] === there.held[index]) always.delete(index);
        if (here.held[index] !== there.held[index]) ever.add(index);
      }
    };
    const seen = exchange(here, there, change);
    const found = new Set(seen.found);
    const say = `SEED=${SEED} PAIRS=${PAIRS} pair ${pair}`;
    const missed = [...always].filter((index) => !found.has(index));
    const invented = seen.found.filter((index) => !ever.has(index));
    check.same([missed, invented, seen.fault], [[], [], ""], say);
    check.same(exchange(here, there, idle).found, differing(here, there), `${say}: afterwards`);
  }
}

function onTheWire(check: Check): void {
  const random = new SeededRandom(SEED);
  const universe = new Universe(300_000, 10, 1_023, random, () => random.uint32() >>> 10);
  const [here, there] = [new Replica(universe, key), new Replica(universe, key)];
  for (let index = 0; index < universe.size; index++) {
    here.set(index, 1);
    there.set(index, 1);
  }
  check.equal(here.tree.height, 4, "levels below the root");
  check.ok(here.tree.bytes < 2.2 * universe.size, `${here.tree.bytes} bytes of nodes`);
  const equal = exchange(here, there, idle);
  check.same([equal.bytes, equal.rounds, equal.ranges], [8, 0, 0], "an equal pair");
  for (let round = 0; round < 50; round++) {
    const index = random.below(universe.size);
    there.set(index, 2);
    const seen = exchange(here, there, idle);
    check.same([seen.found, seen.ranges, seen.rounds], [[index], 1, 4], "one is found");
    check.ok(seen.bytes <= 4096, `${seen.bytes} bytes for one difference`);
    there.set(index, 1);
  }
}

function badMessages(check: Check): void {
  const random = new SeededRandom(SEED);
  const universe = new Universe(2_000, 4, 9, random, () => random.uint32() >>> 4);
  const [here, there] = [new Replica(universe, key), new Replica(universe, key)];
  for (let index = 0; index < universe.size; index++) {
    here.set(index, 1);
    there.set(index, random.chance(1, 40) ? 2 : 1);
  }
  const question = new Uint8Array(MERKLE_QUESTION_BYTES_MAX + 4);
  const answer = new Uint8Array(MERKLE_ANSWER_BYTES_MAX);
  const descent = new MerkleDescent();
  descent.begin();
  const range = new Uint32Array(2);
  let ranges = 0;
  check.equal(descent.take(here.tree, answer, 0, 1), false, "an answer before any question");
  for (;;) {
    while (descent.nextRangeInto(here.tree, range, 0)) ranges++;
    const asked = descent.questionInto(question, 0);
    if (asked === 0) break;
    const first = question.slice(0, asked);
    // What is found already may be handed out while the answer is on its way.
    if (descent.nextRangeInto(here.tree, range, 0)) ranges++;
    check.equal(descent.questionInto(question, 0), asked, "asked again");
    check.same(question.slice(0, asked), first, "the same question");
    const length = merkleAnswerInto(there.tree, question, 0, asked, answer, 0);
    for (const end of [0, 1, length - 1, length + 1].filter((end) => end !== length)) {
      check.equal(descent.take(here.tree, answer, 0, end), false, `${end} of ${length} bytes`);
    }
    answer[0] = MERKLE_HEIGHT_MAX + 1;
    check.equal(descent.take(here.tree, answer, 0, length), false, "a height that no tree has");
    answer[0] = there.tree.height;
    check.equal(descent.take(here.tree, answer, 0, length), true, "the answer at last");
    check.equal(descent.take(here.tree, answer, 0, length), false, "the answer again");
  }
  check.equal(ranges, exchange(here, there, idle).ranges, "ranges");
  for (const length of [0, 1, 3, 5, MERKLE_QUESTION_BYTES_MAX + 4]) {
    const said = merkleAnswerInto(there.tree, question, 0, length, answer, 0);
    check.equal(said, -1, `a question of ${length} bytes`);
  }
  question.fill(0xff, 0, 8);
  check.equal(merkleAnswerInto(there.tree, question, 0, 8, answer, 0), 1, "nodes that no tree has");
}

function collisions(check: Check): void {
  const [left, right] = collidingNames("key").map((bytes) => new ObjectName(bytes));
  check.same([left.position0, left.position1], [right.position0, right.position1], "one MD5");
  const roots = new Set<string>();
  const heads: readonly (readonly [number, number])[] = [[1, 2], [3, 4]];
  for (const name of [left, right]) {
    for (const [digest0, digest1] of heads) {
      const tree = new MerkleTree(0, 0, key);
      tree.add(name.position0, name.position1, name.tag, digest0, digest1);
      const root = new Uint32Array(2);
      tree.rootInto(root, 0);
      roots.add(root.join());
      // One of the two names written, then the other, with the same head.
      const other = name === left ? right : left;
      tree.add(other.position0, other.position1, other.tag, digest0, digest1);
      tree.remove(name.position0, name.position1, name.tag, digest0, digest1);
      const after = new Uint32Array(2);
      tree.rootInto(after, 0);
      check.ok(after.join() !== root.join(), "the other name in the place of one");
    }
  }
  check.equal(roots.size, 4, "two names with two heads make four trees");
}

/**
 * All names on one position, which is more than brute force can do; each name differs. Work is
 * counted: nodes summed into, entries split, nodes compared and entries listed.
 */
function craftedLeaf(check: Check): void {
  const random = new SeededRandom(SEED);
  const works: [number, number][] = [];
  for (const size of [625, 1_250, 2_500, 5_000, 10_000]) {
    const universe = new Universe(size, 10, 3, random, () => 4711);
    const [here, there] = [new Replica(universe, key), new Replica(universe, key)];
    for (let index = 0; index < size; index++) {
      here.set(index, 1);
      there.set(index, 2);
    }
    const seen = exchange(here, there, idle);
    check.equal(seen.found.length, size, `${size} names: all are found`);
    const updates = 2 * size * (MERKLE_HEIGHT_MAX + 1);
    works.push([size, updates + here.splits + there.splits + seen.work]);
  }
  const exponent = fitExponent(works);
  check.ok(exponent <= 1.6, `work grows as n^${exponent.toFixed(2)}: ${works.join("  ")}`);
}

/** The slope of log(work) over log(size), least squares. */
function fitExponent(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([size, work]) => [Math.log(size), Math.log(work)]);
  const mean = (of: number): number => logs.reduce((sum, log) => sum + log[of], 0) / logs.length;
  const [meanSize, meanWork] = [mean(0), mean(1)];
  let [over, under] = [0, 0];
  for (const [size, work] of logs) {
    over += (size - meanSize) * (work - meanWork);
    under += (size - meanSize) ** 2;
  }
  return over / under;
}

async function allocatesNothing(check: Check): Promise<void> {
  const random = new SeededRandom(SEED);
  const universe = new Universe(20_000, 10, 1_000, random, () => random.uint32() >>> 10);
  const [here, there] = [new Replica(universe, key), new Replica(universe, key)];
  for (let index = 0; index < universe.size; index++) {
    here.set(index, 1);
    there.set(index, 1);
  }
  there.set(4711, 2);
  const { tree } = here;
  // Positions as signed words: V8 would box the unsigned ones to hand them over, here in the test.
  await noHeap(check, "add and remove", (calls) => {
    for (let call = 0; call < calls; call++) {
      const position0 = 0xfa000000 | (call & 0x3fffff);
      tree.add(position0, call, call, call, call);
      tree.remove(position0, call, call, call, call);
    }
  });
  await noHeap(check, "replace", (calls) => {
    for (let call = 0; call < calls; call++) {
      const position0 = 0xfa000000 | (call & 0x3fffff);
      tree.replace(position0, call, call, call, call, call + 1, call);
      tree.replace(position0, call, call, call + 1, call, call, call);
    }
  });
  const question = new Uint8Array(MERKLE_QUESTION_BYTES_MAX);
  const answer = new Uint8Array(MERKLE_ANSWER_BYTES_MAX);
  const root = new Uint32Array(2);
  const descent = new MerkleDescent();
  let ranges = 0;
  await noHeap(check, "a descent to one difference", (calls) => {
    // Each descent calls questionInto(), take() and merkleAnswerInto() several times.
    for (let call = 0; call < calls; call += 5) {
      tree.rootInto(root, 0);
      descent.begin();
      for (;;) {
        while (descent.nextRangeInto(tree, root, 0)) ranges++;
        const asked = descent.questionInto(question, 0);
        if (asked === 0) break;
        const length = merkleAnswerInto(there.tree, question, 0, asked, answer, 0);
        descent.take(tree, answer, 0, length);
      }
    }
  });
  check.ok(ranges > 0, "differences were found");
}

async function noHeap(check: Check, name: string, run: (calls: number) => void): Promise<void> {
  const growth = await steadyHeapGrowth(run, HOT_CALLS);
  check.ok(growth <= HEAP_NOISE_BYTES, `${name}: the heap grew by ${growth} bytes`);
}
