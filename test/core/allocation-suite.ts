/**
 * What is hot makes nothing: many calls of each @hot function of core/, on every runtime. (The hashes
 * and the ring measure theirs in their own suites; test/hot-rules finds what nobody does.)
 *
 * Counters and stamps lie beyond 32 bits, where a number made of them may need the heap; inputs
 * change from call to call; heads are of several versions, of two policies, with twins.
 */

import * as bytes from "../../core/bytes.ts";
import {
  ACTOR_BYTES,
  compareActors,
  compareCounters,
  compareDots,
  compareStamps,
  ENTRY_BYTES,
  entryCovers,
  follows,
  hasCounter,
  hasKnownKind,
  isFirst,
  isPinned,
  isSingle,
  PAIR,
  sameActor,
  sameDot,
  SINGLE,
  STAMP_AT,
  stampLogical,
  writeEntry,
} from "../../core/clock-entry.ts";
import {
  CONTEXT_BYTES_MAX,
  contextFromTextInto,
  contextLengthMax,
  contextToText,
  decodeContext,
  encodeContextInto,
} from "../../core/context.ts";
import { crc32c } from "../../core/crc32c.ts";
import { FrameReader } from "../../core/frame-reader.ts";
import {
  FRAME_HEADER_BYTES,
  frameBytesMax,
  FrameView,
  readFrame,
  readFrameLength,
  writeFrameHeader,
} from "../../core/frame.ts";
import { HybridClock } from "../../core/hybrid-clock.ts";
import { bucketTag, bucketTagOf, checkName, equalBytes, nameTag } from "../../core/object-name.ts";
import {
  FetchedView,
  fetchedLength,
  fetchLength,
  FetchView,
  locateSet,
  readFetch,
  readFetched,
  readReplicate,
  replicateLength,
  REQUEST_BYTES,
  ReplicateView,
  setLength,
  SetView,
  writeFetch,
  writeFetched,
  writeReplicate,
  writeReplicated,
  writeSet,
} from "../../core/replica-frames.ts";
import { SIPHASH_BYTES, siphashInto } from "../../core/siphash.ts";
import {
  clockCompare,
  clockConcurrent,
  clockCovers,
  clockDescends,
  clockIncrement,
  clockIsWellFormed,
  clockMergeInto,
  clockNewestStamp,
  clockPinAll,
  clockRemove,
} from "../../core/vector-clock.ts";
import {
  contextAfterPutInto,
  discardInto,
  eventInto,
  eventLengthMax,
} from "../../core/version-event.ts";
import {
  areTwins,
  dropTwinsOfDead,
  isSuperseded,
  keepLastWrite,
  requestIndex,
  shownInto,
} from "../../core/version-rules.ts";
import * as head from "../../core/version-set.ts";
import { compareHeads, syncedLengthMax, syncInto } from "../../core/version-sync.ts";
import { truncateClock } from "../../core/version-truncate.ts";
import { allocatesNothing } from "../heap-growth.ts";
import { actorBytes } from "../model/vector-clock-model.ts";
import { clockOf, eventOn, mergeOf } from "../model/version-world.ts";
import type { Case } from "../suite.ts";

const FAR = 2 ** 40;
const NOW_MS = 1_790_000_000_000;
const NONE = new Uint8Array(0);
const key = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);
const name = new TextEncoder().encode("cart/user-17");
const target = new Uint8Array(4096);
const sources = new Int32Array(16);
const words = new Uint32Array(2);

/** Takes a result in; a number kept in a variable of a module would itself need the heap. */
const sink = new Float64Array(1);

function keep(value: number | boolean): void {
  sink[0] = value === true ? 1 : value === false ? 0 : value;
}

function entry(actor: string, counter: number, kind: number, ms = NOW_MS): Uint8Array {
  const made = new Uint8Array(ENTRY_BYTES);
  writeEntry(made, 0, actorBytes(actor), 0, counter, kind, ms, 3);
  return made;
}

const fields: head.VersionFields = {
  actor: actorBytes("a"),
  counter: FAR,
  policy: head.POLICY_SIBLINGS,
  tombstone: false,
  stampMs: NOW_MS,
  stampLogical: 3,
  expiryMs: 0,
  requestId: new Uint8Array(16).fill(7),
  metaLength: 2,
  bodyLength: 6,
  checksum: 0xdeadbeef,
};

