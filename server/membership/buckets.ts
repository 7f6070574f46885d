/**
 * Bucket properties: what an operator sets for all objects of a bucket.
 *
 *   bucket "cart"   policy siblings, n 3, w all   stamp 1 790 000 000 123, node 9f…
 *   bucket "old"    reset                         a reset is a record, too: it wins by its stamp
 *
 * The record with the greatest (stamp, node) wins everywhere. A stamp is a hybrid clock in one
 * number: the wall clock in milliseconds, or one more than the greatest stamp seen where that is
 * larger; so a change that was made after seeing another one wins over it, whatever the clocks say.
 *
 * Bucket names are bytes; as a key they are the text with one character (0–255) a byte.
 */

import { compareBytes } from "../../core/bytes.ts";
import { BUCKET_BYTES_MAX, REPLICAS_MAX } from "../../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import { isQuorum, type Quorum, QUORUM_NAMES } from "./charter.ts";
import { Fields, MalformedDocument } from "./document.ts";

export type ConflictPolicy = "siblings" | "lww";
export type BucketPreset = "merge" | "timestamp" | "read-engine";

/** Absent quorums fall through to the cluster's. */
export interface BucketProperties {
  readonly policy: ConflictPolicy;
  /** The preset that these came from, as a memory for people. */
  readonly preset?: BucketPreset;
  /** Copies, where fewer than the cluster's N. */
  readonly n?: number;
  readonly r?: Quorum;
  readonly w?: Quorum;
  readonly dw?: Quorum;
  readonly pr?: Quorum;
  readonly pw?: Quorum;
  /** Seconds that a version lives unless its put says otherwise; absent: for ever. */
  readonly ttlSeconds?: number;
}

export const bucketDefaults: BucketProperties = { policy: "siblings" };

/** Buckets that can be given properties, resets included; a merge never refuses. */
export const BUCKETS_MAX = 10_000;
export const TTL_SECONDS_MAX = 10 * 366 * 86_400;

/** A bucket's properties as they travel; `properties` null: they were reset. */
export interface BucketRecord {
  readonly bucket: string;
  readonly stamp: number;
  readonly node: string;
  readonly properties: BucketProperties | null;
}

export class Buckets {
  readonly #clock: Clock;
  readonly #selfId: () => string;
  readonly #onSet: () => boolean;
  readonly #records = new Map<string, BucketRecord>();
  #greatestStamp = 0;
  /** The bucket that was asked for last, and its key: neighbouring requests mostly share one. */
  #lastBucket = new Uint8Array(0);
  #lastKey = "";

  /** @param onSet makes the records durable and spreads them; false when that failed */
  constructor(clock: Clock, selfId: () => string, onSet: () => boolean) {
    this.#clock = clock;
    this.#selfId = selfId;
    this.#onSet = onSet;
  }

  /** The properties of the bucket that the first `length` bytes name; the defaults where none were set. */
  get(bytes: Uint8Array, length = bytes.length): BucketProperties {
    if (this.#records.size === 0) return bucketDefaults;
    return this.#records.get(this.#keyOf(bytes, length))?.properties ?? bucketDefaults;
  }

  #keyOf(bytes: Uint8Array, length: number): string {
    const last = this.#lastBucket;
    if (length === last.length && compareBytes(bytes, 0, last, 0, length) === 0) return this.#lastKey;
    this.#lastBucket = bytes.slice(0, length);
    this.#lastKey = bucketKey(this.#lastBucket);
    return this.#lastKey;
  }

  /**
   * Sets a bucket's properties, all of them. "" when done, else a sentence that says why not.
   * @param replicas the cluster's N, which a bucket's cannot exceed
   */
  set(bucket: Uint8Array, properties: BucketProperties, replicas: number): string {
    const wrong = checkProperties(properties, replicas);
    return wrong === "" ? this.#write(bucket, properties) : wrong;
  }

  /** Goes back to the defaults. "" when done, else a sentence that says why not. */
  reset(bucket: Uint8Array): string {
    return this.#records.has(bucketKey(bucket)) ? this.#write(bucket, null) : "";
  }

  /** Buckets with properties of their own, sorted by name. */
  list(): { bucket: Uint8Array; properties: BucketProperties }[] {
    const found: { bucket: Uint8Array; properties: BucketProperties }[] = [];
    for (const { bucket, properties } of this.records()) {
      if (properties !== null) found.push({ bucket: bucketBytes(bucket), properties });
    }
    return found;
  }

