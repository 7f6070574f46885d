/**
 * This node's copy of many names in one engine, and the only two ways in which it changes:
 *
 *   join    a finished set arrives (replication, hint, repair): the join of both is what is held then
 *   event   a new version is made here by a coordinator, on top of what is held
 *
 *   read the head ─► join or event in scratch ─► write ─► remember what was superseded
 *   └── one step: an engine answers a read of the head before it returns ──┘
 *
 * INVARIANTS
 *   honest clocks   a set is applied only when all bodies that are new here came with it
 *   three outcomes  a status says what happened; nothing is written unless it says DONE
 *   own dots        a set that cannot be read is written over only once the store is another actor: the one
 *                   that forgot a dot of its own would cover it with its next, unseen
 *   no closed round a state that was read before its partition's round closed is refused (rounds.ts)
 *   no late twins   a version whose request id was superseded here stays superseded; what the log does
 *                   not tell of that at the next start is noted in it
 */

import { compareBytes, readU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  REQUEST_BYTES,
  STATUS_DAMAGED,
  STATUS_DONE,
  STATUS_FAILED,
  STATUS_FULL,
  STATUS_INCOMPLETE,
  STATUS_MALFORMED,
  STATUS_NOT_READY,
} from "../../core/replica-frames.ts";
import { entriesTruncated } from "../../core/version-event.ts";
import { FROM_RIGHT, syncInto, syncedLengthMax, withoutVersion } from "../../core/version-sync.ts";
import { isSuperseded, requestIndex } from "../../core/version-rules.ts";
import {
  POLICY_LWW,
  REQUEST_ID_BYTES,
  REQUEST_ID_OFFSET,
  isContextRead,
  payloadChecksum,
  payloadLength,
  versionCount,
  versionOffset,
  versionPolicy,
} from "../../core/version-set.ts";
import type { Engine, ReadOutcome, VersionSet, WriteLabels } from "../../storage/engine.ts";
import { isLarge, type Payload } from "../../storage/large-payload.ts";
import type { Clock } from "../ports/clock.ts";
import { aboutOf, sizeOf } from "./body-pull.ts";
import { type Change, changeDone, changeFailed, closedChange, NOTHING } from "./change.ts";
import type { Counters } from "./counters.ts";
import { type EventMaker, eventOver } from "./event.ts";
import { bodyIn } from "./merge-sets.ts";
import { NO_REQUESTS, RequestList, requestIsYoung } from "./request-list.ts";
import { SetScratch } from "./set-scratch.ts";
import type { BodyId, StagedBodies } from "./staged-bodies.ts";
import type { SupersededRequests } from "./superseded.ts";

/** Stands for what is stored where that cannot be read. */
const UNREADABLE: VersionSet = { ...NOTHING };
/** Of the join under way. */
const scratch = new SetScratch();
/** Writes that the join or event under way superseded. */
const requests = new RequestList();

export class LocalCopy {
  readonly engine: Engine;
  readonly #clock: Clock;
  readonly #superseded: SupersededRequests;
  readonly #counters: Counters;
  readonly #bodies: StagedBodies;
  /** Whether a state with a label of this round is too old to be applied (rounds.ts). */
  readonly #isClosed: (name: ObjectName, round: number) => boolean;
  /** Told which writes were superseded under a name, as far as that is news (request-list.ts). */
  onSuperseded: ((name: ObjectName, requests: Uint8Array) => void) | null = null;
  /** Told of every read that found damage, before anything is made of it. */
  onDamage: (name: ObjectName, detail: string) => void = () => {};
  /** Asked before a set takes the place of one whose head cannot be read, which forgets its dots. */
  mayForget: () => boolean = () => true;

  /**
   * @param bodies large payloads that came before the sets that refer to them
   * @param isClosed whether a state with a label of this round is not to be applied; default: none
   */
  constructor(
    engine: Engine,
    clock: Clock,
    superseded: SupersededRequests,
    counters: Counters,
    bodies: StagedBodies,
    isClosed: (name: ObjectName, round: number) => boolean = () => false,
  ) {
    this.#isClosed = isClosed;
    this.engine = engine;
    this.#clock = clock;
    this.#superseded = superseded;
    this.#counters = counters;
    this.#bodies = bodies;
  }

