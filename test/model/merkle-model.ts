/**
 * Merkle trees without a trick: entries in a list, each node summed anew from all of them; and two
 * replicas over one universe of entries, whose differences can be told by looking.
 */

import { readU32 } from "../../core/bytes.ts";
import { MerkleDescent, merkleAnswerInto } from "../../core/merkle-descent.ts";
import { MERKLE_ANSWER_BYTES_MAX, MERKLE_QUESTION_BYTES_MAX } from "../../core/merkle-descent.ts";
import { MerkleTree } from "../../core/merkle-tree.ts";
import type { SeededRandom } from "../random.ts";

export interface Entry {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
  readonly digest0: number;
  readonly digest1: number;
}

const rotated = (word: number, by: number): number => ((word << by) | (word >>> (32 - by))) >>> 0;
const sum = (left: number, right: number): number => (left + right) % 2 ** 32;
const xor = (left: number, right: number): number => (left ^ right) >>> 0;

/** The digest of an entry, as the head comment of core/merkle-digest defines it. */
export function modelDigest(key: Int32Array, entry: Entry): [number, number] {
  let v = [...Uint32Array.from(key)];
  const round = (): void => {
    let [v0, v1, v2, v3] = v;
    v0 = sum(v0, v1);
    v1 = xor(rotated(v1, 5), v0);
    v0 = rotated(v0, 16);
    v2 = sum(v2, v3);
    v3 = xor(rotated(v3, 8), v2);
    v0 = sum(v0, v3);
    v3 = xor(rotated(v3, 7), v0);
    v2 = sum(v2, v1);
    v1 = xor(rotated(v1, 13), v2);
    v2 = rotated(v2, 16);
    v = [v0, v1, v2, v3];
  };
  const { position0, position1, tag, digest0, digest1 } = entry;
  for (const word of [position0, position1, tag, digest0, digest1]) {
    v[3] = xor(v[3], word);
    round();
    v[0] = xor(v[0], word);
  }
  v[2] = xor(v[2], 0xff);
  for (let count = 0; count < 4; count++) round();
  return [xor(v[0], v[2]), xor(v[1], v[3])];
}

/** A position and the digest of what lies there. */
export type Digested = readonly [position0: number, digest: readonly [number, number]];

export function digestsOf(key: Int32Array, entries: readonly Entry[]): Digested[] {
  return entries.map((entry) => [entry.position0, modelDigest(key, entry)]);
}

/** The sum of the digests with from ≤ position0 ≤ to. */
export function modelSum(entries: readonly Digested[], from: number, to: number): string {
  let [word0, word1] = [0, 0];
  for (const [position0, digest] of entries) {
    if (position0 < from || position0 > to) continue;
    word0 = sum(word0, digest[0]);
    word1 = sum(word1, digest[1]);
  }
  return `${word0},${word1}`;
}

/** Words of an entry in a universe. */
const WORDS = 3;

/** All entries that the replicas of a test may hold, in ring order, packed. */
export class Universe {
  readonly size: number;
  readonly partitionBits: number;
  readonly partition: number;
  readonly #words: Uint32Array;

  /** @param draw a position within the partition, 0 to 2^(32 - partitionBits) - 1 */
  constructor(
    size: number,
    partitionBits: number,
    partition: number,
    random: SeededRandom,
    draw: () => number,
  ) {
    this.size = size;
    this.partitionBits = partitionBits;
    this.partition = partition;
    const origin = partition * 2 ** (32 - partitionBits);
    const positions = Uint32Array.from({ length: size }, () => origin + draw()).sort();
    this.#words = new Uint32Array(size * WORDS);
    for (let index = 0; index < size; index++) {
      this.#words[index * WORDS] = positions[index];
      this.#words[index * WORDS + 1] = random.uint32();
      this.#words[index * WORDS + 2] = random.uint32();
    }
  }

  position0(index: number): number {
    return this.#words[index * WORDS];
  }

  position1(index: number): number {
    return this.#words[index * WORDS + 1];
  }

  tag(index: number): number {
    return this.#words[index * WORDS + 2];
  }

  /** The first entry at or behind a position. */
  indexOf(position0: number): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.position0(middle) < position0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Head digests of the versions of an entry: small numbers, as an attacker would have them. */
const digest0 = (version: number): number => version;
const digest1 = (version: number): number => version * 7;

/** A range at work: first position word, last one. */
const range = new Uint32Array(2);

/** One replica of a universe: which version it holds of each entry (0: none), and the tree. */
export class Replica {
  readonly universe: Universe;
  readonly held: Uint8Array;
  readonly tree: MerkleTree;
  /** Entries given to split(), for counting what growth costs. */
  splits: number;

  constructor(universe: Universe, key: Int32Array) {
    this.universe = universe;
    this.held = new Uint8Array(universe.size);
    this.tree = new MerkleTree(universe.partitionBits, universe.partition, key);
    this.splits = 0;
  }

