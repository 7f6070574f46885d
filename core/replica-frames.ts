/**
 * The two hot messages between replicas, as bytes: REPLICATE carries a finished version set to a
 * replica (or, with a hint, to a stand-in), FETCH asks a replica what it holds. Pure codec: the body
 * of a frame (core/frame) is written into, and read from, memory that the caller owns. Reading fills
 * a view that is used again and again: it says where things lie in the frame, and nothing is made.
 *
 *   REPLICATE request                        FETCH request
 *    0  u8  purpose                           0  u8  want: 0 digest, 1 set, 2 one version, 3 a slice
 *    1  u8  flags: 1 durable, 2 hinted        1  u8  flags: 1 also look among the hints,
 *    2  u16 name length                              2 asks about a request
 *    4  u32 set length                        2  u16 name length
 *    8  u32 round                             4  u32 0, or the checksum of the request's payload
 *   12  u32 count of requests                 8  the dot of the one version: actor 8, counter 6,
 *   16  target 8: whom a hint is for             0 2; or the request's id 16
 *   24  name, requests (20 bytes each:       24  name
 *       id 16, checksum of its payload 4),
 *       set                                  FETCH reply
 *                                             0  u8  flags: 1 complete, 2 the request is superseded
 *   REPLICATE reply                           1  u8  0 ×7
 *    0  u8 flags: 1 durable, 7 × 0            8  digest 8
 *    8  digest 8 of what is held now         16  set (want 1 and 2), to the end
 *
 *   A set on the wire: u32 head length, u32 count of payloads that are present, the head, one presence
 *   byte a version, then the payloads that are present, in version order; their lengths are in the head.
 *
 * Never trusts a length: every decoder checks each field against the bytes that are there.
 */

import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import { isWellFormedHead, payloadLength, versionCount, versionOffset } from "./version-set.ts";

export const PURPOSE_WRITE = 0;
export const PURPOSE_REPAIR = 1;
export const PURPOSE_HINT = 2;
export const PURPOSE_ANTI_ENTROPY = 3;

export const REPLICATE_DURABLE = 1;
export const REPLICATE_HINTED = 2;

export const WANT_DIGEST = 0;
export const WANT_SET = 1;
export const WANT_VERSION = 2;
/** Bytes of one version's payload, from `checksum` on, to the end of a slice at most. */
export const WANT_SLICE = 3;
export const FETCH_HINTS = 1;
export const FETCH_REQUEST = 2;
export const FETCHED_COMPLETE = 1;
export const FETCHED_SUPERSEDED = 2;

/** A write as replicas tell each other of it: its request id, and the checksum of its payload. */
export const REQUEST_BYTES = 20;
/** Requests that one REPLICATE tells of. */
export const REQUESTS_MAX = 8;

/** Statuses of replies, in the frame's header. Never renumber. */
export const STATUS_DONE = 0;
/** FETCH: nothing is held under this name. */
export const STATUS_ABSENT = 1;
/** Disk or hint store full: nothing was written. */
export const STATUS_FULL = 2;
/** The disk failed: nothing can be said of what was written. */
export const STATUS_FAILED = 3;
/** REPLICATE: payloads are missing that this replica lacks; send those versions, then ask again. */
export const STATUS_INCOMPLETE = 4;
/** What is held fails its checksum. */
export const STATUS_DAMAGED = 5;
/** The request's layout has been retired. */
export const STATUS_STALE = 6;
/** The frame was malformed, or its sender may not ask this: only members replicate and fetch. */
export const STATUS_MALFORMED = 7;
/** Not a member, or still starting. */
export const STATUS_NOT_READY = 8;
/** REPLICATE: its round has closed. What there is now has to be read again, under the label of now. */
export const STATUS_CLOSED = 9;

const FIXED = 24;
/** Before a set: bytes of its head, payloads that are there. */
export const SET_FIXED = 8;
const FETCHED_FIXED = 16;

/** A set as it is sent, or as setOf() shows a received one: views, valid as long as their bytes. */
export interface WireSet {
  readonly head: Uint8Array;
  readonly payloads: (Uint8Array | null)[];
}

/** Bytes that a set takes on the wire with the payloads that it has. @hot */
export function setLength(set: WireSet): number {
  const payloads = set.payloads;
  let length = SET_FIXED + set.head.length + payloads.length;
  for (let index = 0; index < payloads.length; index++) length += payloads[index]?.length ?? 0;
  return length;
}

/** Writes a set; returns the offset behind it. @hot */
export function writeSet(set: WireSet, target: Uint8Array, targetOffset: number): number {
  let present = 0;
  target.set(set.head, targetOffset + SET_FIXED);
  let offset = targetOffset + SET_FIXED + set.head.length;
  const payloadStart = offset + set.payloads.length;
  let payloadOffset = payloadStart;
  for (let index = 0; index < set.payloads.length; index++) {
    const payload = set.payloads[index];
    target[offset++] = payload === null ? 0 : 1;
    if (payload === null) continue;
    present++;
    target.set(payload, payloadOffset);
    payloadOffset += payload.length;
  }
  writeU32(target, targetOffset, set.head.length);
  writeU32(target, targetOffset + 4, present);
  return payloadOffset;
}

