/**
 * A layout: the numbered, immutable assignment of partitions to nodes that the whole cluster agrees on.
 *
 *   number 4 · N = 3 · Q = 1,024                       nodes[], sorted by id
 *   partition   owners (indexes into nodes)            preference (every node, owners first)
 *       0       2  0  1                                2  0  1  3
 *       1       0  3  2                                0  3  2  1
 *
 * There is one layout a number (consensus.ts), and each is made from the one before it by a pure
 * function of the change, so that a layout is its bytes. A layout is sufficient in itself: it names the
 * cluster, says of each node what is needed to reach it, and which change made it. Who knows a chain of
 * layouts knows the history of the membership.
 *
 *   since        the layout that admitted the node with the disk that it has now
 *   incarnation  the id that it drew when it asked; a node that lost its disk draws another one and
 *                gets its old id back by a layout of its own: its votes and words count from there on
 *
 * Owners are what moves and are sent; the preference lists follow from them and are computed here.
 */

import { NODES_MAX, PARTITIONS_MAX, REPLICAS_MAX } from "../../core/limits.ts";
import { placeNodes } from "../../core/placement.ts";
import { preferenceLists } from "../../core/ring.ts";
import { decodeDocument, encodeDocument, Fields, MalformedDocument } from "./document.ts";
import { attributesDocument, type NodeAttributes, readAttributes } from "./member.ts";

export interface LayoutNode extends NodeAttributes {
  readonly id: string;
  readonly incarnation: string;
  readonly since: number;
  /** The newest layout for which the node counted as complete when it was admitted. */
  readonly synced: number;
}

export type MembershipEventKind = "founded" | "joined" | "returned" | "removed";

/** A change of the membership, as the layout that made it tells it. */
export interface MembershipEvent {
  readonly kind: MembershipEventKind;
  /** Number of the layout. */
  readonly layout: number;
  /** Id and name of the node that it is about. */
  readonly member: string;
  readonly name: string;
  /** Wall clock of the issuer, milliseconds since 1970. */
  readonly timeMs: number;
  /** Id of the node that proposed it. */
  readonly issuer: string;
}

/** What all layouts of a cluster have in common. */
export interface ClusterShape {
  readonly clusterId: string;
  readonly partitionBits: number;
  /** N: owners of a partition, fewer while there are fewer nodes. */
  readonly replicas: number;
}

interface LayoutContent extends ClusterShape {
  readonly number: number;
  readonly nodes: readonly LayoutNode[];
  readonly owners: Uint16Array;
  readonly events: readonly MembershipEvent[];
}

export class Layout {
  readonly number: number;
  readonly clusterId: string;
  readonly partitionBits: number;
  /** Q. */
  readonly partitions: number;
  /** N as the cluster was founded with; a partition has min(N, nodes) owners. */
  readonly replicas: number;
  /** N' = min(N, nodes): the stride of `owners`. */
  readonly ownersPerPartition: number;
  /** Sorted by id. */
  readonly nodes: readonly LayoutNode[];
  /** Q × N' indexes into nodes, the first owner first. */
  readonly owners: Uint16Array;
  /** Q × nodes.length indexes into nodes: the owners, then every other node. */
  readonly preference: Uint16Array;
  /** The changes that this layout made. */
  readonly events: readonly MembershipEvent[];
  /** The layout as it is stored and sent. */
  readonly bytes: Uint8Array;

  constructor(content: LayoutContent, bytes: Uint8Array | null) {
    this.number = content.number;
    this.clusterId = content.clusterId;
    this.partitionBits = content.partitionBits;
    this.partitions = 2 ** content.partitionBits;
    this.replicas = content.replicas;
    this.ownersPerPartition = Math.min(content.replicas, content.nodes.length);
    this.nodes = content.nodes;
    this.owners = content.owners;
    this.events = content.events;
    this.preference = preferenceLists(content.owners, this.partitions, content.nodes.length);
    this.bytes = bytes ?? encodeLayout(content);
  }

  /** Where a node stands in `nodes`; -1 when it is not in this layout. */
  indexOf(id: string): number {
    return this.nodes.findIndex((node) => node.id === id);
  }

  nodeById(id: string): LayoutNode | null {
    return this.nodes[this.indexOf(id)] ?? null;
  }

  /** Whether a node is an owner of a partition. */
  owns(id: string, partition: number): boolean {
    const index = this.indexOf(id);
    const start = partition * this.ownersPerPartition;
    for (let rank = 0; rank < this.ownersPerPartition; rank++) {
      if (this.owners[start + rank] === index) return true;
    }
    return false;
  }

  /** Replica slots of each node, in the order of `nodes`. */
  slotsOfNodes(): number[] {
    const slots = this.nodes.map(() => 0);
    for (const index of this.owners) slots[index]++;
    return slots;
  }
}
