/**
 * Where do two trees differ? One side asks, the other answers; between them there may be a wire.
 *
 *   asker                                          answerer
 *   the roots differ          ── node 0 ────────►
 *                             ◄─ height, children of 0 ──
 *   2 and 9 differ            ── nodes 2, 9 ────►
 *                             ◄─ height, children of 2, of 9 ──
 *   leaf 37 differs: its range is for the caller, who compares the entries in it
 *
 *   question   1 to 32 nodes, u32 each
 *   answer     u8 height of the answerer's tree, then 16 × 8 bytes for each node that has children
 *              there; little-endian, as all that is packed
 *
 * The asker keeps what is still to be looked at on a stack, in ring order, the next on top; a
 * question takes as many as it may from there. So the stack stays short however much differs, and
 * the descent can rest between any two calls.
 *
 *   stack   ~37 │ 40 │ 9 │          ~n: a range to hand out; n: a node whose children are wanted
 *
 * Both trees may change at any moment, in height as well; neither side remembers what it said.
 * INVARIANT: an entry of which neither side, from begin() to the end, ever held what the other did
 * lies in a range that is handed out, but once in 2^64: whenever a node above it is compared, the
 * sets below it differ. The two sums are of two moments, though: what changes on both sides
 * meanwhile may show or not, and the next comparison sees it.
 */

import { readU32, writeU32 } from "./bytes.ts";
import {
  MERKLE_CHILDREN_BYTES,
  MERKLE_FANOUT,
  MERKLE_HEIGHT_MAX,
  MERKLE_NODE_BYTES,
  type MerkleTree,
  firstNode,
} from "./merkle-tree.ts";

/** Nodes in a question. */
const NODES_MAX = 32;
const QUESTION_NODE_BYTES = 4;
export const MERKLE_QUESTION_BYTES_MAX = NODES_MAX * QUESTION_NODE_BYTES;
export const MERKLE_ANSWER_BYTES_MAX = 1 + NODES_MAX * MERKLE_CHILDREN_BYTES;
/**
 * Deeper nodes lie above shallower ones, and a level is filled again only once it is empty: at most
 * the children of one question for each level.
 */
const STACK_MAX = NODES_MAX * MERKLE_FANOUT * MERKLE_HEIGHT_MAX + 1;

/** The asking side of one comparison at a time; it may be used for the next. */
export class MerkleDescent {
  readonly #stack: Int32Array;
  #size: number;
  /** The nodes of the last question, until its answer is taken. */
  readonly #asked: Int32Array;
  #askedCount: number;

  constructor() {
    this.#stack = new Int32Array(STACK_MAX);
    this.#size = 0;
    this.#asked = new Int32Array(NODES_MAX);
    this.#askedCount = 0;
  }

  /** Begins with two trees whose roots differ. */
  begin(): void {
    this.#size = 0;
    this.#askedCount = 0;
    this.#push(0);
  }

  /**
   * Writes the next range in which the trees differ to target[targetIndex..] (first position words,
   * the last one inclusive); false where there is none until more is answered. Ranges come in ring
   * order and do not overlap.
   * @hot
   */
  nextRangeInto(tree: MerkleTree, target: Uint32Array, targetIndex: number): boolean {
    if (this.#size === 0 || this.#stack[this.#size - 1] >= 0) return false;
    this.#size--;
    tree.nodeRangeInto(~this.#stack[this.#size], target, targetIndex);
    return true;
  }

  /**
   * Packs the question that goes on from here, or the last one again while it is not answered.
   * REQUIRES: nextRangeInto() has answered false.
   * @hot
   * @returns bytes written, at most MERKLE_QUESTION_BYTES_MAX; 0: nothing is left to ask
   */
  questionInto(target: Uint8Array, targetOffset: number): number {
    if (this.#askedCount === 0) this.#takeFromStack();
    for (let index = 0; index < this.#askedCount; index++) {
      writeU32(target, targetOffset + QUESTION_NODE_BYTES * index, this.#asked[index]);
    }
    return QUESTION_NODE_BYTES * this.#askedCount;
  }

  #takeFromStack(): void {
    while (this.#askedCount < NODES_MAX && this.#size > 0 && this.#stack[this.#size - 1] >= 0) {
      this.#asked[this.#askedCount++] = this.#stack[--this.#size];
    }
  }

  /**
   * Compares the answer to the last question with this side's tree. False: it is malformed, and
   * nothing was made of it; the question may be put again.
   * REQUIRES: it answers that question and no earlier one
   * @hot
   */
  take(tree: MerkleTree, answer: Uint8Array, start: number, end: number): boolean {
    if (this.#askedCount === 0 || end <= start || answer[start] > MERKLE_HEIGHT_MAX) return false;
    const firstLeafThere = firstNode(answer[start]);
    let offset = start + 1 + MERKLE_CHILDREN_BYTES * this.#askedAbove(firstLeafThere);
    if (offset !== end) return false;
    // Backwards, so that what comes first on the ring comes to lie on top.
    while (this.#askedCount > 0) {
      const node = this.#asked[--this.#askedCount];
      if (node < firstLeafThere) offset -= MERKLE_CHILDREN_BYTES;
      if (node < firstLeafThere && tree.hasChildren(node)) {
        this.#pushDiffering(tree, node, firstLeafThere, answer, offset);
      } else this.#push(~node);
    }
    return true;
  }

  #askedAbove(firstLeaf: number): number {
    let count = 0;
    for (let index = 0; index < this.#askedCount; index++) {
      if (this.#asked[index] < firstLeaf) count++;
    }
    return count;
  }

  #pushDiffering(
    tree: MerkleTree,
    node: number,
    firstLeafThere: number,
    answer: Uint8Array,
    offset: number,
  ): void {
    for (let place = MERKLE_FANOUT - 1; place >= 0; place--) {
      const child = MERKLE_FANOUT * node + 1 + place;
      if (tree.nodeEquals(child, answer, offset + MERKLE_NODE_BYTES * place)) continue;
      this.#push(child < firstLeafThere && tree.hasChildren(child) ? child : ~child);
    }
  }

  #push(item: number): void {
    this.#stack[this.#size++] = item;
  }
}

/**
 * The answering side: packs the answer to question[start, end).
 * @hot
 * @returns bytes written, at most MERKLE_ANSWER_BYTES_MAX; -1 where that is no question
 */
export function merkleAnswerInto(
  tree: MerkleTree,
  question: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  targetOffset: number,
): number {
  const length = end - start;
  if (length < 1 || length > MERKLE_QUESTION_BYTES_MAX || length % QUESTION_NODE_BYTES !== 0) {
    return -1;
  }
  target[targetOffset] = tree.height;
  let offset = targetOffset + 1;
  for (let at = start; at < end; at += QUESTION_NODE_BYTES) {
    const node = readU32(question, at);
    if (!tree.hasChildren(node)) continue;
    tree.childrenInto(node, target, offset);
    offset += MERKLE_CHILDREN_BYTES;
  }
  return offset - targetOffset;
}
