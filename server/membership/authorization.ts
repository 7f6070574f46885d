/**
 * Who somebody is that brings a token, and what that allows. There is one where the cluster has a secret;
 * without it nobody is asked.
 *
 *   token ── sha-256 ──► record (tokens.ts) ──► principal: role, bucket patterns, rate
 *     └──── or the root token, which follows from the secret: who can read that may do everything
 *
 * A principal looks its record up at each request: what was taken back, or has expired, allows nothing from
 * then on, also on a connection that stands.
 */

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../../core/bytes.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Permission } from "../wire/peers.ts";
import { isEqualInConstantTime } from "../wire/secret.ts";
import { isOfAll, matchesPattern } from "./bucket-pattern.ts";
import { type Grant, hashOfToken, ROLES, type TokenRole, type Tokens } from "./tokens.ts";

const ROOT = "root";
const TOKEN_BYTES = 32;
/** Requests that may come at once, in seconds of the rate. */
const BURST_SECONDS = 1;
const encoder = new TextEncoder();

/** A new token, to be shown once. */
export function drawToken(random: Random): string {
  const bytes = new Uint8Array(TOKEN_BYTES);
  random.fill(bytes);
  return `halo_${toHex(bytes, 0, TOKEN_BYTES)}`;
}

/** The token that may do everything: nobody gives it, and it changes with the secret. */
export function rootToken(secret: Uint8Array): string {
  const bytes = hmac(sha256, secret, encoder.encode("halo root token 1"));
  return `halo_root_${toHex(bytes, 0, bytes.length)}`;
}

export class Authorization {
  readonly tokens: Tokens;
  readonly #clock: Clock;
  readonly #rootHash: Uint8Array;
  /** By name: how many requests are left, and as of when. */
  readonly #turns = new Map<string, { left: number; atMs: number }>();

  constructor(tokens: Tokens, secret: Uint8Array, clock: Clock) {
    this.tokens = tokens;
    this.#clock = clock;
    this.#rootHash = encoder.encode(hashOfToken(rootToken(secret)));
  }

  /** Null: the token is not known, was taken back, or has expired. */
  principal(token: string): Principal | null {
    const hash = hashOfToken(token);
    if (isEqualInConstantTime(encoder.encode(hash), this.#rootHash)) return new Principal(this, ROOT, null);
    const found = this.tokens.byHash(hash);
    return found === null ? null : new Principal(this, found.name, hash);
  }

  /** Counts a request: 0, or the milliseconds after which it is the token's turn again. */
  takeTurn(name: string, perSecond: number): number {
    const nowMs = this.#clock.elapsedMs();
    const burst = Math.max(1, perSecond * BURST_SECONDS);
    const turns = this.#turns.get(name) ?? { left: burst, atMs: nowMs };
    this.#turns.set(name, turns);
    turns.left = Math.min(burst, turns.left + ((nowMs - turns.atMs) * perSecond) / 1000);
    turns.atMs = nowMs;
    if (turns.left < 1) return Math.ceil(((1 - turns.left) * 1000) / perSecond);
    turns.left--;
    return 0;
  }
}

/** Who brought a token. */
export class Principal implements Permission {
  readonly name: string;
  readonly #authorization: Authorization;
  /** Null: root. */
  readonly #hash: string | null;

  constructor(authorization: Authorization, name: string, hash: string | null) {
    this.#authorization = authorization;
    this.name = name;
    this.#hash = hash;
  }

  /**
   * "" where it may, else one sentence. An administrator of some buckets has nothing to do with the cluster, whose
   * acts are about all of them: he could give himself a token for the others.
   * @param bucket the bucket that it is about, its first `length` bytes; null: none
   */
  refusal(need: TokenRole, bucket: Uint8Array | null, length = bucket?.length ?? 0): string {
    if (this.#hash === null) return "";
    const grant = this.#grant();
    if (grant === null) return `The token '${this.name}' was taken back or has expired`;
    if (ROLES.indexOf(grant.role) < ROLES.indexOf(need)) {
      return `The token '${this.name}' has the role ${grant.role}, wanted is ${need}`;
    }
    if (bucket === null) {
      if (need !== "admin" || grant.buckets.some(isOfAll)) return "";
      return `The token '${this.name}' is for some buckets alone, wanted is one for all`;
    }
    if (grant.buckets.some((pattern) => matchesPattern(pattern, bucket, length))) return "";
    return `The token '${this.name}' is for other buckets`;
  }

  /** Counts a request: 0, or the milliseconds after which it may come again. */
  takeTurn(): number {
    const perSecond = this.#grant()?.requestsPerSecond ?? 0;
    return perSecond === 0 ? 0 : this.#authorization.takeTurn(this.name, perSecond);
  }

  #grant(): Grant | null {
    if (this.#hash === null) return null;
    const found = this.#authorization.tokens.byHash(this.#hash);
    return found?.name === this.name ? found.grant : null;
  }
}
