/**
 * The hash tree of one partition (paper 4.7): what two replicas compare to find where they differ
 * without looking at what they hold.
 *
 *   level 0               root                  the whole partition
 *                ┌─────────┼─── … ───┐
 *   level 1      1         2         16         a sixteenth each, by 4 more bits of the position
 *             ┌──┼─ … ┐
 *   level 2   17 18   32   …                    node n has the children 16 n + 1 … 16 n + 16
 *
 * A node is the sum of the digests of all entries below it (core/merkle-digest: keyed, 64 bits), so
 * it is also the sum of its children. A write adds to one node a level the difference of new and
 * old digest and reads no other: O(levels), at most six. What else follows from sums:
 *
 *   any two trees compare   a node says the same whatever lies below it, so trees of different
 *                           heights agree on the levels that both have
 *   trees grow downwards    a level is added below, the levels above stay as they are; the new one
 *                           is filled from the index, leaf by leaf, between other writes
 *   no history              equal sets have equal trees, in whatever order they came to be
 *
 * What is lost against hashing the children's digests together: the root is only as strong as one
 * sum. Differences below a node can cancel, and then it is silent. By accident that happens once in
 * 2^64; on purpose it needs the key.
 *
 * INVARIANTS
 *   each node of levels 0 … height is the sum of what the owner added below it and did not remove
 *   while a level is added, those of its nodes that lie below split leaves are such sums as well
 *   the owner adds each entry once, and removes only what it added
 *
 * Size: 8 bytes a node, (16^(height+1) - 1) / 15 nodes; 64 objects a leaf on average before a level
 * is added and 4 after it: 0.13 to 2.2 bytes an object. An empty tree has no nodes: 123 bytes.
 * A write of one of a million objects costs 34 ns, two thirds of it for the digests of both heads;
 * finding one difference among them 0.45 µs (bench/core/merkle.ts, Bun 1.4.5, 2026-11).
 */

import { readU32, writeU32 } from "./bytes.ts";
import { addHead, mixName } from "./merkle-digest.ts";

/** Children of a node, the bits of a position that choose among them, and a node's bytes packed. */
export const MERKLE_FANOUT = 16;
const FANOUT_BITS = 4;
export const MERKLE_NODE_BYTES = 8;
/** The children of one node, packed. */
export const MERKLE_CHILDREN_BYTES = MERKLE_FANOUT * MERKLE_NODE_BYTES;
/** Levels below the root: a million leaves. Beyond 64 million objects leaves hold more of them. */
export const MERKLE_HEIGHT_MAX = 5;
/** A level is added beyond so many entries a leaf on average … */
const LEAF_ENTRIES_MAX = 64;
/** … and dropped below so many: far from what a leaf has after growing, so that none flutters. */
const LEAF_ENTRIES_MIN = 2;

/** The nodes of a tree that nothing was added to. Never written: the first write replaces it. */
const NO_NODES = new Int32Array(2);
/** What the update at work adds to each node on its path. */
const change = new Int32Array(2);

export class MerkleTree {
  readonly #key: Int32Array;
  readonly #partitionBits: number;
  /** The first position word of the partition's first position, signed. */
  readonly #origin: number;
  readonly #heightMax: number;
  /** Two words a node, by node number; a level that is being added included. */
  #nodes: Int32Array;
  #height: number;
  #count: number;
  #isGrowing: boolean;
  /** While a level is added: the leaf that is split next; all before it are. Else 0: none is. */
  #unsplit: number;

  /**
   * @param partitionBits log2 of the number of partitions, 0 to 16
   * @param partition 0 to 2^partitionBits - 1
   * @param key merkleKey(); all replicas have the same
   */
  constructor(partitionBits: number, partition: number, key: Int32Array) {
    this.#key = key;
    this.#partitionBits = partitionBits;
    this.#origin = partition << (32 - partitionBits);
    // A leaf spans two first words at least, so that no shift is by 32.
    this.#heightMax = Math.min(MERKLE_HEIGHT_MAX, (31 - partitionBits) >> 2);
    this.#nodes = NO_NODES;
    this.#height = 0;
    this.#count = 0;
    this.#isGrowing = false;
    this.#unsplit = 0;
  }

  /** Entries in it. */
  get count(): number {
    return this.#count;
  }

  /** Levels below the root that are whole. */
  get height(): number {
    return this.#height;
  }

  /** Bytes of the nodes. */
  get bytes(): number {
    return this.#nodes === NO_NODES ? 0 : this.#nodes.byteLength;
  }

