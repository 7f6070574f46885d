/**
 * Handing a large payload to a node that lacks it, a slice at a time.
 *
 *   │ acknowledged │ slice │ slice │ still to be read │         two slices under way; each answer
 *                  └── under way ──┘                            says which one is wanted next
 *
 * The receiver sets the pace: what it has not acknowledged is not followed by more. Of all payloads to one
 * node eight are under way at a time, the others wait for a lane; so a node holds a few MiB of them,
 * however many there are. Nothing has a deadline while something moves: each slice has the time of one.
 * What fails ends all that wait for the same node.
 */

import { readU32 } from "../../core/bytes.ts";
import { BODY_HINTED, BODY_REPLY_LENGTH, bodyLength, writeBody } from "../../core/body-frames.ts";
import { KIND_BODY, type FrameView } from "../../core/frame.ts";
import { LANES_MAX, SLICES_UNDER_WAY } from "../../core/limits.ts";
import { STATUS_DAMAGED, STATUS_DONE, STATUS_INCOMPLETE } from "../../core/replica-frames.ts";
import { type LargePayload, sliceEnd } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import type { ReplyHandler } from "../wire/peers.ts";

export type PushFailure = "" | "unreachable" | "closed" | "timeout";

export interface PushOptions {
  readonly member: Member;
  /** Of the object, without an owner. */
  readonly name: Uint8Array;
  readonly about: Uint8Array;
  readonly payload: LargePayload;
  readonly hintFor: Uint8Array | null;
  readonly layout: number;
  /** How long one slice may take. */
  readonly timeoutMs: number;
  /** Told whenever something has moved, to this node. */
  readonly moved: () => void;
  /** STATUS_… of core/replica-frames; meaningful where `failure` is "". */
  readonly done: (status: number, failure: PushFailure) => void;
}

const NO_TARGET = new Uint8Array(8);
/** The slice that is about to be sent; valid within one call. */
let slice = new Uint8Array(0);

export class BodyPushes {
  readonly #sliceBytes: number;
  readonly #lanes = new Map<Member, Lanes>();

  constructor(sliceBytes: number) {
    this.#sliceBytes = sliceBytes;
  }

  push(options: PushOptions): void {
    let lanes = this.#lanes.get(options.member);
    if (lanes === undefined) {
      lanes = { active: new Set(), waiting: [] };
      this.#lanes.set(options.member, lanes);
    }
    lanes.waiting.push(options);
    this.#next(options.member, lanes);
  }

  #next(member: Member, lanes: Lanes): void {
    while (lanes.active.size < LANES_MAX) {
      const options = lanes.waiting.shift();
      if (options === undefined) break;
      const push = new BodyPush(options, this.#sliceBytes, () => moved(lanes), (failure) => {
        lanes.active.delete(push);
        if (failure !== "") for (const other of lanes.waiting.splice(0)) other.done(STATUS_DONE, failure);
        this.#next(member, lanes);
      });
      lanes.active.add(push);
      push.start();
    }
    if (lanes.active.size === 0 && lanes.waiting.length === 0) this.#lanes.delete(member);
  }
}

interface Lanes {
  readonly active: Set<BodyPush>;
  readonly waiting: PushOptions[];
}

/** Those that wait for a lane move as long as what is in the lanes does. */
function moved(lanes: Lanes): void {
  for (const { moved } of lanes.waiting) moved();
}

class BodyPush implements ReplyHandler {
  readonly #options: PushOptions;
  readonly #sliceBytes: number;
  readonly #moved: () => void;
  readonly #ended: (failure: PushFailure) => void;
  #sent = 0;
  #underWay = 0;
  #isEnded = false;

  constructor(
    options: PushOptions,
    sliceBytes: number,
    moved: () => void,
    ended: (failure: PushFailure) => void,
  ) {
    this.#options = options;
    this.#sliceBytes = sliceBytes;
    this.#moved = moved;
    this.#ended = ended;
  }

  start(): void {
    if (this.#options.payload.hold()) this.#fill();
    else this.#finish(STATUS_INCOMPLETE, "");
  }

  #fill(): void {
    const { length } = this.#options.payload;
    while (!this.#isEnded && this.#underWay < SLICES_UNDER_WAY && this.#sent < length) this.#send();
  }

  #send(): void {
    const { payload, member, name, about, hintFor, layout, timeoutMs } = this.#options;
    const offset = this.#sent;
    const count = sliceEnd(offset, payload.length, this.#sliceBytes) - offset;
    if (slice.length < count) slice = new Uint8Array(this.#sliceBytes);
    const status = payload.readInto(offset, slice, 0, count);
    if (status !== "read") return this.#end(status === "gone" ? STATUS_INCOMPLETE : STATUS_DAMAGED, "");
    const peer = member.peer;
    const total = bodyLength(name, count);
    const at = peer === null ? -1 : peer.request(KIND_BODY, 0, layout, total, timeoutMs, this, 0);
    if (peer === null || at < 0) return this.#end(STATUS_DONE, "unreachable");
    const { length, checksum } = payload;
    const target = hintFor ?? NO_TARGET;
    const flags = hintFor === null ? 0 : BODY_HINTED;
    const head = { flags, length, checksum, offset, about, target, name };
    const start = writeBody(head, peer.buffer, at);
    peer.buffer.set(slice.subarray(0, count), start);
    this.#sent = offset + count;
    this.#underWay++;
  }

  replied(_tag: number, frame: FrameView): void {
    if (this.#isEnded) return;
    this.#underWay--;
    if (frame.status !== STATUS_DONE) return this.#end(frame.status, "");
    if (frame.end - frame.start < BODY_REPLY_LENGTH) return this.#end(STATUS_DONE, "closed");
    const next = readU32(frame.bytes, frame.start);
    this.#options.moved();
    this.#moved();
    if (next >= this.#options.payload.length) return this.#end(STATUS_DONE, "");
    // What was under way has been answered: it goes on where the receiver stands.
    if (this.#underWay === 0) this.#sent = next;
    return this.#fill();
  }

  failed(_tag: number, reason: "unreachable" | "closed" | "timeout"): void {
    if (!this.#isEnded) this.#end(STATUS_DONE, reason);
  }

  #end(status: number, failure: PushFailure): void {
    this.#options.payload.release();
    this.#finish(status, failure);
  }

  #finish(status: number, failure: PushFailure): void {
    this.#isEnded = true;
    this.#options.done(status, failure);
    this.#ended(failure);
  }
}