/** Where a received set lies: its head at [headStart, headEnd), then presence bytes and payloads. */
export class SetView {
  bytes: Uint8Array = NO_BYTES;
  headStart = 0;
  headEnd = 0;
}

const NO_BYTES = new Uint8Array(0);

/** Points the view at the set that fills bytes[start, end); false where there is none. @hot */
export function locateSet(bytes: Uint8Array, start: number, end: number, view: SetView): boolean {
  if (end - start < SET_FIXED) return false;
  const headStart = start + SET_FIXED;
  const headEnd = headStart + readU32(bytes, start);
  if (headEnd > end || !isWellFormedHead(bytes, headStart, headEnd)) return false;
  const versions = versionCount(bytes, headStart);
  let offset = headEnd + versions;
  if (offset > end) return false;
  let present = 0;
  for (let index = 0; index < versions; index++) {
    const presence = bytes[headEnd + index];
    if (presence > 1) return false;
    if (presence === 0) continue;
    offset += payloadLength(bytes, versionOffset(headStart, index));
    present++;
  }
  if (offset !== end || present !== readU32(bytes, start + 4)) return false;
  view.bytes = bytes;
  view.headStart = headStart;
  view.headEnd = headEnd;
  return true;
}

/** The located set as views, for who goes on with it: a version's payload, or null. */
export function setOf({ bytes, headStart, headEnd }: SetView): WireSet {
  const versions = versionCount(bytes, headStart);
  const payloads: (Uint8Array | null)[] = [];
  let offset = headEnd + versions;
  for (let index = 0; index < versions; index++) {
    const isPresent = bytes[headEnd + index] === 1;
    const length = isPresent ? payloadLength(bytes, versionOffset(headStart, index)) : 0;
    payloads.push(isPresent ? bytes.subarray(offset, offset + length) : null);
    offset += length;
  }
  return { head: bytes.subarray(headStart, headEnd), payloads };
}

/** Reads a set that fills bytes[start, end) exactly; null where it is malformed. Views, no copies. */
export function readSet(bytes: Uint8Array, start: number, end: number): WireSet | null {
  const view = new SetView();
  return locateSet(bytes, start, end, view) ? setOf(view) : null;
}

/** A REPLICATE request; `target` is 8 bytes, used where the flag HINTED is set. */
export interface ReplicateBody {
  readonly purpose: number;
  readonly flags: number;
  readonly round: number;
  readonly target: Uint8Array;
  readonly name: Uint8Array;
  /** Writes that the set's versions have superseded, REQUEST_BYTES each, at most REQUESTS_MAX. */
  readonly requests: Uint8Array;
  readonly set: WireSet;
}

/** @hot */
export function replicateLength(name: Uint8Array, requests: Uint8Array, set: WireSet): number {
  return FIXED + name.length + requests.length + setLength(set);
}

/** @hot */
export function writeReplicate(body: ReplicateBody, target: Uint8Array, offset: number): void {
  target[offset] = body.purpose;
  target[offset + 1] = body.flags;
  writeU16(target, offset + 2, body.name.length);
  writeU32(target, offset + 8, body.round);
  writeU32(target, offset + 12, body.requests.length / REQUEST_BYTES);
  target.set(body.target, offset + 16);
  target.set(body.name, offset + FIXED);
  const requestsStart = offset + FIXED + body.name.length;
  target.set(body.requests, requestsStart);
  const setStart = requestsStart + body.requests.length;
  writeU32(target, offset + 4, writeSet(body.set, target, setStart) - setStart);
}

/** A received REPLICATE request; what starts somewhere starts at an offset of `bytes`. */
export class ReplicateView {
  bytes: Uint8Array = NO_BYTES;
  purpose = 0;
  flags = 0;
  round = 0;
  targetStart = 0;
  nameStart = 0;
  nameEnd = 0;
  requestsStart = 0;
  requestsEnd = 0;
  readonly set = new SetView();
}

/** Points the view at a REPLICATE request; false where it is malformed. @hot */
export function readReplicate(
  bytes: Uint8Array,
  start: number,
  end: number,
  view: ReplicateView,
): boolean {
  if (end - start < FIXED) return false;
  const nameStart = start + FIXED;
  const nameEnd = nameStart + readU16(bytes, start + 2);
  const requests = readU32(bytes, start + 12);
  if (requests > REQUESTS_MAX) return false;
  const requestsEnd = nameEnd + requests * REQUEST_BYTES;
  if (requestsEnd > end || end - requestsEnd !== readU32(bytes, start + 4)) return false;
  if (!locateSet(bytes, requestsEnd, end, view.set)) return false;
  view.bytes = bytes;
  view.purpose = bytes[start];
  view.flags = bytes[start + 1];
  view.round = readU32(bytes, start + 8);
  view.targetStart = start + 16;
  view.nameStart = nameStart;
  view.nameEnd = nameEnd;
  view.requestsStart = nameEnd;
  view.requestsEnd = requestsEnd;
  return true;
}

export const REPLICATED_LENGTH = 16;

