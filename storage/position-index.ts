/**
 * The index of an engine: ring position → where the record is. Two regions of it, one magnified:
 *
 *   region 0x000 │ region 0x001 │ …        4,096 regions by the top 12 bits of the position
 *   ┌───┬───┬───┬───┬───┬───┬───┐
 *   │ a │   │ b │ c │ d │   │ e │          a < b < c < d < e by (position0, position1, tag)
 *   └───┴───┴───┴───┴───┴───┴───┘
 *
 * Open addressing with *ordered* linear probing: an entry's home slot is its position scaled to the
 * region's capacity, colliding entries move right, and the whole region stays sorted. So a range of
 * the ring is one contiguous run of slots (scan touches no other partition), a search ends at the
 * first greater entry, and a removal closes the gap by moving its followers left: no tombstones.
 *
 * A region grows alone, at a moment of its own (index-region.ts): no growth stalls longer than one
 * region takes, and an object takes 42.7 bytes, or with the trees up to 47.2, at whatever moment.
 *
 * Invariants: sorted; no entry left of its home; no empty slot between an entry and its home.
 *
 * Each partition's hash tree (core/merkle-tree) is kept up with each change, and split further, one
 * leaf a change, from the entries here: a tree is never rebuilt in one go, not even at the start.
 */

import { MerkleTree } from "../core/merkle-tree.ts";
import { partitionOf } from "../core/ring.ts";
import type { IndexEntry } from "./engine.ts";
import {
  capacityFor,
  ENTRY_DIGEST0,
  ENTRY_DIGEST1,
  ENTRY_LENGTH,
  ENTRY_OFFSET,
  ENTRY_POSITION0,
  ENTRY_POSITION1,
  ENTRY_SEGMENT,
  ENTRY_TAG,
  ENTRY_WORDS,
  firstOfBucket,
  giveBack,
  grown,
  homeSlot,
  isAt,
  isBefore,
  isOverfull,
  REGION_BITS,
  REGIONS,
  SPILL_SLOTS_MORE,
  spreadSlots,
} from "./index-region.ts";

/** Slots that one slice of a bucket's scan looks at, and the rest of the region where it ends. */
const SLICE_SLOTS = 1 << 18;
const NOTHING = new Uint32Array(0);
/** The leaf that is being split: its first position word, its last one. */
const splitRange = new Uint32Array(2);

export class PositionIndex {
  /**
   * The region of the last seek() and the first word of the entry that it found. Hot: plain fields.
   */
  words: Uint32Array;
  at: number;
  /** Told of a region whose entries are about to change; null: nobody wants to know. */
  beforeChange: ((region: number) => void) | null;
  readonly #regions: Uint32Array[];
  readonly #capacities: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #partitionBits: number;
  readonly treeKey: Int32Array;
  /** By partition; null where nothing was ever held. */
  readonly #trees: (MerkleTree | null)[];
  readonly #visited: IndexEntry;
  #count: number;
  #words: number;
  /** The key of the last seek(). */
  #position0: number;
  #position1: number;
  #tag: number;

