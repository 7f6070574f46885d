/**
 * One version set on its way to one replica, until it is stored there or will not be.
 *
 * The sender names all versions of the set in the head, and sends the bodies that the receiver is likely
 * to lack. A receiver that lacks others answers INCOMPLETE and has applied nothing (a merge is a join of
 * whole states). Then the rest follows:
 *
 *   large payloads      never travel in a set: they are handed over before it (body-push.ts), slice by slice
 *   set fits a frame    the whole set, with all other bodies
 *   set does not fit    each version alone, as a state of its own whose clock is that one dot: an honest
 *                       state, and a join like any other; then the head again, and nothing is missing
 *
 * Ends in exactly one call of `done`.
 */

import { readU32 } from "../../core/bytes.ts";
import { KIND_REPLICATE, type FrameView } from "../../core/frame.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  REPLICATED_LENGTH,
  REPLICATE_DURABLE,
  REPLICATE_HINTED,
  STATUS_DONE,
  STATUS_INCOMPLETE,
  replicateLength,
  writeReplicate,
  type ReplicateBody,
} from "../../core/replica-frames.ts";
import { singleVersion } from "../../core/version-sync.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { isLarge } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import { aboutOf } from "./body-pull.ts";
import type { BodyPushes } from "./body-push.ts";
import { onWire } from "./wire-set.ts";
import type { ReplyHandler } from "../wire/peers.ts";
import { NO_REQUESTS } from "./request-list.ts";

export type DeliveryFailure = "" | "unreachable" | "closed" | "timeout";

export interface Delivered {
  /** STATUS_… of core/replica-frames; meaningful where `failure` is "". */
  readonly status: number;
  readonly failure: DeliveryFailure;
  readonly isDurable: boolean;
  /** Digest of what the replica holds now. */
  readonly digest0: number;
  readonly digest1: number;
}

export interface DeliveryOptions {
  readonly member: Member;
  readonly name: ObjectName;
  readonly set: VersionSet;
  readonly purpose: number;
  /** Answer only after the sync. */
  readonly durable: boolean;
  /** Writes that the set's versions have superseded, for the receiver to remember (request-list.ts). */
  readonly superseded: Uint8Array;
  /** The id of the owner that the receiver stands in for; null: the version itself. */
  readonly hintFor: Uint8Array | null;
  readonly layout: number;
  readonly round: number;
  readonly timeoutMs: number;
  /** Sets of more bytes than this do not fit a frame. */
  readonly setBytesMax: number;
  /** Gives the same set, or a later one, with all bodies; null where it cannot be read now. */
  readonly load: (done: (set: VersionSet | null) => void) => void;
  readonly pushes: BodyPushes;
  /** Told whenever a slice of a large payload has moved. */
  readonly moved: () => void;
}

/** In a REPLICATE frame, the owner that a primary stands in for. */
export const NO_TARGET = new Uint8Array(8);
/** More rounds than versions could need: a guard against a receiver that never has enough. */
const PARTS_MAX = 10_000;

export class Delivery implements ReplyHandler {
  readonly #options: DeliveryOptions;
  readonly #done: (delivered: Delivered) => void;
  /** What is still to be sent, in order; the last one is the head that ends it. */
  #parts: VersionSet[];
  #isWhole = false;

  constructor(options: DeliveryOptions, done: (delivered: Delivered) => void) {
    this.#options = options;
    this.#done = done;
    this.#parts = partsOf(options);
  }

  start(): void {
    this.#pushFrom(this.#options.set, 0);
  }