function version(actor: string, changed: Partial<head.VersionFields> = {}): Uint8Array {
  const made = new Uint8Array(head.VERSION_BYTES);
  head.writeVersion(made, 0, { ...fields, actor: actorBytes(actor), ...changed });
  return made;
}

/** Two versions; three of them, two of which are twins, on the right; and one to come. */
const left = eventOn(
  eventOn(NONE, NONE, version("a")),
  NONE,
  version("c", { policy: head.POLICY_LWW }),
);
const right = mergeOf(left, eventOn(NONE, NONE, version("d")));
const context = clockOf(left);
const entries = context.length / ENTRY_BYTES;
const next = version("e", { stampMs: NOW_MS + 1 });

const pairs = Uint8Array.from([...entry("a", FAR, PAIR), ...entry("b", FAR, PAIR)]);
const mixed = Uint8Array.from([...entry("a", FAR + 5, PAIR), ...entry("b", FAR + 1, SINGLE)]);
const dot = entry("b", FAR + 2, SINGLE);

const set = { head: left, payloads: [new Uint8Array(8), null] };
const requests = new Uint8Array(REQUEST_BYTES);
const noTarget = key.slice(0, 8);
const replicate = { purpose: 0, flags: 1, round: 5, target: noTarget, name, requests, set };
// Below 2^31: greater ones V8 keeps on the heap wherever it has not put a function into its caller,
// which depends on how busy the machine is and says nothing of these functions.
const fetch = { want: 2, flags: 0, checksum: 2 ** 30, about: dot.slice(0, 14), name };
const digests = { digest0: 2 ** 30, digest1: 2 ** 30 + 1 };
const digestWords = Uint32Array.of(2 ** 30, 2 ** 30 + 1);
const fetched = { isComplete: true, isSuperseded: true, ...digests, set };

