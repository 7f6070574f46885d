/**
 * Tokens: who may do what, where the cluster has a secret. Cluster state like the properties of buckets:
 * every node knows all of them, and the newest record of a name wins everywhere.
 *
 *   "shop"   write, buckets cart* and session   sha-256 of the token   stamp, node
 *   "old"    taken back                         a record, too: it wins by its stamp
 *
 * A token itself is shown once, to whoever made it, and stored nowhere: what is kept is its SHA-256, which
 * is enough to know it again and, since a token is 256 random bits, of no use to find it.
 *
 * Roles: `read` gets and lists, `write` puts and deletes as well, `admin` changes buckets' properties too and, with a
 * token for all buckets, tokens and the cluster. Bucket patterns bound each of them; * stands for any bytes.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../../core/bytes.ts";
import { BUCKET_BYTES_MAX } from "../../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import { type Fields, MalformedDocument } from "./document.ts";

export const ROLES = ["read", "write", "admin"] as const;
export type TokenRole = (typeof ROLES)[number];

/** Names that can be given, those that were taken back included; a merge never refuses. */
export const TOKENS_MAX = 1_000;
export const PATTERNS_MAX = 64;
export const RATE_MAX = 1_000_000;
const HASH_BYTES = 32;
const TIME_MS_MAX = 8.64e15;
/** Nobody is given it: who has the secret has it. */
const RESERVED = "root";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export interface Grant {
  /** SHA-256 of the token, in hexadecimal digits. */
  readonly hash: string;
  readonly role: TokenRole;
  /** Buckets that it is for, in UTF-8; * stands for any bytes. */
  readonly buckets: readonly string[];
  /** Milliseconds since 1970 from which on it is worth nothing; 0: never. */
  readonly expiresMs: number;
  /** Requests a second at each node; 0: no bound. */
  readonly requestsPerSecond: number;
}

/** A token's record as it travels; `grant` null: it was taken back. */
export interface TokenRecord {
  readonly name: string;
  readonly stamp: number;
  readonly node: string;
  readonly grant: Grant | null;
}

export interface Token {
  readonly name: string;
  readonly grant: Grant;
}

export class Tokens {
  readonly #clock: Clock;
  readonly #selfId: () => string;
  readonly #onSet: () => boolean;
  readonly #records = new Map<string, TokenRecord>();
  readonly #byHash = new Map<string, Token>();
  #greatestStamp = 0;

  /** @param onSet makes the records durable and spreads them; false when that failed */
  constructor(clock: Clock, selfId: () => string, onSet: () => boolean) {
    this.#clock = clock;
    this.#selfId = selfId;
    this.#onSet = onSet;
  }

  /** The token with this hash; null: there is none, or it has expired. */
  byHash(hash: string): Token | null {
    const token = this.#byHash.get(hash) ?? null;
    if (token === null || token.grant.expiresMs === 0) return token;
    return token.grant.expiresMs > this.#clock.nowMs() ? token : null;
  }

  /** Gives a token of this name. "" when done, else a sentence that says why not. */
  give(name: string, grant: Grant): string {
    const wrong = checkToken(name, grant);
    if (wrong !== "") return wrong;
    if (this.#records.get(name)?.grant) {
      return `There is a token of the name '${name}' already, wanted is another name, or that it is removed first`;
    }
    return this.#write(name, grant);
  }

  /** Takes a token back: "" when done, "absent", or a sentence that says why not. */
  takeBack(name: string): string {
    return this.#records.get(name)?.grant ? this.#write(name, null) : "absent";
  }

  /** Those that are given, by name. */
  list(): Token[] {
    return this.records().flatMap(({ name, grant }) => (grant === null ? [] : [{ name, grant }]));
  }

  /** All records, by name. */
  records(): TokenRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** Merges what was heard; true when it is news. */
  apply(record: TokenRecord): boolean {
    this.#greatestStamp = Math.max(this.#greatestStamp, record.stamp);
    const known = this.#records.get(record.name);
    if (known !== undefined && !isNewer(record, known)) return false;
    this.#set(record);
    return true;
  }

