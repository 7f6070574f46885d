/**
 * What a node offers to its faces (HTTP, CLI, the TCP protocol, the simulator's clients): the paper's
 * get(name) and put(name, context, object), with quorums, as calls that end in a callback.
 *
 * Every request ends in one of three outcomes:
 *   done      it happened, on as many replicas as was asked
 *   refused   nothing was written anywhere, and nothing will be
 *   unknown   too few answered in time: a write may have happened, and may yet be seen
 */

import type { ObjectName } from "../../core/object-name.ts";
import type { PayloadMeta } from "../../core/payload.ts";
import type { Stage } from "../../storage/engine.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Quorum } from "../membership/charter.ts";
import type { Value } from "./value.ts";

export type { Quorum, QuorumDefaults } from "../membership/charter.ts";

export type Outcome = "done" | "refused" | "unknown";

/** The codes of SPEC section 6 that this floor can end with. */
export type ErrorCode =
  | "bad-parameter"
  | "bad-context"
  | "wrong-type"
  | "stale-layout"
  | "stale-request"
  | "precondition-failed"
  | "value-too-large"
  | "overloaded"
  | "quorum-unreachable"
  | "absence-unknown"
  | "clock-skew"
  | "too-many-siblings"
  | "not-ready"
  | "write-unknown"
  | "read-timeout"
  | "disk-full"
  | "hints-full"
  | "memory-full"
  | "files-full"
  | "forbidden"
  | "rate-limited";

export interface ReadOptions {
  readonly r: Quorum;
  readonly pr: Quorum;
  readonly timeoutMs: number;
}

export interface WriteOptions {
  readonly w: Quorum;
  readonly dw: Quorum;
  readonly pw: Quorum;
  readonly timeoutMs: number;
}

/** One version as a client sees it. */
export interface Sibling {
  readonly body: Value;
  readonly meta: PayloadMeta;
  /** When it was written by the coordinator's clock, milliseconds since 1970. */
  readonly timeMs: number;
  /** When it ends; 0: never. */
  readonly expiryMs: number;
}

export interface Result {
  readonly outcome: Outcome;
  /** "" when done (and, for a get, something is there). */
  readonly code: "" | "not-found" | ErrorCode;
  /** One sentence for a person: what was given or what happened, and what is wanted. */
  readonly detail: string;
  /** Printable; "" where there is none. */
  readonly context: string;
  /** Digest of the dots that were shown or written, 16 hexadecimal digits; "" where there is none. */
  readonly etag: string;
  /** How many replicas of each kind took part. */
  readonly primaries: number;
  readonly fallbacks: number;
  /** A get: the live values, causally unrelated, oldest first. A put: only with `returnBody`. */
  readonly siblings: readonly Sibling[];
}

export interface Precondition {
  /** If-None-Match: * — passes where there is no value (a tombstone is none). */
  readonly absent: boolean;
  /** If-Match — passes where the set's etag is one of these; empty: not asked. */
  readonly etags: readonly string[];
}

export interface PutRequest {
  readonly name: ObjectName;
  /** As the client gave it, unchecked; "" for none. */
  readonly context: string;
  /** 16 bytes, a UUIDv7; null: one is drawn here. */
  readonly requestId: Uint8Array | null;
  readonly meta: PayloadMeta;
  /** The value; empty where it is staged. */
  readonly body: Uint8Array;
  /** The payload of a large value, with its metadata block: it came in through stage(). */
  readonly staged?: LargePayload | null;
  /** A delete is a version without a value. Without a context it first reads R and deletes what it saw. */
  readonly isDelete: boolean;
  /** Seconds to live; 0: for ever (or the bucket's default). */
  readonly ttlSeconds: number;
  readonly returnBody: boolean;
  readonly precondition: Precondition | null;
  readonly options: WriteOptions;
}

export interface GetRequest {
  readonly name: ObjectName;
  readonly options: ReadOptions;
}

/** A page of the keys of a bucket. */
export interface ListRequest {
  readonly bucket: Uint8Array;
  /** Keys that begin with it; empty: all. */
  readonly prefix: Uint8Array;
  /** What the page before gave, unchecked; "": the first page. */
  readonly cursor: string;
  /** Keys at most; 1 to LIST_KEYS_MAX. */
  readonly limit: number;
  /** Bytes of keys from which on the page ends; default: LIST_BYTES_MAX. */
  readonly bytesMax?: number;
  readonly r: Quorum;
  readonly timeoutMs: number;
}

export interface ListResult {
  readonly outcome: Outcome;
  readonly code: "" | ErrorCode;
  readonly detail: string;
  /** Keys that have a live value, in ring order; a page may be empty and not be the last. */
  readonly keys: readonly Uint8Array[];
  /** Where the next page begins; "": this is the last one. */
  readonly cursor: string;
  /** Owners that answered for each part of the page. */
  readonly primaries: number;
}

/** Where one replica of a name stands (GET /explain). */
export interface ReplicaReport {
  readonly node: string;
  readonly name: string;
  readonly role: "primary" | "fallback";
  readonly healthy: boolean;
  /** What it said: it holds versions (etag), nothing, or did not answer. */
  readonly state: "holds" | "empty" | "unreachable";
  /** For a primary: whether its "nothing" counts. */
  readonly complete: boolean;
  readonly etag: string;
  readonly siblings: number;
}

export interface Explanation {
  /** MD5 of the name, 32 hexadecimal digits. */
  readonly position: string;
  readonly partition: number;
  readonly partitions: number;
  readonly layout: number;
  /** Every node, in the order in which it is asked. */
  readonly preference: readonly ReplicaReport[];
}

export interface Store {
  /**
   * Begins a large value: its metadata block, then its bytes are staged. Whoever begins one drops it when
   * its put has ended. Null: this node cannot take one now.
   */
  stage(name: ObjectName): Stage | null;
  put(request: PutRequest, done: (result: Result) => void): void;
  get(request: GetRequest, done: (result: Result) => void): void;
  list(request: ListRequest, done: (result: ListResult) => void): void;
  explain(name: ObjectName, timeoutMs: number, done: (explanation: Explanation) => void): void;
}