  /** Reads a set with its payloads. */
  read(name: ObjectName, done: (outcome: ReadOutcome) => void): void {
    this.engine.read(name, (outcome) => {
      if (outcome.status === "damaged") this.onDamage(name, outcome.detail);
      done(outcome);
    });
  }

  /**
   * Merges a finished set into what is held. `incoming` may lack bodies that are stored here.
   * @param told writes that versions of `incoming` have superseded (request-list.ts)
   */
  join(
    name: ObjectName,
    incoming: VersionSet,
    labels: WriteLabels,
    told: Uint8Array = NO_REQUESTS,
  ): Change {
    if (this.#isClosed(name, labels.round)) return this.#tooOld();
    const outcome = this.#readHead(name);
    if (outcome.status === "failed") return changeFailed(STATUS_FAILED, outcome.detail);
    const change = this.#joinOver(name, outcome, incoming, labels, false, told);
    if (told.length > 0 && change.status === STATUS_DONE) this.#learn(name, outcome, told);
    return change;
  }

  /**
   * A join that makes damage good: bodies that are stored here and cannot be read are taken from
   * `incoming`, even where nothing else is new in it. Reads all that is held, which a join does not.
   */
  restore(
    name: ObjectName,
    incoming: VersionSet,
    labels: WriteLabels,
    done: (change: Change) => void,
  ): void {
    this.engine.read(name, (whole) => {
      if (whole.status !== "damaged") return done(this.join(name, incoming, labels));
      if (this.#isClosed(name, labels.round)) return done(this.#tooOld());
      const outcome = this.#readHead(name);
      if (outcome.status === "failed") return done(changeFailed(STATUS_FAILED, outcome.detail));
      return done(this.#joinOver(name, outcome, incoming, labels, true, NO_REQUESTS));
    });
  }

  #tooOld(): Change {
    this.#counters.closedRefused++;
    return closedChange();
  }

  /** Joins, with the large payloads that came before the set; those that it needed are part of it then. */
  #joinOver(
    name: ObjectName,
    outcome: ReadOutcome,
    given: VersionSet,
    labels: WriteLabels,
    takesBodies: boolean,
    told: Uint8Array,
  ): Change {
    const staged: BodyId[] = [];
    const incoming = this.#withStaged(name, given, staged);
    const change = this.#joinRead(name, outcome, incoming, labels, takesBodies, told);
    if (change.status === STATUS_DONE) for (const id of staged) this.#bodies.drop(id);
    return change;
  }

  /** The set with those of its payloads that are staged here; lists them in `staged`. */
  #withStaged(name: ObjectName, given: VersionSet, staged: BodyId[]): VersionSet {
    if (this.#bodies.count === 0 || !given.payloads.includes(null)) return given;
    const payloads = given.payloads.map((payload, index) => {
      if (payload !== null) return payload;
      const id = { engine: this.engine, name, about: aboutOf(given.head, index) };
      const found = this.#bodies.find(id, sizeOf(given.head, index));
      if (found !== null) staged.push(id);
      return found;
    });
    return staged.length === 0 ? given : { head: given.head, payloads };
  }

  /** What cannot be read cannot be kept: a set from a replica takes its place. */
  #joinRead(
    name: ObjectName,
    outcome: ReadOutcome,
    incoming: VersionSet,
    labels: WriteLabels,
    takesBodies: boolean,
    told: Uint8Array,
  ): Change {
    const given = this.#withoutLateTwins(name, incoming, told);
    if (outcome.status === "found") {
      const { set } = outcome;
      const held = told.length === 0 ? set : this.#withoutLateTwins(name, set, told);
      return this.#joinInto(name, set, held, incoming, given, labels, takesBodies);
    }
    const stored = outcome.status === "damaged" ? UNREADABLE : NOTHING;
    return this.#joinInto(name, stored, NOTHING, incoming, given, labels, takesBodies);
  }

  /** Makes a version on top of what is held. */
  event(name: ObjectName, maker: EventMaker, labels: WriteLabels): Change {
    const outcome = this.#readHead(name);
    if (outcome.status === "failed") return changeFailed(STATUS_FAILED, outcome.detail);
    if (outcome.status === "damaged") return changeFailed(STATUS_DAMAGED, outcome.detail);
    const held = outcome.status === "found" ? outcome.set : NOTHING;
    return this.#eventOn(name, held, maker, labels);
  }