  #set(record: TokenRecord): void {
    const { name, grant } = record;
    const before = this.#records.get(name)?.grant;
    if (before) this.#byHash.delete(before.hash);
    this.#records.set(name, record);
    if (grant !== null) this.#byHash.set(grant.hash, { name, grant });
  }

  #write(name: string, grant: Grant | null): string {
    const before = this.#records.get(name);
    if (before === undefined && this.#records.size >= TOKENS_MAX) {
      return `Cannot give a token: ${TOKENS_MAX} names are taken, which is the limit`;
    }
    const stamp = Math.max(this.#clock.nowMs(), this.#greatestStamp + 1);
    this.apply({ name, stamp, node: this.#selfId(), grant });
    if (this.#onSet()) return "";
    if (before !== undefined) this.#set(before);
    else {
      this.#records.delete(name);
      if (grant !== null) this.#byHash.delete(grant.hash);
    }
    return "Cannot store tokens: the disk does not take them";
  }
}

/** What is kept of a token. */
export function hashOfToken(text: string): string {
  return toHex(sha256(encoder.encode(text)), 0, HASH_BYTES);
}

const encoder = new TextEncoder();

/** Whether `left` wins over `right`: by stamp, by node, by content (never, with honest nodes). */
function isNewer(left: TokenRecord, right: TokenRecord): boolean {
  if (left.stamp !== right.stamp) return left.stamp > right.stamp;
  if (left.node !== right.node) return left.node > right.node;
  return JSON.stringify(left.grant) > JSON.stringify(right.grant);
}

/** "" where a token can be given so, else what is wrong. */
export function checkToken(name: string, { buckets, expiresMs, requestsPerSecond }: Grant): string {
  if (name === RESERVED) return `The name is '${name}', which is that of the secret's own token`;
  if (!NAME.test(name)) return `The name is '${name.slice(0, 80)}', wanted are 1 to 64 letters, digits, . _ or -`;
  if (buckets.length === 0 || buckets.length > PATTERNS_MAX) {
    return `${buckets.length} bucket patterns are given, wanted are 1 to ${PATTERNS_MAX}`;
  }
  for (const pattern of buckets) {
    const { length } = encoder.encode(pattern);
    if (length >= 1 && length <= BUCKET_BYTES_MAX && !pattern.includes("/")) continue;
    return `A bucket pattern is '${pattern.slice(0, 80)}', wanted are 1 to ${BUCKET_BYTES_MAX} bytes without a slash`;
  }
  if (!isWhole(expiresMs, TIME_MS_MAX)) return `The time of expiry is ${expiresMs}, wanted are milliseconds since 1970`;
  if (isWhole(requestsPerSecond, RATE_MAX)) return "";
  return `The rate is ${requestsPerSecond}, wanted is a whole number to ${RATE_MAX}, or 0 for no bound`;
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

/** A record as it travels. */
export function tokenDocument({ name, stamp, node, grant }: TokenRecord): Record<string, unknown> {
  return { name, stamp, node, grant: grant === null ? null : { ...grant, buckets: [...grant.buckets] } };
}

/** @throws MalformedDocument */
export function readTokenRecord(fields: Fields): TokenRecord {
  const name = fields.text("name", 64);
  const grant = fields.has("grant") ? readGrant(fields.fields("grant")) : null;
  if (grant !== null && checkToken(name, grant) !== "") {
    throw new MalformedDocument(`token is malformed: ${checkToken(name, grant)}`);
  }
  return { name, stamp: fields.whole("stamp", 0), node: fields.nodeId("node"), grant };
}

function readGrant(fields: Fields): Grant {
  const hash = fields.text("hash", 2 * HASH_BYTES);
  const role = ROLES.find((known) => known === fields.text("role", 16));
  const buckets = fields.list("buckets", PATTERNS_MAX);
  if (!/^[0-9a-f]{64}$/.test(hash) || role === undefined || !buckets.every((one) => typeof one === "string")) {
    throw new MalformedDocument("token has no hash, no role or no bucket patterns");
  }
  return {
    hash,
    role,
    buckets: buckets as string[],
    expiresMs: fields.whole("expiresMs", 0),
    requestsPerSecond: fields.whole("requestsPerSecond", 0),
  };
}
