/**
 * Random version sets as they travel, and the trial that every decoder of bodies has to stand:
 *
 *   valid      decodes to what was encoded, wherever in a buffer it lies
 *   cut        every prefix and every shorter suffix decodes to null or to something well-formed
 *   mutated    so does each of many bodies with some bytes changed
 *
 * Each is decoded twice, between zeros and between 0xff: a decoder that reads outside of its bounds
 * gives two answers, and a view that reaches beyond them is found by its place.
 */

import { crc32c } from "../../core/crc32c.ts";
import type { WireSet } from "../../core/replica-frames.ts";
import { ENTRY_BYTES, PAIR, writeEntry } from "../../core/clock-entry.ts";
import {
  HEAD_BYTES,
  isWellFormedHead,
  payloadLength,
  VERSION_BYTES,
  versionCount,
  versionOffset,
  writeHeadCounts,
  writeVersion,
} from "../../core/version-set.ts";
import type { SeededRandom } from "../random.ts";
import type { Check } from "../suite.ts";

export function randomBytes(random: SeededRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  return bytes;
}

/**
 * A well-formed set of up to six versions by as many actors; about a third of its bodies left out.
 */
export function randomSet(random: SeededRandom): WireSet {
  const count = random.below(7);
  const head = new Uint8Array(HEAD_BYTES + count * (VERSION_BYTES + ENTRY_BYTES));
  writeHeadCounts(head, 0, count, count);
  const payloads: (Uint8Array | null)[] = [];
  for (let index = 0; index < count; index++) {
    const actor = Uint8Array.of(index, 1, 2, 3, 4, 5, 6, 7);
    const tombstone = random.chance(1, 5);
    const payload = randomBytes(random, tombstone ? 0 : random.below(40));
    const counter = 1 + random.below(1_000);
    const metaLength = random.below(payload.length + 1);
    writeVersion(head, versionOffset(0, index), {
      actor,
      counter,
      policy: random.below(7),
      tombstone,
      stampMs: random.uint32(),
      stampLogical: random.below(65_536),
      expiryMs: random.chance(1, 4) ? random.uint32() : 0,
      requestId: randomBytes(random, 16),
      metaLength,
      bodyLength: payload.length - metaLength,
      checksum: crc32c(payload, 0, payload.length),
    });
    const entry = HEAD_BYTES + count * VERSION_BYTES + index * ENTRY_BYTES;
    writeEntry(head, entry, actor, 0, counter + random.below(3), PAIR, random.uint32(), 0);
    payloads.push(random.chance(1, 3) ? null : payload);
  }
  return { head, payloads };
}

/** What is wrong with a decoded set; "": nothing. */
export function faultOfSet(set: WireSet | null): string {
  if (set === null) return "";
  if (!isWellFormedHead(set.head, 0, set.head.length)) return "its head is not well-formed";
  if (versionCount(set.head, 0) !== set.payloads.length) return "it has another count of payloads";
  for (let index = 0; index < set.payloads.length; index++) {
    const payload = set.payloads[index];
    const wanted = payloadLength(set.head, versionOffset(0, index));
    if (payload !== null && payload.length !== wanted) {
      return `payload ${index} is not of its length`;
    }
  }
  return "";
}

export interface Trial<Body> {
  readonly read: (bytes: Uint8Array, start: number, end: number) => Body | null;
  /** What is wrong with a decoded body; "": nothing. */
  readonly fault: (body: Body) => string;
}

const ROOM = 64;

/** Decodes a body that lies between `fill`s; the text of what came of it. */
function decodeBetween<Body>(body: Uint8Array, fill: number, trial: Trial<Body>): string {
  const bytes = new Uint8Array(body.length + 2 * ROOM).fill(fill);
  bytes.set(body, ROOM);
  const end = ROOM + body.length;
  const decoded = trial.read(bytes, ROOM, end);
  if (decoded === null) return "null";
  const fault = trial.fault(decoded) || faultOfPlaces(decoded, bytes, end);
  return fault === "" ? JSON.stringify(decoded) : `fault: ${fault}`;
}

/** Views into the buffer must lie in the body. */
function faultOfPlaces(value: unknown, bytes: Uint8Array, end: number): string {
  if (value instanceof Uint8Array) {
    if (value.buffer !== bytes.buffer || value.length === 0) return "";
    const isInside = value.byteOffset >= ROOM && value.byteOffset + value.length <= end;
    return isInside ? "" : "a view reaches outside of the body";
  }
  if (typeof value !== "object" || value === null) return "";
  for (const part of Object.values(value)) {
    const fault = faultOfPlaces(part, bytes, end);
    if (fault !== "") return fault;
  }
  return "";
}

/** What came of a body that may be anything: "null", its decoded text, or "fault: …". */
export function verdict<Body>(body: Uint8Array, trial: Trial<Body>): string {
  const among0 = decodeBetween(body, 0, trial);
  return among0 === decodeBetween(body, 255, trial)
    ? among0
    : "fault: it reads what lies around it";
}

/** Every prefix and every suffix of a valid body, the whole and nothing left aside. */
export function tryCuts<Body>(
  check: Check,
  body: Uint8Array,
  trial: Trial<Body>,
  what: string,
): void {
  for (let cut = 0; cut < body.length; cut++) {
    const head = verdict(body.subarray(0, cut), trial);
    const tail = verdict(body.subarray(body.length - cut), trial);
    for (const text of [head, tail]) {
      if (text.startsWith("fault")) {
        check.ok(false, `${what}, ${cut} of ${body.length} bytes: ${text}`);
      }
    }
  }
}

/**
 * `count` bodies, each with up to four bytes of a valid one changed, some with a changed length.
 */
export function tryMutations<Body>(
  check: Check,
  random: SeededRandom,
  count: number,
  make: () => Uint8Array,
  trial: Trial<Body>,
): void {
  let alive = 0;
  for (let round = 0; round < count; round++) {
    const valid = make();
    const length = random.chance(1, 8) ? random.below(valid.length + 8) : valid.length;
    const body = new Uint8Array(length);
    body.set(valid.subarray(0, length));
    for (let changes = 1 + random.below(4); changes > 0 && length > 0; changes--) {
      // Half of them where the fixed fields are: there a change means most.
      const place = random.below(random.chance(1, 2) ? Math.min(length, 64) : length);
      body[place] = random.chance(1, 3) ? 255 : random.uint32();
    }
    const text = verdict(body, trial);
    if (text.startsWith("fault")) check.ok(false, `mutation ${round}: ${text}`);
    if (text !== "null") alive++;
  }
  check.ok(alive > count / 50, `${alive} of ${count} mutations still decode to something`);
  check.ok(alive < count, "and some to null");
}
