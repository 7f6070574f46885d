/**
 * A layout: the numbered, immutable assignment of partitions to nodes that the whole cluster agrees
 * on.
 *
 *   number 4 · N = 3 · Q = 1,024                       nodes[], sorted by id
 *   partition   owners (indexes into nodes)            preference (every node, owners first)
 *       0       2  0  1                                2  0  1  3
 *       1       0  3  2                                0  3  2  1
 *
 * There is one layout a number (consensus.ts), and each is made from the one before it by a pure
 * function of the change, so that a layout is its bytes. A layout is sufficient in itself: it names
 * the cluster, says of each node what is needed to reach it, and which change made it. Who knows a
 * chain of layouts knows the history of the membership.
 *
 *   since        the layout that admitted the node with the disk that it has now
 *   incarnation  the id that it drew when it asked; a node that lost its disk draws another one
 *                and gets its old id back by a new layout: its votes and words count from there on
 *
 * Owners are what moves and are sent; the preference lists follow from them and are computed here.
 */

import { readU16, writeU16 } from "../../core/bytes.ts";
import { NODES_MAX, PARTITIONS_MAX, REPLICAS_MAX } from "../../core/limits.ts";
import { assign, countSlots, preferenceLists } from "../../core/placement.ts";
import { decodeDocument, encodeDocument, Fields, MalformedDocument } from "./document.ts";
import {
  attributesDocument,
  NAME_CHARS_MAX,
  type NodeAttributes,
  readAttributes,
} from "./member.ts";

export interface LayoutNode extends NodeAttributes {
  readonly id: string;
  readonly incarnation: string;
  readonly since: number;
  /** The newest layout for which the node counted as complete when it was admitted. */
  readonly synced: number;
}

const EVENT_KINDS = ["founded", "joined", "returned", "changed", "left", "removed"] as const;

/**
 * left: it hands over what it has and goes then; removed: it is taken for dead; changed: its
 * capacity or its zone.
 */
export type MembershipEventKind = (typeof EVENT_KINDS)[number];

export const NOTE_CHARS_MAX = 1_024;

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
  /** More of it, for people: "capacity 1 to 2". */
  readonly note: string;
  /** Stamp of the staged change that it carries out (staged.ts); 0: it was not staged. */
  readonly staged: number;
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

/**
 * The layout made last. Preference lists go on from it and come out the same without it: a layout
 * is read anew for every vote on it, and its successor may differ in little.
 */
let previous: Layout | null = null;

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
    this.preference = preferenceLists(content, previous);
    this.bytes = bytes ?? encodeLayout(content);
    previous = this;
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
  slotsOfNodes(): Uint32Array {
    return countSlots(this.owners, this.nodes.length);
  }
}

/** A node that asks to be in: a new one, or one of the nodes there with a new disk. */
export interface Admission {
  readonly id: string;
  readonly incarnation: string;
  readonly attributes: NodeAttributes;
}

/** Layout 1: one node owns everything. */
export function foundLayout(shape: ClusterShape, founder: Admission, timeMs: number): Layout {
  const { clusterId, partitionBits, replicas } = shape;
  const nodes = [{ ...nodeOf(founder, 1), synced: 1 }];
  const { owners } = assign({ nodes, partitionBits, replicas });
  const { id, attributes } = founder;
  const about = { layout: 1, member: id, name: attributes.name, timeMs, issuer: id };
  const event = { kind: "founded" as const, ...about, note: "", staged: 0 };
  return new Layout(
    { clusterId, partitionBits, replicas, number: 1, nodes, owners, events: [event] },
    null,
  );
}

/** A node as the layout that admits it names it. */
export function nodeOf(admission: Admission, since: number): Omit<LayoutNode, "synced"> {
  const { name, address, http, zone, capacity } = admission.attributes;
  const { id, incarnation } = admission;
  return { id, incarnation, since, name, address, http, zone, capacity };
}


