/**
 * Version sets for the tests of engines: real heads (core/version-set) with payloads whose bytes
 * and checksums fit, made from small descriptions.
 */

import { crc32c } from "../../core/crc32c.ts";
import { ObjectName } from "../../core/object-name.ts";
import { ENTRY_BYTES, PAIR, writeEntry } from "../../core/clock-entry.ts";
import {
  HEAD_BYTES,
  headDigestInto,
  VERSION_BYTES,
  versionOffset,
  writeHeadCounts,
  writeVersion,
} from "../../core/version-set.ts";
import type { Engine, ReadOutcome, VersionSet } from "../../storage/engine.ts";
import { wholeBytes } from "../../storage/large-payload.ts";
import { SeededRandom } from "../random.ts";

export const LABELS = { layout: 7, round: 3 };

export interface Version {
  readonly counter: number;
  readonly payload: Uint8Array;
  /** 0 or absent: never. */
  readonly expiryMs?: number;
}

const encoder = new TextEncoder();
const ACTOR = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

export function nameOf(text: string): ObjectName {
  return new ObjectName(encoder.encode(text));
}

/** `length` bytes that depend on the seed. */
export function payloadOf(seed: number, length: number): Uint8Array {
  const payload = new Uint8Array(length);
  new SeededRandom(seed).fill(payload);
  return payload;
}

/** A set of these versions, by rising counter; those with an empty payload are tombstones. */
export function setOf(...versions: Version[]): VersionSet {
  const head = new Uint8Array(HEAD_BYTES + versions.length * VERSION_BYTES + ENTRY_BYTES);
  writeHeadCounts(head, 0, versions.length, 1);
  let last = 1;
  versions.forEach(({ counter, payload, expiryMs = 0 }, index) => {
    last = counter;
    writeVersion(head, versionOffset(0, index), {
      actor: ACTOR,
      counter,
      policy: 0,
      tombstone: payload.length === 0,
      stampMs: 1_700_000_000_000 + counter,
      stampLogical: 0,
      expiryMs,
      requestId: new Uint8Array(16),
      metaLength: 0,
      bodyLength: payload.length,
      checksum: crc32c(payload, 0, payload.length),
    });
  });
  const clock = HEAD_BYTES + versions.length * VERSION_BYTES;
  writeEntry(head, clock, ACTOR, 0, last, PAIR, 1_700_000_000_000 + last, 0);
  return { head, payloads: versions.map(({ payload }) => payload) };
}

/** A payload's bytes, large or small; none where it is left out. */
export function bytesAt(set: VersionSet, index: number): Uint8Array {
  const payload = set.payloads[index];
  return payload === null || payload === undefined ? new Uint8Array(0) : wholeBytes(payload);
}

/** The same set with some payloads left out. */
export function without(set: VersionSet, ...indexes: number[]): VersionSet {
  const payloads = set.payloads.map((payload, index) => (indexes.includes(index) ? null : payload));
  return { head: set.head, payloads };
}

export function read(engine: Engine, name: ObjectName, payloads = true): ReadOutcome {
  if (!payloads) return engine.readHead(name);
  let outcome: ReadOutcome | null = null;
  engine.read(name, (result) => {
    outcome = result;
  });
  if (outcome === null) throw new Error("Read has not called back");
  return outcome;
}

export function digestOf(set: VersionSet): readonly [number, number] {
  const digest = new Uint32Array(2);
  headDigestInto(set.head, 0, set.head.length, digest, 0);
  return [digest[0], digest[1]];
}

/** What a set says, as text: equal sets are equal texts. */
export function textOf(set: VersionSet): string {
  const payloads = set.payloads.map((payload) =>
    payload === null ? "null" : shortText(wholeBytes(payload))
  );
  return `${shortText(set.head)} ${payloads.join(",")}`;
}

function shortText(bytes: Uint8Array): string {
  return `${bytes.length}:${crc32c(bytes, 0, bytes.length).toString(16)}`;
}

/** What a read says, as text: "found …" as textOf(), else the status. */
export function outcomeText(outcome: ReadOutcome): string {
  return outcome.status === "found" ? `found ${textOf(outcome.set)}` : outcome.status;
}
