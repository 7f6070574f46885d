/**
 * What a node answers its peers about its copies.
 *
 *   REPLICATE ─► objects.join            a finished set for this node as a primary
 *        └─────► hints.store             … or for an owner that it stands in for
 *   FETCH     ─► objects, hints.collect  what is held: a digest from the index, a set, one version, a slice
 *   BODY      ─► bodies.take             a slice of a large payload, for a set that comes after it
 *
 * Each is served to its end, or to the sync that it asks for, as its frame is read: there is no queue here in
 * which one could grow old, and so no deadline in these frames. What waits, waits in the socket: at most what
 * the coordinators have under way, each of which takes on a bounded count (admission of coordinator.ts) and
 * holds back 16 MiB for a peer at most (wire/peer.ts).
 *
 * A frame that names a layout that is retired is answered STALE; damage that is found is answered as
 * damage, and the name is made good by the next set that comes.
 */

import { toHex, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { ACTOR_BYTES, DOT_BYTES } from "../../core/clock-entry.ts";
import {
  BODY_ABOUT_BYTES,
  BODY_HINTED,
  BODY_REPLY_LENGTH,
  readBody,
  type BodyView,
} from "../../core/body-frames.ts";
import { REPLY_BIT, KIND_BODY, KIND_FETCH, KIND_REPLICATE, type FrameView } from "../../core/frame.ts";
import { ObjectName, checkName } from "../../core/object-name.ts";
import {
  FETCH_HINTS,
  FETCH_REQUEST,
  PURPOSE_HINT,
  PURPOSE_REPAIR,
  REPLICATED_LENGTH,
  REPLICATE_DURABLE,
  REPLICATE_HINTED,
  STATUS_ABSENT,
  STATUS_DAMAGED,
  STATUS_DONE,
  STATUS_FAILED,
  STATUS_MALFORMED,
  STATUS_NOT_READY,
  SLICE_START,
  STATUS_STALE,
  WANT_DIGEST,
  WANT_SLICE,
  WANT_VERSION,
  fetchedLength,
  FetchView,
  ReplicateView,
  readFetch,
  readReplicate,
  setOf,
  writeFetched,
  writeSliceHead,
  writeReplicated,
  type WireSet,
} from "../../core/replica-frames.ts";
import { findDot, headDigestInto } from "../../core/version-set.ts";
import { singleVersion } from "../../core/version-sync.ts";
import type { ReadOutcome, VersionSet } from "../../storage/engine.ts";
import { isLarge, type Payload, sliceEnd, smallBytes } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import type { Connection } from "../wire/connection.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import type { Counters } from "./counters.ts";
import { hintName, type Hints } from "./hints.ts";
import type { Change } from "./change.ts";
import type { LocalCopy } from "./local-copy.ts";
import type { BodyId, StagedBodies } from "./staged-bodies.ts";

/** What answering needs of the room around it (replication.ts hands it over). */
export interface ReplicaHost {
  readonly objects: LocalCopy;
  readonly hints: Hints;
  readonly bodies: StagedBodies;
  readonly sliceBytes: number;
  readonly counters: Counters;
  /** Whether this node is a member and not stopping. */
  readonly isReady: boolean;
  isRetired(layout: number): boolean;
  memberById(id: string): Member | undefined;
  /** Told of each set that is handed over to this node by who kept it. */
  onHint(): void;
  /** Told of a set that is kept here although its partition is not owned. */
  onStray(): void;
  owns(name: ObjectName): boolean;
  /** Whether this node owns the name's partition, and its "nothing" counts. */
  isCompletePrimary(name: ObjectName): boolean;
  isSuperseded(name: ObjectName, bytes: Uint8Array, id: number, checksum: number): boolean;
  collectAsStandIn(name: ObjectName, done: (set: VersionSet | null) => void): void;
  /** The set with as many bodies as fit a frame. */
  fit(set: VersionSet): WireSet;
}

const REPLICATED = KIND_REPLICATE | REPLY_BIT;

/** Digest of the reply being written. */
const replyDigest = new Uint32Array(2);
/** The request being taken; valid until its first callback. */
const replicateView = new ReplicateView();
/** The slice that is about to be answered; valid within one call. */
let slice = new Uint8Array(0);
const fetchView = new FetchView();

export class Replica {
  readonly #host: ReplicaHost;

  constructor(host: ReplicaHost) {
    this.#host = host;
  }

  /** Registers the two kinds. */
  serve(peers: Peers): void {
    peers.onRequest(KIND_REPLICATE, (frame, connection, from) => {
      this.#onReplicate(frame, connection, from);
    });
    peers.onRequest(KIND_FETCH, (frame, connection, from) => {
      this.#onFetch(frame, connection, from);
    });
    peers.onRequest(KIND_BODY, (frame, connection, from) => {
      this.#onBody(frame, connection, from);
    });
  }

  #onReplicate(frame: FrameView, connection: Connection, from: PeerIdentity): void {
    const { correlation, layout, bytes, start, end } = frame;
    const refuse = (status: number): void => {
      connection.reserve(REPLICATED, 0, status, correlation, layout, 0);
    };
    const refusal = this.#refusal(frame, from);
    if (refusal !== STATUS_DONE) return refuse(refusal);
    if (!readReplicate(bytes, start, end, replicateView)) return refuse(STATUS_MALFORMED);
    const nameBytes = bytes.slice(replicateView.nameStart, replicateView.nameEnd);
    if (checkName(nameBytes) !== "") return refuse(STATUS_MALFORMED);
    const name = new ObjectName(nameBytes);
    const set = setOf(replicateView.set);
    const { purpose, flags, round, targetStart, requestsStart, requestsEnd } = replicateView;
    const isDurable = (flags & REPLICATE_DURABLE) !== 0;
    const told = bytes.subarray(requestsStart, requestsEnd);
    const labels = { layout, round };
    if ((flags & REPLICATE_HINTED) !== 0) {
      const ownerId = toHex(bytes, targetStart, targetStart + ACTOR_BYTES);
      const owner = this.#host.memberById(ownerId);
      if (owner === undefined) return refuse(STATUS_STALE);
      const change = this.#host.hints.store(owner, name, set, labels, told);
      return this.#stored(this.#host.hints.copy, change, isDurable, connection, correlation, layout);
    }
    if (!this.#host.owns(name)) this.#host.onStray();
    if (purpose === PURPOSE_HINT) this.#host.onHint();
    if (purpose === PURPOSE_REPAIR) {
      return this.#host.objects.restore(name, set, labels, (change) => {
        this.#stored(this.#host.objects, change, isDurable, connection, correlation, layout);
      });
    }
    const change = this.#host.objects.join(name, set, labels, told);
    return this.#stored(this.#host.objects, change, isDurable, connection, correlation, layout);
  }

  /** Answers a REPLICATE, after the sync where that was asked for. */
  #stored(
    copy: LocalCopy,
    change: Change,
    isDurable: boolean,
    connection: Connection,
    correlation: number,
    layout: number,
  ): void {
    if (change.status !== STATUS_DONE || !isDurable) {
      return answerReplicate(connection, change.status, correlation, layout, change, false);
    }
    return copy.engine.sync((isSynced) => {
      const status = isSynced ? STATUS_DONE : STATUS_FAILED;
      answerReplicate(connection, status, correlation, layout, change, isSynced);
    });
  }

  #onFetch(frame: FrameView, connection: Connection, from: PeerIdentity): void {
    const { correlation, layout } = frame;
    const kind = KIND_FETCH | REPLY_BIT;
    const refuse = (status: number): void => {
      connection.reserve(kind, 0, status, correlation, layout, 0);
    };
    const { bytes, start, end } = frame;
    if (!readFetch(bytes, start, end, fetchView)) return refuse(STATUS_MALFORMED);
    const refusal = this.#refusal(frame, from);
    if (refusal !== STATUS_DONE) return refuse(refusal);
    const nameBytes = bytes.slice(fetchView.nameStart, fetchView.nameEnd);
    if (checkName(nameBytes) !== "") return refuse(STATUS_MALFORMED);
    const name = new ObjectName(nameBytes);
    const { aboutStart, checksum } = fetchView;
    if (fetchView.want === WANT_SLICE) {
      const about = bytes.slice(aboutStart, aboutStart + BODY_ABOUT_BYTES);
      return this.#payload(name, about, (payload) => {
        this.#answerSlice(payload, checksum, connection, correlation, layout);
      });
    }
    const isComplete = this.#host.isCompletePrimary(name);
    const isAbout = (fetchView.flags & FETCH_REQUEST) !== 0;
    const isSuperseded = isAbout && this.#host.isSuperseded(name, bytes, aboutStart, checksum);
    this.#find(name, fetchView, (status, digest0, digest1, set) => {
      const length = fetchedLength(set);
      const offset = connection.reserve(kind, 0, status, correlation, layout, length);
      if (offset < 0) return;
      const fetched = { isComplete, isSuperseded, digest0, digest1, set };
      writeFetched(fetched, connection.buffer, offset);
    });
  }

  #onBody(frame: FrameView, connection: Connection, from: PeerIdentity): void {
    const { correlation, layout, bytes, end } = frame;
    const answer = (status: number, next: number): void => {
      const length = status === STATUS_DONE ? BODY_REPLY_LENGTH : 0;
      const at = connection.reserve(KIND_BODY | REPLY_BIT, 0, status, correlation, layout, length);
      if (at >= 0 && length > 0) writeU32(connection.buffer, at, next);
    };
    const refusal = this.#refusal(frame, from);
    if (refusal !== STATUS_DONE) return answer(refusal, 0);
    const body = readBody(bytes, frame.start, end);
    if (body === null || checkName(body.name) !== "") return answer(STATUS_MALFORMED, 0);
    const id = this.#idOf(body);
    if (id === null) return answer(STATUS_STALE, 0);
    const taken = this.#host.bodies.take(id, body, body.offset, bytes, body.sliceStart, end);
    return answer(taken.status, taken.next);
  }

  /** Where a payload is staged; null: for an owner that is no member. */
  #idOf(body: BodyView): BodyId | null {
    const { objects, hints } = this.#host;
    const name = new ObjectName(body.name.slice());
    const about = body.about.slice();
    if ((body.flags & BODY_HINTED) === 0) return { engine: objects.engine, name, about };
    const owner = this.#host.memberById(toHex(body.target, 0, ACTOR_BYTES));
    if (owner === undefined) return null;
    return { engine: hints.copy.engine, name: hintName(owner.idBytes, name), about };
  }

  /** The payload of a version, or of a request, wherever it is here. */
  #payload(name: ObjectName, about: Uint8Array, done: (payload: Payload | null) => void): void {
    const { objects, bodies } = this.#host;
    const staged = bodies.find({ engine: objects.engine, name, about }, null);
    if (staged !== null) return done(staged);
    return objects.read(name, (outcome) => {
      const held = outcome.status === "found" ? payloadWithDot(outcome.set, about) : null;
      if (held !== null) return done(held);
      return this.#host.collectAsStandIn(name, (set) => {
        done(set === null ? null : payloadWithDot(set, about));
      });
    });
  }

  #answerSlice(
    payload: Payload | null,
    offset: number,
    connection: Connection,
    correlation: number,
    layout: number,
  ): void {
    const kind = KIND_FETCH | REPLY_BIT;
    const refuse = (status: number): void => {
      connection.reserve(kind, 0, status, correlation, layout, 0);
    };
    if (payload === null) return refuse(STATUS_ABSENT);
    if (offset >= payload.length) return refuse(STATUS_MALFORMED);
    const { sliceBytes } = this.#host;
    const count = sliceEnd(offset, payload.length, sliceBytes) - offset;
    if (slice.length < count) slice = new Uint8Array(sliceBytes);
    const status = isLarge(payload) ? payload.readInto(offset, slice, 0, count) : "read";
    if (!isLarge(payload)) slice.set(payload.subarray(offset, offset + count));
    if (status !== "read") return refuse(status === "damaged" ? STATUS_DAMAGED : STATUS_ABSENT);
    const at = connection.reserve(kind, 0, STATUS_DONE, correlation, layout, SLICE_START + count);
    if (at < 0) return;
    writeSliceHead(crc32c(slice, 0, count), connection.buffer, at);
    connection.buffer.set(slice.subarray(0, count), at + SLICE_START);
  }

  #find(
    name: ObjectName,
    asked: FetchView,
    done: (status: number, digest0: number, digest1: number, set: WireSet | null) => void,
  ): void {
    const { want, flags, bytes, aboutStart } = asked;
    const dot = want === WANT_VERSION ? bytes.slice(aboutStart, aboutStart + DOT_BYTES) : null;
    if ((flags & FETCH_HINTS) !== 0) {
      return this.#host.collectAsStandIn(name, (set) => {
        if (set === null) return done(STATUS_ABSENT, 0, 0, null);
        headDigestInto(set.head, 0, set.head.length, replyDigest, 0);
        const wanted = want === WANT_DIGEST ? null : this.#wanted(set, dot);
        return done(STATUS_DONE, replyDigest[0], replyDigest[1], wanted);
      });
    }
    if (want === WANT_DIGEST) {
      const isHeld = this.#host.objects.engine.digestInto(name, replyDigest, 0);
      if (!isHeld) return done(STATUS_ABSENT, 0, 0, null);
      return done(STATUS_DONE, replyDigest[0], replyDigest[1], null);
    }
    return this.#host.objects.read(name, (outcome) => {
      if (outcome.status !== "found") return done(statusOf(outcome), 0, 0, null);
      headDigestInto(outcome.set.head, 0, outcome.set.head.length, replyDigest, 0);
      return done(STATUS_DONE, replyDigest[0], replyDigest[1], this.#wanted(outcome.set, dot));
    });
  }

  /** The version with a dot, or (null) the set as far as it fits. */
  #wanted(set: VersionSet, dot: Uint8Array | null): WireSet | null {
    return dot === null ? this.#host.fit(set) : oneVersion(set, dot);
  }

  #refusal(frame: FrameView, from: PeerIdentity): number {
    const host = this.#host;
    // A finished state is taken as it is: only members may hand one over.
    if (from.role !== "peer") return STATUS_MALFORMED;
    if (!host.isReady) return STATUS_NOT_READY;
    if (!host.isRetired(frame.layout)) return STATUS_DONE;
    host.counters.staleRefused++;
    return STATUS_STALE;
  }
}