export const suite: readonly Case[] = [
  {
    name: "Numbers in bytes allocate nothing",
    async run(check) {
      await allocatesNothing(check, "bytes", (call) => {
        bytes.writeU16(target, 0, call);
        bytes.writeU32(target, 2, call + 0xff000000);
        bytes.copyBytes(target, 0, target, 20, 14);
        keep(bytes.readU16(target, 20) + bytes.readU32(target, 22));
        keep(bytes.compareBytes(target, 0, target, 20, 14));
        keep(bytes.compareNumbers(target, 0, dot, 0, 14));
      });
    },
  },
  {
    name: "Clock entries allocate nothing",
    async run(check) {
      await allocatesNothing(check, "dots", (call) => {
        bytes.writeU16(dot, ACTOR_BYTES, call);
        keep(compareActors(dot, 0, mixed, 0) + compareCounters(dot, 0, mixed, 0));
        keep(compareDots(dot, 0, mixed, ENTRY_BYTES));
        keep(sameActor(dot, 0, mixed, 0) || sameDot(dot, 0, mixed, ENTRY_BYTES));
        keep(follows(mixed, ENTRY_BYTES, dot, 0) || entryCovers(mixed, ENTRY_BYTES, dot, 0));
      });
      await allocatesNothing(check, "fields", (call) => {
        bytes.writeU16(dot, STAMP_AT, call);
        keep(stampLogical(dot, STAMP_AT));
        keep(compareStamps(dot, STAMP_AT, mixed, STAMP_AT));
        keep(isSingle(dot, 0) && !isPinned(dot, 0) && hasKnownKind(dot, 0));
        keep(hasCounter(dot, 0) || isFirst(dot, 0));
      });
    },
  },
  {
    name: "Clocks allocate nothing",
    async run(check) {
      await allocatesNothing(check, "clockCovers", (call) => {
        bytes.writeU16(dot, ACTOR_BYTES, call);
        keep(clockCovers(mixed, 0, 2, dot, 0));
      });
      await allocatesNothing(check, "clockCompare, clockDescends, clockConcurrent", (call) => {
        bytes.writeU16(pairs, ACTOR_BYTES, call);
        keep(clockCompare(pairs, 0, 2, pairs, ENTRY_BYTES, 1));
        keep(clockCompare(pairs, 0, 2, mixed, 0, 2));
        keep(clockDescends(mixed, 0, 2, pairs, 0, 2) || clockConcurrent(mixed, 0, 2, pairs, 0, 2));
      });
      await allocatesNothing(check, "clockMergeInto, clockIncrement", (call) => {
        bytes.writeU16(pairs, ACTOR_BYTES, call);
        const count = clockMergeInto(pairs, 0, 2, mixed, 0, 2, target, 0);
        keep(clockIncrement(target, 0, count, dot, 0, SINGLE));
      });
      await allocatesNothing(check, "the rest", (call) => {
        bytes.writeU16(pairs, ACTOR_BYTES, call);
        bytes.copyBytes(pairs, 0, target, 0, 2 * ENTRY_BYTES);
        clockPinAll(target, 0, 2);
        keep(clockIsWellFormed(target, 0, 2, target.length));
        keep(clockNewestStamp(target, 0, 2) + clockRemove(target, 0, 2, 0));
      });
    },
  },
  {
    name: "Fields of heads allocate nothing",
    async run(check) {
      const at = head.versionOffset(0, 0);
      await allocatesNothing(check, "the head's fields", () => {
        keep(head.versionCount(right, 0) + head.clockCount(right, 0) + head.headLength(right, 0));
        keep(head.writeHeadCounts(target, 0, 3, 3));
        keep(head.clockOffset(right, 0) + head.versionOffset(0, 1) + head.newestStamp(right, 0));
      });
      await allocatesNothing(check, "a version's fields", () => {
        keep(head.versionFlags(right, at) + head.versionPolicy(right, at));
        keep(head.versionStamp(at) + head.versionRequestId(at) + head.payloadChecksum(right, at));
        keep(head.metaLength(right, at) + head.bodyLength(right, at) + head.payloadLength(right, at));
      });
      await allocatesNothing(check, "whether a version ends", () => {
        keep(head.isTombstone(right, at) || head.endsObject(right, at) || head.hasExpiry(right, at));
      });
      await allocatesNothing(check, "the whole head", (call) => {
        bytes.writeU16(next, ACTOR_BYTES, call);
        keep(head.findDot(right, 0, next, 0) + head.findDotAmong(right, 0, 2, next, 0));
        keep(head.isLive(right, 0, next, 0) || head.isWellFormedHead(right, 0, right.length));
        head.headDigestInto(right, 0, right.length, words, 0);
      });
    },
  },
  {
    name: "Making and joining versions allocates nothing",
    async run(check) {
      await allocatesNothing(check, "syncInto", () => {
        keep(syncedLengthMax(left, 0, right, 0) + syncInto(left, 0, right, 0, target, 0, sources));
      });
      await allocatesNothing(check, "compareHeads", () => keep(compareHeads(left, 0, right, 0)));
      await allocatesNothing(check, "eventInto", (call) => {
        bytes.writeU16(next, ACTOR_BYTES, call);
        keep(eventLengthMax(right, 0, entries));
        keep(eventInto(right, 0, context, 0, entries, next, 0, 1, 2, target, 0, sources));
      });
      await allocatesNothing(check, "discardInto, contextAfterPutInto", () => {
        keep(discardInto(right, 0, context, 0, entries, target, 0, sources));
        keep(contextAfterPutInto(context, 0, entries, right, 0, next, 0, target, 0));
      });
      const clock = head.versionOffset(0, 1);
      await allocatesNothing(check, "truncateClock", () => {
        bytes.copyBytes(right, head.HEAD_BYTES, target, head.HEAD_BYTES, head.VERSION_BYTES);
        bytes.copyBytes(mixed, 0, target, clock, 2 * ENTRY_BYTES);
        bytes.copyBytes(dot, 0, target, clock + 2 * ENTRY_BYTES, ENTRY_BYTES);
        keep(truncateClock(target, 0, 1, 3, 1, next, 0));
      });
    },
  },
  {
    name: "The rules for versions allocate nothing",
    async run(check) {
      await allocatesNothing(check, "shown, superseded, twins", () => {
        keep(shownInto(right, 0, NOW_MS, sources));
        keep(requestIndex(right, 0, next, head.versionRequestId(0)));
        keep(isSuperseded(left, head.versionOffset(0, 1), right, 0));
        keep(areTwins(left, head.versionOffset(0, 0), right, head.versionOffset(0, 2)));
      });
      await allocatesNothing(check, "dropped versions", () => {
        bytes.copyBytes(right, 0, target, 0, right.length);
        const kept = dropTwinsOfDead(left, 0, target, 0, 3, sources);
        keep(keepLastWrite(target, 0, kept, sources));
      });
    },
  },
  {
    name: "Contexts, checksums, names and stamps allocate nothing",
    async run(check) {
      const decoded = new Uint8Array(CONTEXT_BYTES_MAX);
      const reader = key.slice(0, ACTOR_BYTES);
      const encode = () =>
        encodeContextInto(mixed, 0, 2, NONE, 0, 0, reader, key, name, target, 0);
      const text = contextToText(target, 0, encode());
      await allocatesNothing(check, "encodeContextInto", () => {
        keep(contextLengthMax(2));
        keep(encodeContextInto(mixed, 0, 2, NONE, 0, 0, reader, key, name, target, 0));
      });
      await allocatesNothing(check, "decodeContext", () => {
        keep(contextFromTextInto(text, decoded) + decodeContext(text, key, name, decoded));
      });
      const message = new Uint8Array(60).fill(200);
      const tag = new Uint8Array(SIPHASH_BYTES);
      await allocatesNothing(check, "siphashInto, crc32c", (call) => {
        message[0] = call;
        siphashInto(key, message, 0, 60, tag, 0);
        keep(crc32c(message, 0, 60, 7) | 0);
      });
      await allocatesNothing(check, "names", () => {
        keep(checkName(name).length + (nameTag(name) | 0));
        keep(bucketTag(name) + bucketTagOf(-1));
        keep(equalBytes(name, fetch.name));
      });
      const clock = new HybridClock(NOW_MS, 0);
      await allocatesNothing(check, "HybridClock", (call) => {
        clock.observe(NOW_MS + (call & 1023), 3);
        clock.observeAt(mixed, STAMP_AT);
        clock.next(NOW_MS + (call & 63));
      });
    },
  },
  {
    name: "Frames are written and read without allocating",
    async run(check) {
      const frame = new FrameView();
      const start = FRAME_HEADER_BYTES;
      await allocatesNothing(check, "headers", (call) => {
        writeFrameHeader(target, 0, 3, 0, 0, call + 2 ** 31, 7, 100);
        readFrame(target, 0, frame);
        keep(frame.end + readFrameLength(target, 0) + frameBytesMax(1 << 20));
      });
      const [asked, wanted, reply] = [new ReplicateView(), new FetchView(), new FetchedView()];
      const located = new SetView();
      const setEnd = start + setLength(set);
      await allocatesNothing(check, "sets", () => {
        keep(writeSet(set, target, start) + setLength(set));
        keep(locateSet(target, start, setEnd, located));
      });
      await allocatesNothing(check, "REPLICATE", () => {
        writeReplicate(replicate, target, start);
        keep(readReplicate(target, start, start + replicateLength(name, requests, set), asked));
        writeReplicated(true, digestWords, target, start);
      });
      await allocatesNothing(check, "FETCH", () => {
        writeFetch(fetch, target, start);
        keep(readFetch(target, start, start + fetchLength(name), wanted));
        writeFetched(fetched, target, start);
        keep(readFetched(target, start, start + fetchedLength(set), reply));
      });
      check.ok(asked.bytes === target && wanted.bytes === target && reply.hasSet, "all were read");
    },
  },
  {
    name: "A stream of whole frames is cut without allocating",
    async run(check) {
      const stream = new Uint8Array(3 * FRAME_HEADER_BYTES);
      for (const index of [0, 1, 2]) {
        writeFrameHeader(stream, index * FRAME_HEADER_BYTES, 17, 0, 0, 2 ** 31 + index, 7, 0);
      }
      const reader = new FrameReader(1 << 20, (frame) => {
        keep(frame.end);
        return true;
      });
      await allocatesNothing(check, "take", () => keep(reader.take(stream).length));
    },
  },
];