  /** All records, resets included, sorted by key. */
  records(): BucketRecord[] {
    const records = [...this.#records.values()];
    return records.sort((left, right) => (left.bucket < right.bucket ? -1 : 1));
  }

  record(key: string): BucketRecord | null {
    return this.#records.get(key) ?? null;
  }

  /** Merges what was heard; true when it is news. */
  apply(record: BucketRecord): boolean {
    this.#greatestStamp = Math.max(this.#greatestStamp, record.stamp);
    const known = this.#records.get(record.bucket);
    if (known !== undefined && !isNewer(record, known)) return false;
    this.#records.set(record.bucket, record);
    return true;
  }

  #write(bucket: Uint8Array, properties: BucketProperties | null): string {
    const key = bucketKey(bucket);
    const before = this.#records.get(key);
    if (before === undefined && this.#records.size >= BUCKETS_MAX) {
      return `Cannot set bucket properties: ${BUCKETS_MAX} buckets have some, which is the limit`;
    }
    const stamp = Math.max(this.#clock.nowMs(), this.#greatestStamp + 1);
    this.apply({ bucket: key, stamp, node: this.#selfId(), properties });
    if (this.#onSet()) return "";
    if (before === undefined) this.#records.delete(key);
    else this.#records.set(key, before);
    return "Cannot store bucket properties: the disk does not take them";
  }
}

/** Whether `left` wins over `right`: by stamp, by node, by content (never, with honest nodes). */
function isNewer(left: BucketRecord, right: BucketRecord): boolean {
  if (left.stamp !== right.stamp) return left.stamp > right.stamp;
  if (left.node !== right.node) return left.node > right.node;
  return JSON.stringify(left.properties) > JSON.stringify(right.properties);
}

/** Properties of a preset. */
export function presetProperties(preset: BucketPreset): BucketProperties {
  if (preset === "timestamp") return { policy: "lww", preset };
  if (preset === "read-engine") return { policy: "siblings", preset, r: "one", w: "all" };
  return { policy: "siblings", preset };
}

/** "" where the properties can be set, else what is wrong with them. */
export function checkProperties(properties: BucketProperties, replicas: number): string {
  const { n, ttlSeconds } = properties;
  if (n !== undefined && !(Number.isInteger(n) && n >= 1 && n <= replicas)) {
    return `Property n is ${n}, wanted is a number from 1 to ${replicas}`;
  }
  const copies = n ?? replicas;
  for (const name of QUORUM_NAMES) {
    const value = properties[name];
    if (typeof value !== "number") continue;
    const least = name === "r" || name === "w" ? 1 : 0;
    if (Number.isInteger(value) && value >= least && value <= copies) continue;
    return `Property ${name} is ${value}, wanted is a number from ${least} to ${copies}, ` +
      "or one, quorum or all";
  }
  if (ttlSeconds === undefined) return "";
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= TTL_SECONDS_MAX) return "";
  return `Property ttlSeconds is ${ttlSeconds}, wanted is a number from 1 to ${TTL_SECONDS_MAX}`;
}

export function bucketKey(bucket: Uint8Array): string {
  // Not a TextDecoder: its "latin1" is windows-1252, which does not keep the bytes 0x80 to 0x9f.
  return String.fromCharCode(...bucket);
}

export function bucketBytes(key: string): Uint8Array {
  return Uint8Array.from(key, (character) => character.charCodeAt(0));
}

/** A record as it travels. */
export function bucketDocument(record: BucketRecord): Record<string, unknown> {
  const { bucket, stamp, node, properties } = record;
  return { bucket: bucketBytes(bucket), stamp, node, properties };
}

/** @throws MalformedDocument */
export function readBucketRecord(fields: Fields): BucketRecord {
  const properties = fields.has("properties") ? readProperties(fields.fields("properties")) : null;
  return {
    bucket: bucketKey(fields.bytes("bucket", BUCKET_BYTES_MAX)),
    stamp: fields.whole("stamp", 0),
    node: fields.nodeId("node"),
    properties,
  };
}

function readProperties(fields: Fields): BucketProperties {
  const policy = fields.text("policy", 16);
  if (policy !== "siblings" && policy !== "lww") {
    throw new MalformedDocument(`conflict policy is "${policy}", wanted is siblings or lww`);
  }
  const quorums: { [name in (typeof QUORUM_NAMES)[number]]?: Quorum } = {};
  for (const name of QUORUM_NAMES) {
    const value = fields.raw(name);
    if (value === undefined) continue;
    if (!isQuorum(value)) throw new MalformedDocument(`field ${name} is no quorum`);
    quorums[name] = value;
  }
  const preset = fields.has("preset") ? readPreset(fields.text("preset", 16)) : null;
  return {
    policy,
    ...(preset === null ? {} : { preset }),
    ...(fields.has("n") ? { n: fields.whole("n", 1, REPLICAS_MAX) } : {}),
    ...quorums,
    ...(fields.has("ttlSeconds")
      ? { ttlSeconds: fields.whole("ttlSeconds", 1, TTL_SECONDS_MAX) }
      : {}),
  };
}

function readPreset(text: string): BucketPreset {
  if (text === "merge" || text === "timestamp" || text === "read-engine") return text;
  throw new MalformedDocument(`preset is "${text}", wanted is merge, timestamp or read-engine`);
}
