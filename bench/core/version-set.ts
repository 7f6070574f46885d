/**
 * What does a put cost the core?
 *
 * The steps of a put on version sets, and all of them in a row: the coordinator makes an event on
 * what it holds, writes the frame for a replica, and that one reads it, checks it and joins it with
 * what it holds. The commonest set has one version, written on top of one that all have seen; its
 * clock has one entry where one node has coordinated, three where all primaries have. Siblings stand
 * for conflicts.
 *
 * The reference is a dotted version vector set as one writes it first: plain objects, a Map from
 * actors to counters, and CBOR for the wire. It has no request ids, policies, stamps or expiry, and
 * as long as it stays in memory it wins: its actors are strings that are compared by address. What a
 * put costs is decided where sets come from bytes and go to bytes, and there the packed form pays.
 */

import { Encoder } from "cbor-x";
import { toHex } from "../../core/bytes.ts";
import { ACTOR_BYTES, ENTRY_BYTES } from "../../core/clock-entry.ts";
import { FRAME_HEADER_BYTES, KIND_REPLICATE, writeFrameHeader } from "../../core/frame.ts";
import { CLOCK_ENTRIES_MAX_DEFAULT } from "../../core/limits.ts";
import {
  PURPOSE_WRITE,
  readReplicate,
  replicateLength,
  ReplicateView,
  writeReplicate,
} from "../../core/replica-frames.ts";
import { eventInto } from "../../core/version-event.ts";
import {
  clockCount,
  clockOffset,
  headDigestInto,
  isWellFormedHead,
  VERSION_BYTES,
  type VersionFields,
  versionCount,
  versionCounter,
  versionOffset,
  writeVersion,
} from "../../core/version-set.ts";
import { syncInto } from "../../core/version-sync.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const NONE = new Uint8Array(0);
const random = new SeededRandom(1);
const actors = Array.from({ length: 3 }, () => randomBytes(ACTOR_BYTES));
const payload = randomBytes(125);
const name = new TextEncoder().encode("cart/user-100017");
const cbor = new Encoder({ useRecords: false, tagUint8Array: false });

const target = new Uint8Array(4096);
const joined = new Uint8Array(4096);
const sources = new Int32Array(16);
const words = new Uint32Array(2);
const view = new ReplicateView();
let stampMs = 1_795_000_000_000;

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  return bytes;
}

function versionBy(actor: number, counter: number): Uint8Array {
  const fields: VersionFields = {
    actor: actors[actor],
    counter,
    policy: 0,
    tombstone: false,
    stampMs: ++stampMs,
    stampLogical: 0,
    expiryMs: 0,
    requestId: randomBytes(16),
    metaLength: 25,
    bodyLength: 100,
    checksum: random.uint32(),
  };
  const version = new Uint8Array(VERSION_BYTES);
  writeVersion(version, 0, fields);
  return version;
}

function eventOn(held: Uint8Array, context: Uint8Array, version: Uint8Array): number {
  const entries = context.length / ENTRY_BYTES;
  const max = CLOCK_ENTRIES_MAX_DEFAULT;
  return eventInto(held, 0, context, 0, entries, version, 0, 1, max, target, 0, sources);
}

function headAfter(held: Uint8Array, context: Uint8Array, version: Uint8Array): Uint8Array {
  return target.slice(0, eventOn(held, context, version));
}

function joinOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  return target.slice(0, syncInto(left, 0, right, 0, target, 0, sources));
}

/** The clock of a head, as the context that a reader carries. */
function contextOf(head: Uint8Array): Uint8Array {
  const start = clockOffset(head, 0);
  return head.slice(start, start + clockCount(head, 0) * ENTRY_BYTES);
}

/** One version; each of `writers` actors has written on top of the one before. */
function headBy(writers: number): Uint8Array {
  let head: Uint8Array = NONE;
  for (let actor = writers - 1; actor >= 0; actor--) {
    head = headAfter(head, contextOf(head), versionBy(actor, 1));
  }
  return head;
}

/** A dotted version vector set of plain objects. */
interface PlainSet {
  readonly seen: Map<string, number>;
  readonly versions: readonly PlainVersion[];
}

interface PlainVersion {
  readonly actor: string;
  readonly counter: number;
  readonly value: Uint8Array;
}

function isSeen(seen: ReadonlyMap<string, number>, { actor, counter }: PlainVersion): boolean {
  return (seen.get(actor) ?? 0) >= counter;
}

function isIn(versions: readonly PlainVersion[], { actor, counter }: PlainVersion): boolean {
  return versions.some((one) => one.actor === actor && one.counter === counter);
}

function plainSeen(
  left: ReadonlyMap<string, number>,
  right: ReadonlyMap<string, number>,
): Map<string, number> {
  const seen = new Map(left);
  for (const [actor, counter] of right) seen.set(actor, Math.max(counter, seen.get(actor) ?? 0));
  return seen;
}

function plainSync(left: PlainSet, right: PlainSet): PlainSet {
  const fromLeft = left.versions.filter((one) =>
    isIn(right.versions, one) || !isSeen(right.seen, one)
  );
  const fromRight = right.versions.filter((one) =>
    !isSeen(left.seen, one) && !isIn(left.versions, one)
  );
  return { seen: plainSeen(left.seen, right.seen), versions: [...fromLeft, ...fromRight] };
}

