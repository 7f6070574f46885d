/**
 * What hints tell their owners: the writes that were superseded among the hints, which an owner that gets
 * what superseded them never sees. Without it, who knows of them would be a stand-in alone, and with the
 * stand-in down a retry would bring them back.
 *
 *   position of the hint's name ─► at most REQUESTS_MAX writes, the newest first (request-list.ts)
 *
 * Bounded: of too many names the oldest are forgotten; their owners have to ask (coordination/asked-write).
 *
 * Once a hint has been handed over, what superseded those writes is held elsewhere, so they are no late twins
 * here any more: a stand-in that dropped one from a later hint would keep a clock that covers it, without
 * what took its place. They are forgotten with the hint (test/regression/0018).
 */

import { REQUESTS_MAX, REQUEST_BYTES } from "../../core/replica-frames.ts";
import { eachRequest, NO_REQUESTS } from "./request-list.ts";
import type { SupersededRequests } from "./superseded.ts";

export const HINTS_TOLD_MAX = 16_384;

export class HintRequests {
  /** In the order in which they were last added to. */
  readonly #lists = new Map<number, Uint8Array>();
  readonly #superseded: SupersededRequests;
  /** Whether a name was forgotten of which writes are still remembered as superseded. */
  #isIncomplete = false;

  /** @param superseded where what is told is remembered, too */
  constructor(superseded: SupersededRequests) {
    this.#superseded = superseded;
  }

  /** Adds writes that were superseded under a name of the hint store. */
  add(position0: number, requests: Uint8Array): void {
    const before = this.of(position0);
    const bytes = Math.min(requests.length + before.length, REQUESTS_MAX * REQUEST_BYTES);
    const list = new Uint8Array(bytes);
    list.set(requests);
    list.set(before.subarray(0, bytes - requests.length), requests.length);
    this.#lists.delete(position0);
    this.#lists.set(position0, list);
    if (this.#lists.size <= HINTS_TOLD_MAX) return;
    for (const oldest of this.#lists.keys()) {
      this.#lists.delete(oldest);
      this.#isIncomplete = true;
      break;
    }
  }

  /** The writes to tell with the hint under a name. */
  of(position0: number): Uint8Array {
    return this.#lists.get(position0) ?? NO_REQUESTS;
  }

  /** The hint has been handed over, and is gone. */
  drop(position0: number): void {
    const list = this.of(position0);
    const isAll = list.length === 0 ? !this.#isIncomplete : list.length < REQUESTS_MAX * REQUEST_BYTES;
    if (!isAll) this.#superseded.forgetAll(new Set([position0]));
    else {
      eachRequest(list, (offset, checksum) => {
        this.#superseded.forget(list, offset, checksum, position0);
      });
    }
    this.#lists.delete(position0);
  }
}
