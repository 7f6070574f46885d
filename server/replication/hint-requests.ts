/**
 * What hints tell their owners: the writes that were superseded among the hints, which an owner that gets
 * what superseded them never sees. Without it, who knows of them would be a stand-in alone, and with the
 * stand-in down a retry would bring them back.
 *
 *   position of the hint's name ─► at most REQUESTS_MAX writes, the newest first (request-list.ts)
 *
 * Bounded: of too many names the oldest are forgotten; their owners have to ask (coordination/asked-write).
 */

import { REQUESTS_MAX, REQUEST_BYTES } from "../../core/replica-frames.ts";
import { NO_REQUESTS } from "./request-list.ts";

export const HINTS_TOLD_MAX = 16_384;

export class HintRequests {
  /** In the order in which they were last added to. */
  readonly #lists = new Map<number, Uint8Array>();

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
      break;
    }
  }

  /** The writes to tell with the hint under a name. */
  of(position0: number): Uint8Array {
    return this.#lists.get(position0) ?? NO_REQUESTS;
  }

  /** The hint has been handed over. */
  drop(position0: number): void {
    this.#lists.delete(position0);
  }
}