  #readHead(name: ObjectName): ReadOutcome {
    const outcome = this.engine.readHead(name);
    if (outcome.status === "damaged") this.onDamage(name, outcome.detail);
    return outcome;
  }

  /** Joins `held` and `incoming`: what is left of `stored` and `given` without late twins. */
  #joinInto(
    name: ObjectName,
    stored: VersionSet,
    held: VersionSet,
    given: VersionSet,
    incoming: VersionSet,
    labels: WriteLabels,
    takesBodies: boolean,
  ): Change {
    scratch.reserve(syncedLengthMax(held.head, 0, incoming.head, 0), held, incoming);
    const length = mergedLength(held, incoming);
    if (length < 0) return changeFailed(STATUS_FAILED, "both heads together are beyond what one can count");
    const head = scratch.bytes.slice(0, length);
    const payloads: (Payload | null)[] = [];
    for (let index = 0; index < versionCount(head, 0); index++) {
      const source = scratch.sources[index];
      const payload = source < FROM_RIGHT ? null : incoming.payloads[source - FROM_RIGHT];
      if (source >= FROM_RIGHT && payload === null) {
        return changeFailed(STATUS_INCOMPLETE, "a body is missing that is not stored here");
      }
      if (payload !== null && !isSound(payload, head, versionOffset(0, index))) {
        return changeFailed(STATUS_MALFORMED, "a body arrived that fails its checksum");
      }
      payloads.push(takesBodies ? (payload ?? bodyIn(incoming, head, index)) : payload);
    }
    const isSame = !takesBodies && sameBytes(stored.head, head);
    if (!isSame && stored === UNREADABLE && !this.mayForget()) {
      return changeFailed(STATUS_FAILED, "a damaged record is in the way, and no new actor can be written");
    }
    const change = isSame
      ? changeDone({ head, payloads }, false)
      : this.#store(name, stored, { head, payloads }, labels, false);
    if (change.status === STATUS_DONE) this.#noteDeadOnArrival(name, given.head, head);
    return change;
  }

  /**
   * A set less the versions that are retries of what was superseded here. Not those of policy lww:
   * elsewhere such a retry may have won over what superseded it here, and then each side would kill the
   * other's and nothing would be left. Nor those whose coordinator read their context: the retry may have
   * superseded what superseded the first attempt, and without it nothing would be left of either.
   * @param told further writes that are superseded by what the set is to be joined with
   */
  #withoutLateTwins(name: ObjectName, given: VersionSet, told: Uint8Array): VersionSet {
    let { head, payloads } = given;
    for (let index = payloads.length - 1; index >= 0; index--) {
      const offset = versionOffset(0, index);
      if (versionPolicy(head, offset) === POLICY_LWW || isContextRead(head, offset)) continue;
      if (!isAmong(told, head, offset) && !this.isLateTwin(name, head, offset)) continue;
      head = withoutVersion(head, 0, index);
      payloads = payloads.filter((_, place) => place !== index);
      this.#counters.lateTwins++;
    }
    return head === given.head ? given : { head, payloads };
  }

  #eventOn(
    name: ObjectName,
    held: VersionSet,
    maker: EventMaker,
    labels: WriteLabels,
  ): Change {
    const change = eventOver(name, held, maker);
    if (change.status !== STATUS_DONE || !change.isChanged) return change;
    this.#counters.clockTruncations += entriesTruncated;
    return this.#store(name, held, change.set, labels, true);
  }

  /** What is held of the names at these positions has been given away. */
  forgetSuperseded(positions: ReadonlySet<number>): void {
    this.#superseded.forgetAll(positions);
  }

  /** Whether a version entry is the retry of a write that was superseded here. */
  isLateTwin(name: ObjectName, bytes: Uint8Array, version: number): boolean {
    return this.#superseded.has(
      bytes,
      version + REQUEST_ID_OFFSET,
      payloadChecksum(bytes, version),
      name.position0,
      this.#clock.elapsedMs(),
    );
  }

  #store(
    name: ObjectName,
    held: VersionSet,
    set: VersionSet,
    labels: WriteLabels,
    isEvent: boolean,
  ): Change {
    const outcome = this.engine.write(name, set, labels);
    if (outcome.status === "full") return changeFailed(STATUS_FULL, outcome.detail, outcome.of);
    if (outcome.status === "sealed") return changeFailed(STATUS_NOT_READY, outcome.detail);
    if (outcome.status === "failed") return changeFailed(STATUS_FAILED, outcome.detail);
    if (outcome.status === "gone") return changeFailed(STATUS_INCOMPLETE, outcome.detail);
    this.#rememberSuperseded(name, held.head, set.head);
    return changeDone(set, true, isEvent && requests.count > 0 ? requests.toBytes() : NO_REQUESTS);
  }

  /**
   * Versions that do not live on: their writes must not come back through a late twin. Those that are
   * news and may still be retried are listed in `requests`.
   */
  #rememberSuperseded(name: ObjectName, before: Uint8Array, after: Uint8Array): void {
    requests.clear();
    for (let index = versionCount(before, 0) - 1; index >= 0; index--) {
      const offset = versionOffset(0, index);
      if (!isSuperseded(before, offset, after, 0)) continue;
      const id = offset + REQUEST_ID_OFFSET;
      const checksum = payloadChecksum(before, offset);
      if (this.#remember(name, before, id, checksum)) requests.add(before, id, checksum);
    }
    if (requests.count > 0) this.onSuperseded?.(name, requests.toBytes());
  }

  /** Whether it is news, of a write that may still be retried. */
  #remember(name: ObjectName, bytes: Uint8Array, id: number, checksum: number): boolean {
    const { position0 } = name;
    const clock = this.#clock;
    const isNews = this.#superseded.remember(bytes, id, checksum, position0, clock.elapsedMs());
    return isNews && requestIsYoung(bytes, id, clock.nowMs());
  }

  /** What is dead on arrival may have a twin that is still on its way, and the log has no trace of it. */
  #noteDeadOnArrival(name: ObjectName, given: Uint8Array, head: Uint8Array): void {
    this.#rememberSuperseded(name, given, head);
    if (requests.count > 0) this.engine.note(name, requests.toBytes());
  }

  /**
   * Remembers writes that a peer says are superseded, once what superseded them is held here (or a clock
   * would claim what nobody has); notes those that this log will not tell of.
   */
  #learn(name: ObjectName, outcome: ReadOutcome, told: Uint8Array): void {
    this.onSuperseded?.(name, told);
    requests.clear();
    for (let at = 0; at < told.length; at += REQUEST_BYTES) {
      const checksum = readU32(told, at + REQUEST_ID_BYTES);
      if (!this.#remember(name, told, at, checksum)) continue;
      const isHeld = outcome.status === "found" && requestIndex(outcome.set.head, 0, told, at) >= 0;
      if (!isHeld) requests.add(told, at, checksum);
    }
    if (requests.count > 0) this.engine.note(name, requests.toBytes());
  }
}

