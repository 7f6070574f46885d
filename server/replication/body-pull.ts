/**
 * Fetching a large payload from those that hold it, a slice at a time, into a stage of this node: what a
 * get needs that met a version whose body is not here, before it can answer, and repair its own copy.
 *
 *   FETCH (name, dot, offset) ─► slice, checked ─► staged-bodies ─► … ─► complete: the payload
 *         │ no answer, or not there any more ─► the next holder goes on where this one stopped
 *
 * One slice of a payload is under way at a time, and has its own time to come; nothing else limits it as
 * long as slices come. The whole is checked against the checksum in the version's head at the end.
 */

import { DOT_BYTES } from "../../core/clock-entry.ts";
import { KIND_FETCH, type FrameView } from "../../core/frame.ts";
import {
  FETCH_HINTS,
  SLICE_START,
  STATUS_DONE,
  WANT_SLICE,
  fetchLength,
  isSliceWhole,
  writeFetch,
} from "../../core/replica-frames.ts";
import { payloadChecksum, payloadLength, versionOffset } from "../../core/version-set.ts";
import { BODY_ABOUT_BYTES } from "../../core/body-frames.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import type { ReplyHandler } from "../wire/peers.ts";
import type { BodyId, BodySize, StagedBodies } from "./staged-bodies.ts";

export interface PullOptions {
  readonly bodies: StagedBodies;
  readonly id: BodyId;
  readonly size: BodySize;
  /** Those that hold it, in the order in which they are asked. */
  readonly holders: readonly Member[];
  readonly layout: number;
  /** How long one slice may take. */
  readonly timeoutMs: number;
  readonly moved: () => void;
  /** Null: nobody gave all of it. */
  readonly done: (payload: LargePayload | null) => void;
}

/** The dot of a version, as bodies are asked for by it. */
export function aboutOf(head: Uint8Array, index: number): Uint8Array {
  const about = new Uint8Array(BODY_ABOUT_BYTES);
  const version = versionOffset(0, index);
  about.set(head.subarray(version, version + DOT_BYTES));
  return about;
}

export function sizeOf(head: Uint8Array, index: number): BodySize {
  const version = versionOffset(0, index);
  return { length: payloadLength(head, version), checksum: payloadChecksum(head, version) };
}

export class BodyPull implements ReplyHandler {
  readonly #options: PullOptions;
  #holder = 0;
  #offset = 0;

  constructor(options: PullOptions) {
    this.#options = options;
  }

  start(): void {
    const { bodies, id } = this.#options;
    this.#offset = bodies.progress(id);
    this.#ask();
  }

  #ask(): void {
    const { bodies, id, size, holders, layout, timeoutMs, done } = this.#options;
    if (this.#offset >= size.length) return done(bodies.find(id, size));
    for (; this.#holder < holders.length; this.#holder++) {
      const { peer } = holders[this.#holder];
      const name = id.name.bytes;
      const length = fetchLength(name);
      const at = peer === null
        ? -1
        : peer.request(KIND_FETCH, 0, layout, length, timeoutMs, this, this.#offset);
      if (peer === null || at < 0) continue;
      const { about } = id;
      const body = { want: WANT_SLICE, flags: FETCH_HINTS, checksum: this.#offset, about, name };
      return writeFetch(body, peer.buffer, at);
    }
    return done(null);
  }

  replied(offset: number, frame: FrameView): void {
    const { bodies, id, size, moved } = this.#options;
    const { bytes, start, end } = frame;
    if (frame.status !== STATUS_DONE || !isSliceWhole(bytes, start, end)) return this.#nextHolder();
    const taken = bodies.take(id, size, offset, bytes, start + SLICE_START, end);
    if (taken.status !== STATUS_DONE || taken.next <= offset) return this.#nextHolder();
    this.#offset = taken.next;
    moved();
    return this.#ask();
  }

  failed(_tag: number, _reason: "unreachable" | "closed" | "timeout"): void {
    this.#nextHolder();
  }

  #nextHolder(): void {
    this.#holder++;
    this.#ask();
  }
}