  /** Hands over the set's large payloads from `index` on, and then the set. */
  #pushFrom(set: VersionSet, index: number): void {
    while (index < set.payloads.length && !isLarge(set.payloads[index])) index++;
    const payload = set.payloads[index] ?? null;
    if (!isLarge(payload)) return this.#sendNext();
    const { member, name, hintFor, layout, timeoutMs, moved, pushes } = this.#options;
    const about = aboutOf(set.head, index);
    return pushes.push({
      member,
      name: name.bytes,
      about,
      payload,
      hintFor,
      layout,
      timeoutMs,
      moved,
      done: (status, failure) => {
        if (failure === "" && status === STATUS_DONE) this.#pushFrom(set, index + 1);
        else this.#end(status, failure, false, 0, 0);
      },
    });
  }

  #sendNext(): void {
    const options = this.#options;
    const body = {
      purpose: options.purpose,
      flags:
        (options.durable ? REPLICATE_DURABLE : 0) |
        (options.hintFor === null ? 0 : REPLICATE_HINTED),
      round: options.round,
      target: options.hintFor ?? NO_TARGET,
      name: options.name.bytes,
      // They are superseded by the whole set: its last part, the head, tells of them.
      requests: this.#parts.length === 1 ? options.superseded : NO_REQUESTS,
      set: onWire(this.#parts[0]),
    };
    const isSent = sendReplicate(options.member, body, options.layout, options.timeoutMs, this, 0);
    if (!isSent) this.#end(STATUS_DONE, "unreachable", false, 0, 0);
  }

  replied(_tag: number, frame: FrameView): void {
    if (isStored(frame)) {
      this.#partStored(frame);
    } else if (frame.status === STATUS_INCOMPLETE && !this.#isWhole) {
      this.#options.load((set) => this.#sendWhole(set));
    } else {
      this.#end(frame.status, frame.status === STATUS_DONE ? "closed" : "", false, 0, 0);
    }
  }

  failed(_tag: number, reason: "unreachable" | "closed" | "timeout"): void {
    this.#end(STATUS_DONE, reason, false, 0, 0);
  }

  #partStored(frame: FrameView): void {
    this.#parts.shift();
    if (this.#parts.length > 0) {
      this.#sendNext();
      return;
    }
    const { bytes, start } = frame;
    this.#end(STATUS_DONE, "", isStoredDurably(frame), readU32(bytes, start + 8), readU32(bytes, start + 12));
  }

  #sendWhole(set: VersionSet | null): void {
    this.#isWhole = true;
    if (set === null || set.payloads.length > PARTS_MAX) {
      this.#end(STATUS_INCOMPLETE, "", false, 0, 0);
      return;
    }
    this.#parts = partsOf({ ...this.#options, set });
    this.#pushFrom(set, 0);
  }

  #end(
    status: number,
    failure: DeliveryFailure,
    isDurable: boolean,
    digest0: number,
    digest1: number,
  ): void {
    this.#done({ status, failure, isDurable, digest0, digest1 });
  }
}

/** Sends a set that fits a frame; false: the member takes none now, and the handler is not told. */
export function sendReplicate(
  { peer }: Member,
  body: ReplicateBody,
  layout: number,
  timeoutMs: number,
  handler: ReplyHandler,
  tag: number,
): boolean {
  if (peer === null) return false;
  const length = replicateLength(body.name, body.requests, body.set);
  const offset = peer.request(KIND_REPLICATE, 0, layout, length, timeoutMs, handler, tag);
  if (offset < 0) return false;
  writeReplicate(body, peer.buffer, offset);
  return true;
}

/** Whether a reply says that the set is stored. */
export function isStored(frame: FrameView): boolean {
  return frame.status === STATUS_DONE && frame.end - frame.start >= REPLICATED_LENGTH;
}

/** Whether it is durable as well. REQUIRES: it is stored. */
export function isStoredDurably({ bytes, start }: FrameView): boolean {
  return (bytes[start] & REPLICATE_DURABLE) !== 0;
}

/** A set that fits a frame, or its versions one by one and the head over them. */
function partsOf(options: DeliveryOptions): VersionSet[] {
  const { name, superseded, set, setBytesMax } = options;
  if (replicateLength(name.bytes, superseded, onWire(set)) <= setBytesMax) return [set];
  const parts: VersionSet[] = [];
  for (let index = 0; index < set.payloads.length; index++) {
    if (set.payloads[index] === null) continue;
    parts.push({ head: singleVersion(set.head, 0, index), payloads: [set.payloads[index]] });
  }
  parts.push({ head: set.head, payloads: set.payloads.map(() => null) });
  return parts;
}