/** Whether a list of writes has that of a version. */
function isAmong(told: Uint8Array, bytes: Uint8Array, version: number): boolean {
  const id = version + REQUEST_ID_OFFSET;
  for (let at = 0; at < told.length; at += REQUEST_BYTES) {
    if (compareBytes(told, at, bytes, id, REQUEST_ID_BYTES) !== 0) continue;
    if (readU32(told, at + REQUEST_ID_BYTES) === payloadChecksum(bytes, version)) return true;
  }
  return false;
}

/** Merges two heads into scratch; -1 where the result is more than a head can say (a peer may send that). */
function mergedLength(held: VersionSet, incoming: VersionSet): number {
  try {
    return syncInto(held.head, 0, incoming.head, 0, scratch.bytes, 0, scratch.sources);
  } catch (error) {
    if (error instanceof RangeError) return -1;
    throw error;
  }
}

/** Paired with the engine's check at each read: what is wrong on arrival is never acknowledged. */
function isSound(payload: Payload, head: Uint8Array, version: number): boolean {
  if (isLarge(payload)) {
    // Its bytes were checked as they came, and are again as they are read.
    const isLong = payload.length === payloadLength(head, version);
    return isLong && payload.checksum === payloadChecksum(head, version);
  }
  return crc32c(payload, 0, payload.length, 0) === payloadChecksum(head, version);
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