function plainEvent(
  held: PlainSet,
  context: ReadonlyMap<string, number>,
  version: PlainVersion,
): PlainSet {
  const seen = plainSeen(held.seen, context);
  seen.set(version.actor, version.counter);
  const kept = held.versions.filter((one) => !isSeen(context, one));
  return { seen, versions: [...kept, version] };
}

function plainOf(head: Uint8Array): PlainSet {
  const seen = new Map<string, number>();
  const end = clockOffset(head, 0) + clockCount(head, 0) * ENTRY_BYTES;
  for (let entry = clockOffset(head, 0); entry < end; entry += ENTRY_BYTES) {
    seen.set(toHex(head, entry, entry + ACTOR_BYTES), versionCounter(head, entry));
  }
  const versions = Array.from({ length: versionCount(head, 0) }, (_, index) => {
    const version = versionOffset(0, index);
    const actor = toHex(head, version, version + ACTOR_BYTES);
    return { actor, counter: versionCounter(head, version), value: payload };
  });
  return { seen, versions };
}

function eventTask(title: string, held: Uint8Array): Task {
  const context = contextOf(held);
  const next = versionBy(0, 2);
  const plain = plainOf(held);
  const newest = { actor: toHex(actors[0], 0, ACTOR_BYTES), counter: 2, value: payload };
  const works = [
    { name: "eventInto", run: () => keep(eventOn(held, context, next)) },
    {
      name: "plain objects",
      isReference: true,
      run: () => keep(plainEvent(plain, plain.seen, newest).seen.size),
    },
  ];
  return { title: `event: ${title}`, works };
}

/** Either side is held in turn, as replicas that send each other their sets do. */
function syncTask(title: string, one: Uint8Array, two: Uint8Array): Task {
  const [plainOne, plainTwo] = [plainOf(one), plainOf(two)];
  let turn = 0;
  const works = [
    {
      name: "syncInto",
      run() {
        const isTurned = (turn++ & 1) === 0;
        keep(syncInto(isTurned ? one : two, 0, isTurned ? two : one, 0, joined, 0, sources));
      },
    },
    {
      name: "plain objects",
      isReference: true,
      run() {
        const isTurned = (turn++ & 1) === 0;
        keep(plainSync(isTurned ? plainOne : plainTwo, isTurned ? plainTwo : plainOne).seen.size);
      },
    },
  ];
  return { title: `sync: ${title}`, works };
}

/** What arrives and what is stored is checked and digested. */
function headTask(title: string, head: Uint8Array): Task {
  const works = [
    { name: "isWellFormedHead", run: () => keep(isWellFormedHead(head, 0, head.length) ? 1 : 0) },
    {
      name: "headDigestInto",
      run() {
        headDigestInto(head, 0, head.length, words, 0);
        keep(words[0]);
      },
    },
  ];
  return { title: `one head: ${title}`, works };
}

/** Event, frame, and what the replica makes of it. */
function putTask(title: string, held: Uint8Array): Task {
  const context = contextOf(held);
  const next = versionBy(0, 2);
  const head = headAfter(held, context, next);
  const set = { head, payloads: [payload] };
  const noTarget = new Uint8Array(8);
  const body = { purpose: PURPOSE_WRITE, flags: 0, round: 0, target: noTarget, name, requests: NONE, set };
  const frame = new Uint8Array(1024);
  const start = FRAME_HEADER_BYTES;
  const plain = plainOf(held);
  const newest = { actor: toHex(actors[0], 0, ACTOR_BYTES), counter: 2, value: payload };
  const works = [
    {
      name: "event, digest, frame, read, sync, digest",
      run() {
        const length = eventOn(held, context, next);
        headDigestInto(target, 0, length, words, 0);
        const bodyLength = replicateLength(name, NONE, set);
        writeFrameHeader(frame, 0, KIND_REPLICATE, 0, 0, 1, 7, bodyLength);
        writeReplicate(body, frame, start);
        readReplicate(frame, start, start + bodyLength, view);
        const merged = syncInto(held, 0, frame, view.set.headStart, joined, 0, sources);
        headDigestInto(joined, 0, merged, words, 0);
        keep(words[0]);
      },
    },
    {
      name: "plain objects and cbor-x",
      isReference: true,
      run() {
        const made = plainEvent(plain, plain.seen, newest);
        const arrived = cbor.decode(cbor.encode([[...made.seen], made.versions, name]));
        const set = { seen: new Map<string, number>(arrived[0]), versions: arrived[1] };
        keep(plainSync(plain, set).seen.size);
      },
    },
  ];
  return { title: `put: ${title}`, works };
}

const [one, three] = [headBy(1), headBy(3)];
const newer = headAfter(three, contextOf(three), versionBy(0, 2));
const shared = headAfter(three, contextOf(three), versionBy(0, 3));
const left = joinOf(shared, headAfter(three, contextOf(three), versionBy(1, 2)));
const right = joinOf(shared, headAfter(three, contextOf(three), versionBy(2, 2)));

await ask("What does a put cost the core?", [
  putTask("one version, one actor", one),
  putTask("one version, three actors", three),
  eventTask("one version, one actor", one),
  eventTask("one version, three actors", three),
  syncTask("one version each, the newer wins", three, newer),
  syncTask("two siblings each, one shared", left, right),
  headTask("one version, three actors", newer),
]);