  /**
   * @param partitionBits log2 of the number of partitions, 0 to 16
   * @param treeKey merkleKey() of what the cluster shares
   */
  constructor(partitionBits: number, treeKey: Int32Array) {
    this.words = NOTHING;
    this.at = 0;
    this.beforeChange = null;
    this.#regions = new Array<Uint32Array>(REGIONS).fill(NOTHING);
    this.#capacities = new Uint32Array(REGIONS);
    this.#counts = new Uint32Array(REGIONS);
    this.#partitionBits = partitionBits;
    this.treeKey = treeKey;
    this.#trees = new Array<MerkleTree | null>(1 << partitionBits).fill(null);
    this.#visited = { position0: 0, position1: 0, tag: 0, digest0: 0, digest1: 0 };
    this.#count = 0;
    this.#words = 0;
    this.#position0 = 0;
    this.#position1 = 0;
    this.#tag = 0;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of all slots, full and empty, and of the trees. Visits every tree. */
  get bytes(): number {
    let bytes = this.#words * 4;
    for (const tree of this.#trees) bytes += tree === null ? 0 : tree.bytes;
    return bytes;
  }

  /**
   * Finds the first entry with this key and leaves `words` and `at` on it; false where there is
   * none. The cursor is valid until the next change. Entries with one key are neighbours: see
   * next().
   */
  seek(position0: number, position1: number, tag: number): boolean {
    const region = position0 >>> (32 - REGION_BITS);
    const words = this.#regions[region];
    let at = homeSlot(this.#capacities[region], position0) * ENTRY_WORDS;
    while (at < words.length && isBefore(words, at, position0, position1, tag)) at += ENTRY_WORDS;
    this.words = words;
    this.at = at;
    this.#position0 = position0;
    this.#position1 = position1;
    this.#tag = tag;
    return at < words.length && isAt(words, at, position0, position1, tag);
  }

  /**
   * Whether the cursor is where this key belongs: it was the last to be looked for (a write looks before it
   * enters), and its region is still the same array.
   */
  #isSought(region: number, position0: number, position1: number, tag: number): boolean {
    if (this.words !== this.#regions[region]) return false;
    return this.#position0 === position0 && this.#position1 === position1 && this.#tag === tag;
  }

  /**
   * Moves the cursor to the next entry with the same key, if there is one. REQUIRES: seek() found
   * one.
   */
  next(): boolean {
    const { words, at } = this;
    const following = at + ENTRY_WORDS;
    if (following >= words.length) return false;
    if (!isAt(words, following, words[at], words[at + 1], words[at + 2])) return false;
    this.at = following;
    return true;
  }

  /** Adds an entry and leaves the cursor on it. Entries with an equal key are kept beside it. */
  insert(
    position0: number,
    position1: number,
    tag: number,
    digest0: number,
    digest1: number,
    segment: number,
    offset: number,
    length: number,
  ): void {
    const region = position0 >>> (32 - REGION_BITS);
    if (this.beforeChange !== null) this.beforeChange(region);
    if (isOverfull(this.#counts[region] + 1, this.#capacities[region])) this.#grow(region);
    if (!this.#isSought(region, position0, position1, tag)) this.seek(position0, position1, tag);
    this.#makeRoom(region);
    const { words, at } = this;
    words[at + ENTRY_POSITION0] = position0;
    words[at + ENTRY_POSITION1] = position1;
    words[at + ENTRY_TAG] = tag;
    this.#counts[region]++;
    this.#count++;
    this.#place(digest0, digest1, segment, offset, length);
    this.#addToTree(words, at);
  }

  /** Gives the entry under the cursor another digest and place. */
  replace(
    digest0: number,
    digest1: number,
    segment: number,
    offset: number,
    length: number,
  ): void {
    const { words, at } = this;
    if (this.beforeChange !== null) this.beforeChange(words[at] >>> (32 - REGION_BITS));
    const tree = this.tree(partitionOf(words[at], this.#partitionBits));
    tree.replace(
      words[at + ENTRY_POSITION0],
      words[at + ENTRY_POSITION1],
      words[at + ENTRY_TAG],
      words[at + ENTRY_DIGEST0],
      words[at + ENTRY_DIGEST1],
      digest0,
      digest1,
    );
    this.#place(digest0, digest1, segment, offset, length);
    if (tree.isGrowing) this.#splitLeaf(tree);
  }

  /** Takes the entry under the cursor out; the cursor is no longer valid. */
  remove(): void {
    const { words, at } = this;
    const region = words[at] >>> (32 - REGION_BITS);
    if (this.beforeChange !== null) this.beforeChange(region);
    this.tree(partitionOf(words[at], this.#partitionBits)).remove(
      words[at + ENTRY_POSITION0],
      words[at + ENTRY_POSITION1],
      words[at + ENTRY_TAG],
      words[at + ENTRY_DIGEST0],
      words[at + ENTRY_DIGEST1],
    );
    this.#counts[region]--;
    this.#count--;
    const end = this.#endOfMovable(region, at + ENTRY_WORDS);
    words.copyWithin(at, at + ENTRY_WORDS, end);
    words.fill(0, end - ENTRY_WORDS, end);
  }

  /** Visits entries with from ≤ position0 ≤ to in ring order; the entry object is reused. */
  scan(from: number, to: number, visit: (entry: IndexEntry) => boolean): void {
    const regionLast = to >>> (32 - REGION_BITS);
    for (let region = from >>> (32 - REGION_BITS); region <= regionLast; region++) {
      if (!this.#scanRegion(region, from, to, visit)) return;
    }
  }

  /** Of those, the ones of a bucket, in slices: see Engine.scanBucket(). */
  scanBucket(
    bucketTag: number,
    from: number,
    to: number,
    visit: (entry: IndexEntry) => boolean,
  ): number {
    const regionLast = to >>> (32 - REGION_BITS);
    let slots = 0;
    for (let region = from >>> (32 - REGION_BITS); region <= regionLast; region++) {
      if (slots >= SLICE_SLOTS) return region * 2 ** (32 - REGION_BITS);
      const words = this.#regions[region];
      let at = firstOfBucket(words, 0, bucketTag, from, to);
      while (at < words.length) {
        if (!visit(this.#show(words, at))) return words[at];
        at = firstOfBucket(words, at + ENTRY_WORDS, bucketTag, from, to);
      }
      slots += words.length / ENTRY_WORDS;
    }
    return to + 1;
  }

  /** Entries in a region. */
  countIn(region: number): number {
    return this.#counts[region];
  }

  /** Copies a region's entries to target[at..], in order and without gaps. */
  copyRegion(region: number, target: Uint32Array, at: number): void {
    const words = this.#regions[region];
    const end = at + this.#counts[region] * ENTRY_WORDS;
    for (let slot = 0; at < end; slot += ENTRY_WORDS) {
      if (words[slot + ENTRY_SEGMENT] === 0) continue;
      for (let word = 0; word < ENTRY_WORDS; word++) target[at + word] = words[slot + word];
      at += ENTRY_WORDS;
    }
  }

  /** Fills an empty region with what copyRegion() made of one. */
  fillRegion(region: number, entries: Uint32Array): void {
    const count = entries.length / ENTRY_WORDS;
    const capacity = capacityFor(region, count);
    const words = new Uint32Array(spreadSlots(entries, capacity) * ENTRY_WORDS);
    this.#capacities[region] = capacity;
    this.#counts[region] = count;
    this.#count += count;
    this.#replaceRegion(region, words);
    let next = 0;
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      const slot = Math.max(next, homeSlot(capacity, entries[at]));
      const target = slot * ENTRY_WORDS;
      for (let word = 0; word < ENTRY_WORDS; word++) words[target + word] = entries[at + word];
      next = slot + 1;
      this.#addToTree(words, target);
    }
  }

  /** Forgets all entries. */
  clear(): void {
    this.words = NOTHING;
    this.at = 0;
    this.#regions.fill(NOTHING);
    this.#capacities.fill(0);
    this.#counts.fill(0);
    this.#trees.fill(null);
    this.#count = 0;
    this.#words = 0;
  }

  /** The hash tree of a partition. */
  tree(partition: number): MerkleTree {
    const known = this.#trees[partition];
    if (known !== null) return known;
    const tree = new MerkleTree(this.#partitionBits, partition, this.treeKey);
    this.#trees[partition] = tree;
    return tree;
  }

  /** REQUIRES: the entry is in its slot, where the splitting of a leaf finds it. */
  #addToTree(words: Uint32Array, at: number): void {
    const tree = this.tree(partitionOf(words[at], this.#partitionBits));
    tree.add(
      words[at + ENTRY_POSITION0],
      words[at + ENTRY_POSITION1],
      words[at + ENTRY_TAG],
      words[at + ENTRY_DIGEST0],
      words[at + ENTRY_DIGEST1],
    );
    if (tree.isGrowing) this.#splitLeaf(tree);
  }

  /** Gives the level that a tree is adding the entries of one more leaf. */
  #splitLeaf(tree: MerkleTree): void {
    tree.splitRangeInto(splitRange, 0);
    this.scan(splitRange[0], splitRange[1], (entry) => {
      tree.split(entry.position0, entry.position1, entry.tag, entry.digest0, entry.digest1);
      return true;
    });
    tree.endSplit();
  }

  #place(
    digest0: number,
    digest1: number,
    segment: number,
    offset: number,
    length: number,
  ): void {
    const { words, at } = this;
    words[at + ENTRY_DIGEST0] = digest0;
    words[at + ENTRY_DIGEST1] = digest1;
    words[at + ENTRY_SEGMENT] = segment;
    words[at + ENTRY_OFFSET] = offset;
    words[at + ENTRY_LENGTH] = length;
  }

  /** Opens an empty slot at the cursor by moving the run of entries there one to the right. */
  #makeRoom(region: number): void {
    let { words } = this;
    let gap = this.at;
    while (gap < words.length && words[gap + ENTRY_SEGMENT] !== 0) gap += ENTRY_WORDS;
    if (gap >= words.length) {
      words = new Uint32Array(words.length + SPILL_SLOTS_MORE * ENTRY_WORDS);
      words.set(this.words);
      this.#replaceRegion(region, words);
      this.words = words;
    }
    words.copyWithin(this.at + ENTRY_WORDS, this.at, gap);
  }

  /** The end of the run from `at` on whose entries do not lie in their home slots. */
  #endOfMovable(region: number, at: number): number {
    const words = this.#regions[region];
    const capacity = this.#capacities[region];
    while (at < words.length && words[at + ENTRY_SEGMENT] !== 0) {
      if (homeSlot(capacity, words[at]) * ENTRY_WORDS === at) break;
      at += ENTRY_WORDS;
    }
    return at;
  }

  #grow(region: number): void {
    const source = this.#regions[region];
    const capacity = capacityFor(region, this.#counts[region] + 1);
    this.#capacities[region] = capacity;
    this.#replaceRegion(region, grown(source, capacity));
  }

  #replaceRegion(region: number, words: Uint32Array): void {
    const before = this.#regions[region];
    this.#words += words.length - before.length;
    this.#regions[region] = words;
    giveBack(before);
  }

  #scanRegion(
    region: number,
    from: number,
    to: number,
    visit: (entry: IndexEntry) => boolean,
  ): boolean {
    const words = this.#regions[region];
    const startsInside = from >>> (32 - REGION_BITS) === region;
    let at = startsInside ? homeSlot(this.#capacities[region], from) * ENTRY_WORDS : 0;
    for (; at < words.length; at += ENTRY_WORDS) {
      if (words[at + ENTRY_SEGMENT] === 0 || words[at] < from) continue;
      if (words[at] > to) return true;
      if (!visit(this.#show(words, at))) return false;
    }
    return true;
  }

  #show(words: Uint32Array, at: number): IndexEntry {
    const entry = this.#visited;
    entry.position0 = words[at + ENTRY_POSITION0];
    entry.position1 = words[at + ENTRY_POSITION1];
    entry.tag = words[at + ENTRY_TAG];
    entry.digest0 = words[at + ENTRY_DIGEST0];
    entry.digest1 = words[at + ENTRY_DIGEST1];
    return entry;
  }
}
