/**
 * The terms that every placement keeps: who may hold which replica slots.
 *
 *   partition   0      1      2      3    …       Q equal partitions
 *   slots      a c e  b c d  a b f  b d e …       `copies` of each, the row of that partition
 *
 * Priorities, strongest first:
 *   1. distinct nodes: a row names a node at most once, so a node holds at most Q slots;
 *   2. zones: a row lies in min(copies, zones) different zones. Said otherwise: a *repeat* is a
 *      member in a zone that an earlier member is in, and a row has at most `repeatsMax` of them.
 *      One rule serves more zones than copies (no repeat) and fewer (every zone has its copy);
 *   3. capacity: slots in proportion to it, as far as 1 and 2 let them.
 *
 * Nodes are indexes into `nodes` everywhere below; zones are numbered as they first appear.
 */

import { NODES_MAX, PARTITIONS_MAX, REPLICAS_MAX } from "../limits.ts";

/** The largest capacity: products of a capacity and a slot count stay exact integers. */
export const CAPACITY_MAX = 1_000_000_000;

/** What placement must know of a node. */
export interface PlacementNode {
  readonly id: string;
  /** A whole number from 1 to CAPACITY_MAX, in any unit that all nodes share. */
  readonly capacity: number;
  readonly zone: string;
}

export class Terms {
  readonly nodes: readonly PlacementNode[];
  readonly partitionBits: number;
  readonly partitionCount: number;
  /** Copies of each partition: the replicas asked for, or every node where there are fewer. */
  readonly copies: number;
  readonly zoneCount: number;
  /** Node index → zone number. */
  readonly zoneOf: Uint16Array;
  /** Members of a row that may lie in a zone that the row has already. */
  readonly repeatsMax: number;

  /** @throws RangeError in one sentence: what was given and what is wanted */
  constructor(nodes: readonly PlacementNode[], partitionBits: number, replicas: number) {
    checkNodes(nodes);
    checkWhole("replicas", replicas, 1, REPLICAS_MAX);
    checkWhole("partition bits", partitionBits, 0, Math.clz32(1) - Math.clz32(PARTITIONS_MAX));
    this.nodes = nodes;
    this.partitionBits = partitionBits;
    this.partitionCount = 2 ** partitionBits;
    this.copies = Math.min(replicas, nodes.length);
    this.zoneOf = new Uint16Array(nodes.length);
    this.zoneCount = numberZones(nodes, this.zoneOf);
    this.repeatsMax = this.copies - Math.min(this.copies, this.zoneCount);
  }
}

function checkNodes(nodes: readonly PlacementNode[]): void {
  checkWhole("the number of nodes", nodes.length, 1, NODES_MAX);
  const seen = new Set<string>();
  for (const node of nodes) {
    checkWhole(`the capacity of node "${node.id}"`, node.capacity, 1, CAPACITY_MAX);
    if (seen.has(node.id)) throw new RangeError(`Node "${node.id}" is named twice, wanted once`);
    seen.add(node.id);
  }
}

/** @throws RangeError unless `value` is a whole number in `[lowest, highest]` */
export function checkWhole(what: string, value: number, lowest: number, highest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  throw new RangeError(
    `Cannot place partitions: ${what} is ${value}, ` +
      `wanted a whole number from ${lowest} to ${highest}`,
  );
}

function numberZones(nodes: readonly PlacementNode[], zoneOf: Uint16Array): number {
  const numbers = new Map<string, number>();
  for (let node = 0; node < nodes.length; node++) {
    const number = numbers.get(nodes[node].zone) ?? numbers.size;
    numbers.set(nodes[node].zone, number);
    zoneOf[node] = number;
  }
  return numbers.size;
}
