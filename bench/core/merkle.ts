/**
 * What does a write cost the hash tree of a partition, and what does a comparison cost?
 *
 * Two replicas hold a million objects of one partition: the trees have 65,536 leaves of some 15
 * objects. A write gives an object another head, or adds and removes one. A comparison reads both
 * roots and, where they differ, descends to the ranges that do, questions and answers packed as for
 * the wire. Reference: the tree as one would write it, sixteen children a node, plain objects and
 * MD5 of node:crypto in hexadecimal, a leaf over the digests of its objects.
 */

import { createHash } from "node:crypto";
import {
  MERKLE_ANSWER_BYTES_MAX,
  MERKLE_QUESTION_BYTES_MAX,
  MerkleDescent,
  merkleAnswerInto,
} from "../../core/merkle-descent.ts";
import { merkleKey } from "../../core/merkle-digest.ts";
import type { MerkleTree } from "../../core/merkle-tree.ts";
import { Replica, Universe } from "../../test/model/merkle-model.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep } from "../question.ts";

const OBJECTS = 1_000_000;
const PARTITION_BITS = 10;
const PARTITION = 11;
/**
 * Of the reference: a sixteenth of what ours has, which is in its favour; more of its objects would
 * fill the heap and hide what the others allocate.
 */
const LEAVES = 4_096;

const random = new SeededRandom(1);
const draw = (): number => random.uint32() >>> PARTITION_BITS;
const universe = new Universe(OBJECTS, PARTITION_BITS, PARTITION, random, draw);
const key = merkleKey(new Uint8Array(16));
const here = filled();
const same = filled();
const one = filled(4711);
const thousand = filled(...Array.from({ length: 1_000 }, () => random.below(OBJECTS)));

function filled(...different: number[]): Replica {
  const replica = new Replica(universe, key);
  for (let index = 0; index < OBJECTS; index++) replica.set(index, 1);
  for (const index of different) replica.set(index, 2);
  return replica;
}

// What is written: places all over the partition, ready to be handed over.
const PLACES = 4096;
const places = Int32Array.from({ length: PLACES }, () => universe.position0(random.below(OBJECTS)));
let next = 0;
let version = 0;

function replaceOne(): void {
  next = (next + 1) & (PLACES - 1);
  here.tree.replace(places[next], next, next, version, version, version + 1, version + 1);
  version++;
}

function addAndRemove(): void {
  next = (next + 1) & (PLACES - 1);
  here.tree.add(places[next], next, next, 1, 1);
  here.tree.remove(places[next], next, next, 1, 1);
}

const question = new Uint8Array(MERKLE_QUESTION_BYTES_MAX);
const answer = new Uint8Array(MERKLE_ANSWER_BYTES_MAX);
const words = new Uint32Array(4);
const descent = new MerkleDescent();

/** Ranges in which two trees differ. */
function compare(left: MerkleTree, right: MerkleTree): number {
  left.rootInto(words, 0);
  right.rootInto(words, 2);
  if (words[0] === words[2] && words[1] === words[3]) return 0;
  let ranges = 0;
  descent.begin();
  for (;;) {
    while (descent.nextRangeInto(left, words, 0)) ranges++;
    const asked = descent.questionInto(question, 0);
    if (asked === 0) return ranges;
    descent.take(left, answer, 0, merkleAnswerInto(right, question, 0, asked, answer, 0));
  }
}

interface PlainNode {
  hash: string;
  readonly parent: PlainNode | null;
  readonly children: PlainNode[];
  readonly digests: string[];
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const plainLeaves: PlainNode[] = [];
const plain = plainTree(null, LEAVES);
plainTree(null, LEAVES);
const leavesWritten = plainLeaves.splice(LEAVES);
const plainOne = plainTree(null, LEAVES);
plainWrite(plainLeaves[LEAVES + 471], 1);

function plainTree(parent: PlainNode | null, leaves: number): PlainNode {
  const node: PlainNode = { hash: "", parent, children: [], digests: [] };
  if (leaves > 1) {
    for (let place = 0; place < 16; place++) node.children.push(plainTree(node, leaves / 16));
  } else {
    // Digests need not be right for what is measured.
    for (let place = 0; place < 15; place++) node.digests.push("0123456789abcdef0123456789abcdef");
    plainLeaves.push(node);
  }
  node.hash = md5(textOf(node));
  return node;
}

function textOf({ children, digests }: PlainNode): string {
  return digests.concat(children.map(({ hash }) => hash)).join();
}

function rehash(leaf: PlainNode): void {
  for (let node: PlainNode | null = leaf; node !== null; node = node.parent) {
    node.hash = md5(textOf(node));
  }
}

function plainWrite(leaf: PlainNode, number: number): void {
  leaf.digests[number % 15] = md5(`name ${number}, version ${version++}`);
  rehash(leaf);
}

function plainCompare(left: PlainNode, right: PlainNode): number {
  if (left.hash === right.hash) return 0;
  if (left.children.length === 0) return 1;
  let ranges = 0;
  for (let place = 0; place < 16; place++) {
    ranges += plainCompare(left.children[place], right.children[place]);
  }
  return ranges;
}

const PLAIN = "plain objects, a sixteenth as many";

await ask("What does a write cost a hash tree, what does a comparison of two?", [
  {
    title: "a write, 1 M objects",
    works: [
      { name: "replace", run: replaceOne },
      { name: "add, remove", run: addAndRemove, operations: 2 },
      {
        name: PLAIN,
        isReference: true,
        run() {
          next = (next + 1) & (PLACES - 1);
          plainWrite(leavesWritten[(next * 7919) & (LEAVES - 1)], next);
        },
      },
    ],
  },
  {
    title: "equal, 1 M objects",
    works: [
      { name: "compare", run: () => keep(compare(one.tree, one.tree)) },
      { name: PLAIN, isReference: true, run: () => keep(plainCompare(plain, plain)) },
    ],
  },
  {
    title: "one difference, 1 M objects",
    works: [
      { name: "compare", run: () => keep(compare(same.tree, one.tree)) },
      { name: PLAIN, isReference: true, run: () => keep(plainCompare(plain, plainOne)) },
    ],
  },
  {
    title: "1,000 differences, 1 M objects",
    works: [{ name: "compare", run: () => keep(compare(same.tree, thousand.tree)) }],
  },
]);