/** What is held now goes with STATUS_DONE alone. */
function answerReplicate(
  connection: Connection,
  status: number,
  correlation: number,
  layout: number,
  change: Change,
  isDurable: boolean,
): void {
  const length = status === STATUS_DONE ? REPLICATED_LENGTH : 0;
  const offset = connection.reserve(REPLICATED, 0, status, correlation, layout, length);
  if (offset < 0 || length === 0) return;
  replyDigest[0] = change.digest0;
  replyDigest[1] = change.digest1;
  writeReplicated(isDurable, replyDigest, connection.buffer, offset);
}

function statusOf(outcome: ReadOutcome): number {
  if (outcome.status === "absent") return STATUS_ABSENT;
  return outcome.status === "damaged" ? STATUS_DAMAGED : STATUS_FAILED;
}

function payloadWithDot(set: VersionSet, dot: Uint8Array): Payload | null {
  const index = findDot(set.head, 0, dot, 0);
  return index < 0 ? null : set.payloads[index];
}

/** The version with a dot as a state of its own; null where it is not live here. */
function oneVersion(set: VersionSet, dot: Uint8Array): WireSet | null {
  const index = findDot(set.head, 0, dot, 0);
  if (index < 0) return null;
  return { head: singleVersion(set.head, 0, index), payloads: [smallBytes(set.payloads[index])] };
}