function encodeLayout(content: LayoutContent): Uint8Array {
  const owners = new Uint8Array(2 * content.owners.length);
  for (let index = 0; index < content.owners.length; index++) {
    writeU16(owners, 2 * index, content.owners[index]);
  }
  return encodeDocument({
    number: content.number,
    clusterId: content.clusterId,
    partitionBits: content.partitionBits,
    replicas: content.replicas,
    nodes: content.nodes.map(nodeDocument),
    owners,
    events: content.events.map((event) => ({ ...event })),
  });
}

function nodeDocument(node: LayoutNode): Record<string, unknown> {
  const { id, incarnation, since, synced } = node;
  return { id, incarnation, since, synced, ...attributesDocument(node) };
}

/** A layout from what encodeLayout made, checked in every part. @throws MalformedDocument */
export function decodeLayout(bytes: Uint8Array): Layout {
  const fields = new Fields(decodeDocument(bytes));
  const shape = {
    clusterId: fields.nodeId("clusterId"),
    partitionBits: fields.whole("partitionBits", 0, Math.clz32(1) - Math.clz32(PARTITIONS_MAX)),
    replicas: fields.whole("replicas", 1, REPLICAS_MAX),
  };
  const nodes = fields.list("nodes", NODES_MAX).map((node) => readNode(new Fields(node)));
  for (let index = 1; index < nodes.length; index++) {
    if (nodes[index - 1].id < nodes[index].id) continue;
    throw new MalformedDocument("nodes of the layout are not in rising order of their ids");
  }
  const owners = readOwners(fields, 2 ** shape.partitionBits, shape.replicas, nodes.length);
  const events = fields.list("events", NODES_MAX).map((event) => readEvent(new Fields(event)));
  const content = { ...shape, number: fields.whole("number", 1), nodes, owners, events };
  return new Layout(content, new Uint8Array(bytes));
}

function readNode(fields: Fields): LayoutNode {
  return {
    id: fields.nodeId("id"),
    incarnation: fields.nodeId("incarnation"),
    since: fields.whole("since", 1),
    synced: fields.whole("synced", 0),
    ...readAttributes(fields),
  };
}

/** Rows of distinct indexes into the nodes. */
function readOwners(fields: Fields, partitions: number, replicas: number, nodes: number) {
  const width = Math.min(replicas, nodes);
  const packed = fields.bytes("owners", 2 * PARTITIONS_MAX * REPLICAS_MAX);
  if (width === 0 || packed.length !== 2 * partitions * width) {
    throw new MalformedDocument(
      `owners are ${packed.length} bytes, wanted are ${partitions} rows of ${width} owners`,
    );
  }
  const owners = new Uint16Array(partitions * width);
  for (let slot = 0; slot < owners.length; slot++) {
    owners[slot] = readU16(packed, 2 * slot);
    const rowStart = slot - (slot % width);
    if (owners[slot] < nodes && owners.indexOf(owners[slot], rowStart) === slot) continue;
    throw new MalformedDocument(`owner ${owners[slot]} of slot ${slot} is no node or named twice`);
  }
  return owners;
}

/** An event as it travels apart from its layout. @throws MalformedDocument */
export function readEvent(fields: Fields): MembershipEvent {
  return {
    kind: readKind(fields.text("kind", 16)),
    layout: fields.whole("layout", 1),
    member: fields.nodeId("member"),
    name: fields.text("name", NAME_CHARS_MAX),
    timeMs: fields.whole("timeMs", 0),
    issuer: fields.nodeId("issuer"),
    note: fields.has("note") ? fields.text("note", NOTE_CHARS_MAX) : "",
    staged: fields.has("staged") ? fields.whole("staged", 0) : 0,
  };
}

function readKind(text: string): MembershipEventKind {
  const kind = EVENT_KINDS.find((known) => known === text);
  if (kind !== undefined) return kind;
  throw new MalformedDocument(`event is "${text}", wanted is one of ${EVENT_KINDS.join(", ")}`);
}
