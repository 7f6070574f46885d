/**
 * The coordinator's listings: the checks before a page, and the answer made of it (listing.ts does the
 * waiting). Any node makes any page.
 */

import { decodeCursor, encodeCursor } from "../../core/listing-cursor.ts";
import { KEY_BYTES_MAX, LIST_BYTES_MAX, LIST_KEYS_MAX } from "../../core/limits.ts";
import type { RingPlace } from "../../core/ring-place.ts";
import { Listing, type ListedPage, type ListingFailure } from "./listing.ts";
import { copiesFor, type CoordinatorParts } from "./parts.ts";
import { readNeed } from "./quorum.ts";
import type { Requests } from "./requests.ts";
import type { ErrorCode, ListRequest, ListResult } from "./store.ts";

const FAILURES: Readonly<Record<ListingFailure, readonly [code: ErrorCode, what: string]>> = {
  partial: ["absence-unknown", "too few of its owners are complete to say which keys there are"],
  silent: ["read-timeout", "too few of its owners answered in time"],
  unreachable: ["quorum-unreachable", "too few of its owners can be asked"],
};

export class Lists {
  readonly #parts: CoordinatorParts;
  readonly #requests: Requests;

  constructor(parts: CoordinatorParts, requests: Requests) {
    this.#parts = parts;
    this.#requests = requests;
  }

  /** REQUIRES: a member. */
  list(request: ListRequest, done: (result: ListResult) => void): void {
    const { membership } = this.#parts;
    const { bucket, prefix, limit, timeoutMs } = request;
    const properties = membership.buckets.get(bucket);
    const copies = copiesFor(this.#parts, properties);
    const members = membership.layouts.reading.nodes.length;
    const options = { r: request.r, pr: "default", timeoutMs } as const;
    const need = readNeed(options, properties, membership.defaults, copies, members);
    if (typeof need === "string") return done(listRefused("bad-parameter", need));
    if (!Number.isInteger(limit) || limit < 1 || limit > LIST_KEYS_MAX) {
      const detail = `The limit is ${limit}, wanted is a number from 1 to ${LIST_KEYS_MAX}`;
      return done(listRefused("bad-parameter", detail));
    }
    if (prefix.length > KEY_BYTES_MAX) {
      const detail = `The prefix is ${prefix.length} bytes, the limit is ${KEY_BYTES_MAX}`;
      return done(listRefused("bad-parameter", detail));
    }
    const after = this.#placeOf(request);
    if (after === undefined) {
      const detail = "The cursor is corrupt or belongs to another listing: give the one that the page " +
        "before of this bucket and prefix gave";
      return done(listRefused("bad-parameter", detail));
    }
    const epoch = this.#requests.begin();
    const bytesMax = request.bytesMax ?? LIST_BYTES_MAX;
    const work = { bucket, prefix, after, keysMax: limit, bytesMax, r: need.r, copies, timeoutMs };
    return new Listing(this.#parts, work, (page) => {
      this.#requests.end(epoch);
      done(this.#resultOf(request, page, need.r));
    }).start();
  }

  #placeOf({ cursor, bucket, prefix }: ListRequest): RingPlace | null | undefined {
    if (cursor === "") return null;
    return decodeCursor(cursor, this.#parts.membership.contextKey, bucket, prefix) ?? undefined;
  }

  #resultOf({ bucket, prefix }: ListRequest, page: ListedPage, r: number): ListResult {
    const { keys, next, failure } = page;
    if (failure !== null) {
      this.#parts.replication.counters.readsFailed++;
      const [code, what] = FAILURES[failure];
      const outcome = code === "read-timeout" ? "unknown" : "refused";
      const detail = `The listing cannot go on: of a partition, ${what}, wanted is r=${r}`;
      return { ...NOTHING, outcome, code, detail };
    }
    const { contextKey } = this.#parts.membership;
    const cursor = next === null ? "" : encodeCursor(next, contextKey, bucket, prefix);
    return { outcome: "done", code: "", detail: "", keys, cursor, primaries: r };
  }
}

const NOTHING = { keys: [], cursor: "", primaries: 0 } as const;

/** A listing that was not begun. */
export function listRefused(code: ErrorCode, detail: string): ListResult {
  return { ...NOTHING, outcome: "refused", code, detail };
}