  /** Holds another version from now on, and does a step of growth, as an owner should. */
  set(index: number, version: number): void {
    this.setOnly(index, version);
    this.step();
  }

  /** Holds another version from now on. */
  setOnly(index: number, version: number): void {
    const before = this.held[index];
    const { universe, tree } = this;
    const [position0, position1] = [universe.position0(index), universe.position1(index)];
    const tag = universe.tag(index);
    this.held[index] = version;
    if (before === 0 && version !== 0) {
      tree.add(position0, position1, tag, digest0(version), digest1(version));
    } else if (version === 0 && before !== 0) {
      tree.remove(position0, position1, tag, digest0(before), digest1(before));
    } else if (version !== before) {
      const [old0, old1] = [digest0(before), digest1(before)];
      tree.replace(position0, position1, tag, old0, old1, digest0(version), digest1(version));
    }
  }

  /** One step of growth. */
  step(): void {
    const { universe, tree } = this;
    if (!tree.isGrowing) return;
    tree.splitRangeInto(range, 0);
    let index = universe.indexOf(range[0]);
    for (; index < universe.size && universe.position0(index) <= range[1]; index++) {
      const version = this.held[index];
      if (version === 0) continue;
      const [position0, position1] = [universe.position0(index), universe.position1(index)];
      tree.split(position0, position1, universe.tag(index), digest0(version), digest1(version));
      this.splits++;
    }
    tree.endSplit();
  }

  root(): string {
    const words = new Uint32Array(2);
    this.tree.rootInto(words, 0);
    return words.join();
  }

  entries(): Entry[] {
    const { universe, held } = this;
    const entries: Entry[] = [];
    for (let index = 0; index < universe.size; index++) {
      if (held[index] === 0) continue;
      entries.push({
        position0: universe.position0(index),
        position1: universe.position1(index),
        tag: universe.tag(index),
        digest0: digest0(held[index]),
        digest1: digest1(held[index]),
      });
    }
    return entries;
  }
}

/** What an exchange between two replicas found and what it took. */
export interface Exchange {
  /** Entries of the universe in which the two differ, in order. */
  readonly found: number[];
  /** Ranges that were handed out, and those of them without any difference. */
  ranges: number;
  idleRanges: number;
  rounds: number;
  /** Nodes asked for below the root whose children one side does not have. */
  idleQuestions: number;
  /** Bytes of roots, questions, answers, and listings at 20 bytes an entry. */
  bytes: number;
  /** Nodes compared and entries listed: what it computed. */
  work: number;
  /** What was wrong with the order of the ranges, or with a message. */
  fault: string;
}

const question = new Uint8Array(MERKLE_QUESTION_BYTES_MAX);
const answer = new Uint8Array(MERKLE_ANSWER_BYTES_MAX);
const LISTED_BYTES = 20;
const ROOT_BYTES = 8;

/** A whole exchange; `meanwhile` runs wherever a message would be on its way. */
export function exchange(here: Replica, there: Replica, meanwhile: () => void): Exchange {
  const found: number[] = [];
  const seen: Exchange = {
    found,
    ranges: 0,
    idleRanges: 0,
    rounds: 0,
    idleQuestions: 0,
    bytes: ROOT_BYTES,
    work: 1,
    fault: "",
  };
  if (here.root() === there.root()) return seen;
  const descent = new MerkleDescent();
  descent.begin();
  let behind = -1;
  for (;;) {
    while (descent.nextRangeInto(here.tree, range, 0)) {
      const [from, to] = range;
      if (from <= behind || to < from) seen.fault = "ranges overlap or go back";
      behind = to;
      list(here, there, from, to, seen);
    }
    const asked = descent.questionInto(question, 0);
    if (asked === 0) return seen;
    const below = seen.rounds > 0;
    for (let at = 0; below && at < asked; at += 4) {
      if (!here.tree.hasChildren(readU32(question, at))) seen.idleQuestions++;
    }
    meanwhile();
    const length = merkleAnswerInto(there.tree, question, 0, asked, answer, 0);
    meanwhile();
    if (!descent.take(here.tree, answer, 0, length)) seen.fault = "an answer was refused";
    seen.rounds++;
    if (below) seen.idleQuestions += asked / 4 - (length - 1) / 128;
    seen.bytes += asked + length;
    seen.work += (length - 1) / 8;
  }
}

function list(here: Replica, there: Replica, from: number, to: number, seen: Exchange): void {
  const { universe } = here;
  const before = seen.found.length;
  for (
    let index = universe.indexOf(from);
    index < universe.size && universe.position0(index) <= to;
    index++
  ) {
    if (there.held[index] !== 0) seen.bytes += LISTED_BYTES;
    if (here.held[index] + there.held[index] !== 0) seen.work++;
    if (here.held[index] !== there.held[index]) seen.found.push(index);
  }
  seen.ranges++;
  if (seen.found.length === before) seen.idleRanges++;
}
