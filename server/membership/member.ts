/**
 * A member: one node as the others see it.
 *
 *   id, idBytes         64 random bits; name and addresses are attributes and may change
 *   record              what the node says of itself; it alone writes it, the larger version wins
 *   peer, healthy       this node's own link to it and what its own traffic has shown
 *
 * There is one Member object per node id for as long as this node runs, so that others may keep it;
 * its record is replaced as news come in. A version is `since · 2^32 + count`: `since` is the
 * number of the layout that admitted the node. One that comes back without its disk is admitted by
 * a later layout, so whatever it says is newer than all that its lost disk ever said.
 *
 * The three trackers are layout numbers (see layouts.ts); they never fall within one `since`.
 */

import { CAPACITY_MAX } from "../../core/placement/terms.ts";
import type { Peer } from "../wire/peers.ts";
import { type Fields, isNodeId } from "./document.ts";

/**
 * leaving: it owns nothing in the newest layout and hands over what it has; left: it has, and may be
 * stopped; removed: it was taken for dead.
 */
export type MemberStatus = "member" | "leaving" | "left" | "removed";

/** Whether a node of this status has no part in the cluster any more. */
export function isGone(status: MemberStatus): boolean {
  return status === "left" || status === "removed";
}

/** Lengths that a record may have; addresses are host:port, a host has at most 253 characters. */
export const NAME_CHARS_MAX = 255;
export const ADDRESS_CHARS_MAX = 300;
export const ZONE_CHARS_MAX = 255;

/** What an operator says of a node; travels in the layout that admits it and in its record. */
export interface NodeAttributes {
  readonly name: string;
  /** host:port that peers dial. */
  readonly address: string;
  /** URL under which clients reach its HTTP interface. */
  readonly http: string;
  readonly zone: string;
  /** Its share of replica slots is proportional to this; from 1. */
  readonly capacity: number;
}

/** What a node says of itself; immutable, the larger version wins. */
export interface MemberRecord extends NodeAttributes {
  readonly id: string;
  readonly version: number;
  /** The newest layout that it knows and under whose ignorance no request of it runs any more. */
  readonly adopted: number;
  /** The newest layout for which it holds all that it owns. */
  readonly synced: number;
  /** The newest layout that it reads by, with all reads by older ones ended. */
  readonly reading: number;
  /**
   * Of a node that left by this layout: it holds nothing any more that others may lack. 0: it is not
   * so far.
   */
  readonly drained: number;
  /** Partitions for which it is partial; shown to the operator. */
  readonly partial: number;
  /** The actor of its store, 16 hexadecimal digits; "" until it has said so. */
  readonly actor: string;
}

const VERSIONS_A_LAYOUT = 0x1_0000_0000;

/** The version of the record that admission by layout `since` makes. */
export function firstVersion(since: number): number {
  return since * VERSIONS_A_LAYOUT;
}

/** The number of the layout that admitted the writer of a record of this version. */
export function sinceOf(version: number): number {
  return Math.floor(version / VERSIONS_A_LAYOUT);
}

export class Member {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly isSelf: boolean;
  /** The link to it; null for this node itself. */
  readonly peer: Peer | null;
  #record: MemberRecord;
  #status: MemberStatus = "member";

  constructor(record: MemberRecord, peer: Peer | null) {
    this.id = record.id;
    this.idBytes = hexBytes(record.id);
    this.isSelf = peer === null;
    this.peer = peer;
    this.#record = record;
  }

  get record(): MemberRecord {
    return this.#record;
  }
  get name(): string {
    return this.#record.name;
  }
  get address(): string {
    return this.#record.address;
  }
  get http(): string {
    return this.#record.http;
  }
  get zone(): string {
    return this.#record.zone;
  }
  get capacity(): number {
    return this.#record.capacity;
  }
  get version(): number {
    return this.#record.version;
  }
  get adopted(): number {
    return this.#record.adopted;
  }
  get synced(): number {
    return this.#record.synced;
  }
  get reading(): number {
    return this.#record.reading;
  }
  get drained(): number {
    return this.#record.drained;
  }
  get partial(): number {
    return this.#record.partial;
  }
  get actor(): string {
    return this.#record.actor;
  }
  get status(): MemberStatus {
    return this.#status;
  }
  /** Whether this node's own traffic gives no reason to doubt it. */
  /** What it takes to answer lately, milliseconds; 0: nothing is known, or this node. */
  get latencyMs(): number {
    return this.peer?.roundTripMs ?? 0;
  }

  get healthy(): boolean {
    return this.peer === null || this.peer.healthy;
  }

  /** For members.ts alone. REQUIRES: a record of the same id. */
  update(record: MemberRecord, status: MemberStatus): void {
    this.#record = record;
    this.#status = status;
    if (this.peer !== null) this.peer.address = record.address;
  }
}

/**
 * The greater of two records of one node: by version. Equal versions have equal contents, as each
 * record has one writer; should a copied data directory break that, the order of the contents
 * decides, so that merging commutes all the same.
 */
export function newerRecord(left: MemberRecord, right: MemberRecord): MemberRecord {
  if (left.version !== right.version) return left.version > right.version ? left : right;
  const leftText = JSON.stringify(recordDocument(left));
  return leftText >= JSON.stringify(recordDocument(right)) ? left : right;
}

/** A record as it travels: its fields in this order. */
export function recordDocument(record: MemberRecord): Record<string, unknown> {
  return {
    id: record.id,
    version: record.version,
    ...attributesDocument(record),
    adopted: record.adopted,
    synced: record.synced,
    reading: record.reading,
    drained: record.drained,
    partial: record.partial,
    actor: record.actor,
  };
}

/** @throws MalformedDocument */
export function readRecord(fields: Fields): MemberRecord {
  return {
    id: fields.nodeId("id"),
    version: fields.whole("version", 0),
    ...readAttributes(fields),
    adopted: fields.whole("adopted", 0),
    synced: fields.whole("synced", 0),
    reading: fields.whole("reading", 0),
    drained: fields.has("drained") ? fields.whole("drained", 0) : 0,
    partial: fields.whole("partial", 0),
    actor: fields.text("actor", 16),
  };
}

/** The attributes alone, of whatever carries them. */
export function attributesDocument(attributes: NodeAttributes): Record<string, unknown> {
  return {
    name: attributes.name,
    address: attributes.address,
    http: attributes.http,
    zone: attributes.zone,
    capacity: attributes.capacity,
  };
}

/** @throws MalformedDocument */
export function readAttributes(fields: Fields): NodeAttributes {
  return {
    name: fields.text("name", NAME_CHARS_MAX),
    address: fields.text("address", ADDRESS_CHARS_MAX),
    http: fields.text("http", ADDRESS_CHARS_MAX),
    zone: fields.text("zone", ZONE_CHARS_MAX),
    capacity: fields.whole("capacity", 1, CAPACITY_MAX),
  };
}

/** The bytes that an id's 16 hexadecimal digits stand for. */
export function hexBytes(id: string): Uint8Array {
  if (!isNodeId(id)) throw new RangeError(`node id is "${id}", wanted are 16 hexadecimal digits`);
  const bytes = new Uint8Array(8);
  for (let index = 0; index < 8; index++) {
    bytes[index] = Number.parseInt(id.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}

/** Lower-case hexadecimal digits of some bytes. */
export function hexText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