/** A REPLICATE reply. @hot */
export function writeReplicated(
  isDurable: boolean,
  digest: Uint32Array,
  target: Uint8Array,
  offset: number,
): void {
  target.fill(0, offset, offset + 8);
  target[offset] = isDurable ? REPLICATE_DURABLE : 0;
  writeU32(target, offset + 8, digest[0]);
  writeU32(target, offset + 12, digest[1]);
}

/**
 * A FETCH request. What it asks about is 16 bytes at most: where WANT_VERSION is asked, a dot (14 bytes:
 * actor, counter); with the flag FETCH_REQUEST, which no WANT_VERSION has, the id of a request.
 */
export interface FetchBody {
  readonly want: number;
  readonly flags: number;
  /** The checksum of the request's payload, or where the slice begins; else 0. */
  readonly checksum: number;
  readonly about: Uint8Array;
  readonly name: Uint8Array;
}

/** @hot */
export function fetchLength(name: Uint8Array): number {
  return FIXED + name.length;
}

/** @hot */
export function writeFetch(body: FetchBody, target: Uint8Array, offset: number): void {
  target.fill(0, offset, offset + FIXED);
  target[offset] = body.want;
  target[offset + 1] = body.flags;
  writeU16(target, offset + 2, body.name.length);
  writeU32(target, offset + 4, body.checksum);
  target.set(body.about, offset + 8);
  target.set(body.name, offset + FIXED);
}

/** A received FETCH request. */
export class FetchView {
  bytes: Uint8Array = NO_BYTES;
  want = 0;
  flags = 0;
  checksum = 0;
  aboutStart = 0;
  nameStart = 0;
  nameEnd = 0;
}

/** Points the view at a FETCH request; false where it is malformed. @hot */
export function readFetch(bytes: Uint8Array, start: number, end: number, view: FetchView): boolean {
  if (end - start < FIXED) return false;
  const nameStart = start + FIXED;
  if (nameStart + readU16(bytes, start + 2) !== end || bytes[start] > WANT_SLICE) return false;
  const asksForTwo = bytes[start] >= WANT_VERSION && (bytes[start + 1] & FETCH_REQUEST) !== 0;
  if (asksForTwo) return false;
  view.bytes = bytes;
  view.want = bytes[start];
  view.flags = bytes[start + 1];
  view.checksum = readU32(bytes, start + 4);
  view.aboutStart = start + 8;
  view.nameStart = nameStart;
  view.nameEnd = end;
  return true;
}

/** A FETCH reply: the digest of what is held, and the set where one was asked for and is held. */
export interface FetchedBody {
  readonly isComplete: boolean;
  /** The request that was asked about was made there, and what it wrote has been superseded. */
  readonly isSuperseded: boolean;
  readonly digest0: number;
  readonly digest1: number;
  readonly set: WireSet | null;
}

/** @hot */
export function fetchedLength(set: WireSet | null): number {
  return FETCHED_FIXED + (set === null ? 0 : setLength(set));
}

/** @hot */
export function writeFetched(body: FetchedBody, target: Uint8Array, offset: number): void {
  target.fill(0, offset, offset + 8);
  target[offset] =
    (body.isComplete ? FETCHED_COMPLETE : 0) | (body.isSuperseded ? FETCHED_SUPERSEDED : 0);
  writeU32(target, offset + 8, body.digest0);
  writeU32(target, offset + 12, body.digest1);
  if (body.set !== null) writeSet(body.set, target, offset + FETCHED_FIXED);
}

/** Where the bytes lie in a FETCH reply that is a slice; their crc32c stands in the digest's first word. */
export const SLICE_START = FETCHED_FIXED;

/** Writes all of such a reply but the slice itself. */
export function writeSliceHead(checksum: number, target: Uint8Array, offset: number): void {
  target.fill(0, offset, offset + FETCHED_FIXED);
  writeU32(target, offset + 8, checksum);
}

/** Whether there is a slice in a reply, and it passes its checksum. */
export function isSliceWhole(bytes: Uint8Array, start: number, end: number): boolean {
  const from = start + FETCHED_FIXED;
  return from < end && crc32c(bytes, from, end) === readU32(bytes, start + 8);
}

/** A received FETCH reply. */
export class FetchedView {
  isComplete = false;
  isSuperseded = false;
  digest0 = 0;
  digest1 = 0;
  hasSet = false;
  readonly set = new SetView();
}

/** Points the view at a FETCH reply; false where it is malformed. @hot */
export function readFetched(
  bytes: Uint8Array,
  start: number,
  end: number,
  view: FetchedView,
): boolean {
  if (end - start < FETCHED_FIXED) return false;
  const setStart = start + FETCHED_FIXED;
  view.hasSet = setStart !== end;
  if (view.hasSet && !locateSet(bytes, setStart, end, view.set)) return false;
  view.isComplete = (bytes[start] & FETCHED_COMPLETE) !== 0;
  view.isSuperseded = (bytes[start] & FETCHED_SUPERSEDED) !== 0;
  view.digest0 = readU32(bytes, start + 8);
  view.digest1 = readU32(bytes, start + 12);
  return true;
}