  /**
   * Adds an entry. REQUIRES: it is not in the tree (there may be others with its position and tag).
   * ENSURES: nothing is allocated unless a level is added. The owner should then look at isGrowing.
   * @hot
   */
  add(
    position0: number,
    position1: number,
    tag: number,
    digest0: number,
    digest1: number,
  ): void {
    this.#count++;
    if (this.#nodes === NO_NODES) this.#plant();
    change[0] = 0;
    change[1] = 0;
    mixName(this.#key, position0, position1, tag);
    addHead(digest0, digest1, 1, change);
    this.#apply(position0);
    if (this.#count > LEAF_ENTRIES_MAX << (FANOUT_BITS * this.#height)) this.#beginGrowth();
  }

  /** Takes an entry out. REQUIRES: it is in the tree. @hot */
  remove(
    position0: number,
    position1: number,
    tag: number,
    digest0: number,
    digest1: number,
  ): void {
    this.#count--;
    change[0] = 0;
    change[1] = 0;
    mixName(this.#key, position0, position1, tag);
    addHead(digest0, digest1, -1, change);
    this.#apply(position0);
    const depth = this.#isGrowing ? this.#height + 1 : this.#height;
    const countMin = LEAF_ENTRIES_MIN << (FANOUT_BITS * depth);
    if (depth > 0 && this.#count < countMin) this.#dropLevel(depth);
  }

  /** Gives an entry another head. REQUIRES: it is in the tree with the old one. @hot */
  replace(
    position0: number,
    position1: number,
    tag: number,
    oldDigest0: number,
    oldDigest1: number,
    digest0: number,
    digest1: number,
  ): void {
    change[0] = 0;
    change[1] = 0;
    mixName(this.#key, position0, position1, tag);
    addHead(oldDigest0, oldDigest1, -1, change);
    addHead(digest0, digest1, 1, change);
    this.#apply(position0);
  }

  /**
   * Whether a level is being added. It becomes whole when the owner has given it all entries, one
   * old leaf after the other, between any writes:
   *
   *   splitRangeInto(range)    for each entry in the range: split(entry)    endSplit()
   *
   * Once after each write is enough: growth then ends before the tree has a 64th more entries.
   */
  get isGrowing(): boolean {
    return this.#isGrowing;
  }

  /** The range of the leaf to be split next, as nodeRangeInto(). REQUIRES: isGrowing */
  splitRangeInto(target: Uint32Array, targetIndex: number): void {
    this.nodeRangeInto(this.#unsplit, target, targetIndex);
  }

  /** Gives one entry of the leaf to the level that is being added. */
  split(
    position0: number,
    position1: number,
    tag: number,
    digest0: number,
    digest1: number,
  ): void {
    change[0] = 0;
    change[1] = 0;
    mixName(this.#key, position0, position1, tag);
    addHead(digest0, digest1, 1, change);
    let node = 0;
    let path = position0 << this.#partitionBits;
    for (let level = 0; level <= this.#height; level++) {
      node = 16 * node + 1 + (path >>> 28);
      path <<= FANOUT_BITS;
    }
    this.#addTo(node);
  }

  /** The leaf has been split. */
  endSplit(): void {
    this.#unsplit++;
    if (this.#unsplit < firstNode(this.#height + 1)) return;
    this.#height++;
    this.#isGrowing = false;
    this.#unsplit = 0;
  }

  /** Writes the root's two words to target[targetIndex..], unsigned. @hot */
  rootInto(target: Uint32Array, targetIndex: number): void {
    target[targetIndex] = this.#nodes[0];
    target[targetIndex + 1] = this.#nodes[1];
  }

  /** Whether a node is there and has children. @param node any number, also one from a peer @hot */
  hasChildren(node: number): boolean {
    return node < firstNode(this.#height);
  }

  /**
   * Packs a node's children, MERKLE_CHILDREN_BYTES little-endian bytes. REQUIRES: hasChildren(node)
   * @hot
   */
  childrenInto(node: number, target: Uint8Array, targetOffset: number): void {
    const first = 2 * (16 * node + 1);
    for (let word = 0; word < 2 * MERKLE_FANOUT; word++) {
      writeU32(target, targetOffset + 4 * word, this.#nodes[first + word]);
    }
  }

  /** Whether a node equals a packed one at source[sourceOffset..]. REQUIRES: it is there. @hot */
  nodeEquals(node: number, source: Uint8Array, sourceOffset: number): boolean {
    return (
      this.#nodes[2 * node] === (readU32(source, sourceOffset) | 0) &&
      this.#nodes[2 * node + 1] === (readU32(source, sourceOffset + 4) | 0)
    );
  }

  /**
   * Writes what lies below a node as first position words: the first one to target[targetIndex],
   * the last one, inclusive, behind it.
   * @hot
   */
  nodeRangeInto(node: number, target: Uint32Array, targetIndex: number): void {
    const level = levelOf(node);
    const bits = this.#partitionBits + FANOUT_BITS * level;
    // Shifts of 32 count as 0 here: the root of a ring of one partition, whose place is 0 anyway.
    const from = this.#origin | ((node - firstNode(level)) << (32 - bits));
    target[targetIndex] = from;
    target[targetIndex + 1] = from | (0xffffffff >>> bits);
  }

  /** Adds `change` to each node on the path to a position. */
  #apply(position0: number): void {
    const height = this.#height;
    let node = 0;
    let path = position0 << this.#partitionBits;
    for (let level = 0; level < height; level++) {
      this.#addTo(node);
      node = 16 * node + 1 + (path >>> 28);
      path <<= FANOUT_BITS;
    }
    this.#addTo(node);
    if (node < this.#unsplit) this.#addTo(16 * node + 1 + (path >>> 28));
  }

  #addTo(node: number): void {
    this.#nodes[2 * node] += change[0];
    this.#nodes[2 * node + 1] += change[1];
  }

  #plant(): void {
    this.#nodes = new Int32Array(2);
  }

  #beginGrowth(): void {
    if (this.#isGrowing || this.#height === this.#heightMax) return;
    const nodes = new Int32Array(2 * firstNode(this.#height + 2));
    nodes.set(this.#nodes);
    this.#nodes = nodes;
    this.#isGrowing = true;
    this.#unsplit = firstNode(this.#height);
  }

  /** Drops the lowest level, or the one that is being added. */
  #dropLevel(depth: number): void {
    this.#nodes = this.#nodes.slice(0, 2 * firstNode(depth));
    this.#height = depth - 1;
    this.#isGrowing = false;
    this.#unsplit = 0;
  }
}

/** The number of a level's first node: that of all nodes above it. */
export function firstNode(level: number): number {
  return ((1 << (FANOUT_BITS * level)) - 1) / 15;
}

/** The level of a node. */
export function levelOf(node: number): number {
  let level = 0;
  let next = 1;
  while (node >= next) {
    next = 16 * next + 1;
    level++;
  }
  return level;
}
