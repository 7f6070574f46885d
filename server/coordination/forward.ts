/**
 * Handing a request to a node that can coordinate it, once.
 *
 * A node outside the first N healthy of the preference list is not the one to make a version: it sends
 * the client's request as it came to the first that is, and passes the answer back. If that node does
 * not answer, a get goes on to the next; a put must not, for it may have happened: it ends as unknown,
 * unless no byte of it can have left (unreachable), or the node refuses for a reason of its own (its disk
 * takes no writes, say): nothing was written then, and the next node is asked, or in the end the one that
 * handed it on, where that is a target itself (regression 0021).
 *
 * Riak's bug of the same place (riak_kv#1046): the *original* request was handed on between coordinators
 * and made two versions. Here a request carries the mark "forwarded" and is never handed on again, and
 * its request id makes twins of what is coordinated twice anyway.
 *
 * Its deadline travels with it, as the time that is left when it is sent: who is asked second does not work on for a
 * client that has gone.
 */

import { KIND_GET, KIND_PUT, type FrameView } from "../../core/frame.ts";
import { encodeMeta } from "../../core/payload.ts";
import {
  GET_FORWARDED,
  PUT_DELETE,
  PUT_FORWARDED,
  PUT_IF_ABSENT,
  PUT_RETURN_BODY,
  PUT_STAGED,
  RESULT_CODES,
  RESULT_OUTCOMES,
  decodeResult,
  getLength,
  putLength,
  writeGet,
  writePut,
  type GetBody,
  type PutBody,
  type ResultBody,
} from "../../core/request-frames.ts";
import { STALL_MS_MAX } from "../../core/limits.ts";
import { STATUS_DONE } from "../../core/replica-frames.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import type { BodyPushes } from "../replication/body-push.ts";
import type { ReplyHandler } from "../wire/peers.ts";
import type { TimerHandle, TimerTarget, TimerWheel } from "../wire/timer-wheel.ts";
import { NOBODY } from "./refusals.ts";
import { copyOf, endedOf, quorumByte, unknown, type Ended } from "./results.ts";
import type { GetRequest, PutRequest } from "./store.ts";

/** What came of it: the other node's result, or why there is none. */
export type Forwarded =
  | {
    readonly kind: "answered";
    readonly result: ResultBody;
    /** The set in the result, its bytes copied; large payloads are not in it. */
    readonly set: VersionSet | null;
    readonly member: Member;
  }
  | { readonly kind: "unreachable" }
  | { readonly kind: "unknown"; readonly detail: string };

/** A client's put as the frame that hands it on. @param requestId the client's, or the one drawn here */
export function putBodyOf(request: PutRequest, requestId: Uint8Array): PutBody {
  const { options, precondition } = request;
  return {
    name: request.name.bytes,
    context: encoder.encode(request.context),
    etags: encoder.encode(precondition?.etags.join(",") ?? ""),
    meta: encodeMeta(request.meta),
    body: request.body,
    requestId,
    timeoutMs: options.timeoutMs,
    ttlSeconds: request.ttlSeconds,
    w: quorumByte(options.w),
    dw: quorumByte(options.dw),
    pw: quorumByte(options.pw),
    flags:
      PUT_FORWARDED |
      (request.isDelete ? PUT_DELETE : 0) |
      (request.staged ? PUT_STAGED : 0) |
      (request.returnBody ? PUT_RETURN_BODY : 0) |
      (precondition?.absent === true ? PUT_IF_ABSENT : 0),
  };
}

/** A client's get as the frame that hands it on. */
export function getBodyOf(request: GetRequest): GetBody {
  const { name, options } = request;
  const { timeoutMs } = options;
  return {
    name: name.bytes,
    r: quorumByte(options.r),
    pr: quorumByte(options.pr),
    timeoutMs,
    flags: GET_FORWARDED,
  };
}

/** How a request ends that was handed on. */
export function forwardEnded(
  forwarded: Forwarded,
  code: "write-unknown" | "read-timeout",
  nowMs: number,
): Ended {
  if (forwarded.kind === "answered") return endedOf(forwarded.result, forwarded.set, nowMs);
  const why = forwarded.kind === "unknown" ? forwarded.detail : "no owner could be reached";
  const meaning = code === "write-unknown" ? "; the write may have happened" : "";
  return unknown(code, `The request was handed on and ${why}${meaning}`, NOBODY);
}

const encoder = new TextEncoder();

/** Refusals that say something of the node that refused, not of the request. */
const OWN_REASONS: ReadonlySet<string> = new Set([
  "disk-full",
  "memory-full",
  "files-full",
  "hints-full",
  "not-ready",
  "overloaded",
  "clock-skew",
  "quorum-unreachable",
]);

/** Whether another node may take what this answer refuses; then nothing of it was done there. */
export function mayDoBetterElsewhere({ outcome, code }: ResultBody): boolean {
  return RESULT_OUTCOMES[outcome] === "refused" && OWN_REASONS.has(RESULT_CODES[code]);
}

/** Milliseconds that a request has left, 1 at least. */
export type LeftMs = () => number;

/**
 * Sends a put to the first of `members` that can be reached.
 * @param staged its payload, where that is large: it goes first, under the request's id
 */
export function forwardPut(
  members: readonly Member[],
  layout: number,
  body: PutBody,
  staged: LargePayload | null,
  pushes: BodyPushes,
  leftMs: LeftMs,
  done: (forwarded: Forwarded) => void,
): void {
  const encode = (target: Uint8Array, offset: number, timeoutMs: number): void => {
    writePut({ ...body, timeoutMs }, target, offset);
  };
  const patienceMs = staged === null ? 0 : LARGE_PUT_MS_MAX;
  const before: Before | null = staged === null ? null : (member, go, next) => {
    pushes.push({
      member,
      name: body.name,
      about: body.requestId,
      payload: staged,
      hintFor: null,
      layout,
      timeoutMs: Math.max(body.timeoutMs, STALL_MS_MAX),
      moved: () => {},
      // Without the request that comes after it, the payload is nothing there.
      done: (status, failure) => (status === STATUS_DONE && failure === "" ? go() : next()),
    });
  };
  new Forward(members, layout, KIND_PUT, putLength(body), { leftMs, patienceMs }, encode, before, done).next();
}

/** Does something with a member before the request: `go` on with it, or try the `next` one. */
type Before = (member: Member, go: () => void, next: () => void) => void;

/**
 * Who has the payload of a large put has to hand it on in turn, and to sync it, before it can answer; after
 * so long without one it is unknown what became of it.
 */
const LARGE_PUT_MS_MAX = STALL_MS_MAX + 15_000;

/**
 * Sends a get to the first of `members` that answers. One that takes much longer than it mostly does is not waited
 * for alone: the next is asked as well, and whoever answers first is heard.
 */
export function forwardGet(
  members: readonly Member[],
  layout: number,
  body: GetBody,
  wheel: TimerWheel,
  leftMs: LeftMs,
  done: (forwarded: Forwarded) => void,
): void {
  const encode = (target: Uint8Array, offset: number, timeoutMs: number): void => {
    writeGet({ ...body, timeoutMs }, target, offset);
  };
  const time = { leftMs, patienceMs: 0 };
  new Forward(members, layout, KIND_GET, getLength(body), time, encode, null, done, wheel).next();
}

/** How long a member is waited for before another one is asked as well. */
const HEDGE_TIMES = 4;
const HEDGE_MS_MIN = 20;
const HEDGE_MS_MAX = 1_000;

function hedgeMs({ latencyMs }: Member): number {
  return Math.min(HEDGE_MS_MAX, Math.max(HEDGE_MS_MIN, HEDGE_TIMES * latencyMs));
}

/** How long the other node may work, and how long it is waited for at least. */
interface Time {
  readonly leftMs: LeftMs;
  readonly patienceMs: number;
}

type Encode = (target: Uint8Array, offset: number, timeoutMs: number) => void;

class Forward implements ReplyHandler, TimerTarget {
  readonly #members: readonly Member[];
  readonly #layout: number;
  readonly #kind: number;
  readonly #length: number;
  readonly #time: Time;
  readonly #encode: Encode;
  readonly #before: Before | null;
  readonly #done: (forwarded: Forwarded) => void;
  /** Null: one member is asked at a time. */
  readonly #wheel: TimerWheel | null;
  /** Members that were tried, and those of them that have not answered yet. */
  #index = 0;
  #open = 0;
  #hedge: TimerHandle = 0;
  #isDone = false;

  constructor(
    members: readonly Member[],
    layout: number,
    kind: number,
    length: number,
    time: Time,
    encode: Encode,
    before: Before | null,
    done: (forwarded: Forwarded) => void,
    wheel: TimerWheel | null = null,
  ) {
    this.#members = members;
    this.#layout = layout;
    this.#kind = kind;
    this.#length = length;
    this.#time = time;
    this.#encode = encode;
    this.#before = before;
    this.#done = done;
    this.#wheel = wheel;
  }

  next(): void {
    const before = this.#before;
    if (this.#index >= this.#members.length) {
      if (this.#open === 0) this.#end({ kind: "unreachable" });
      return;
    }
    const index = this.#index++;
    const member = this.#members[index];
    if (before === null) return this.#send(member, index);
    return before(member, () => this.#send(member, index), () => this.next());
  }

  #send(member: Member, index: number): void {
    const { peer } = member;
    const leftMs = this.#time.leftMs();
    const waitMs = Math.max(leftMs, this.#time.patienceMs);
    const offset = peer === null
      ? -1
      : peer.request(this.#kind, 0, this.#layout, this.#length, waitMs, this, index);
    if (peer === null || offset < 0) return this.next();
    this.#open++;
    this.#encode(peer.buffer, offset, leftMs);
    if (this.#wheel === null || this.#index >= this.#members.length) return;
    this.#hedge = this.#wheel.schedule(hedgeMs(member), this, 0);
  }

  /** Whoever was asked last is slow. */
  expired(): void {
    this.#hedge = 0;
    if (!this.#isDone) this.next();
  }

  replied(index: number, frame: FrameView): void {
    if (this.#isDone) return;
    this.#open--;
    const result =
      frame.status === 0 ? decodeResult(frame.bytes, frame.start, frame.end) : null;
    const isLast = this.#index >= this.#members.length && this.#open === 0;
    const member = this.#members[index];
    const set = result === null || result.set === null ? null : copyOf(result.set);
    if (result !== null && !isLast && mayDoBetterElsewhere(result)) this.#goOn();
    else if (result !== null) this.#end({ kind: "answered", result, set, member });
    else this.#failed("the coordinator's answer could not be read");
  }

  failed(_index: number, reason: "unreachable" | "closed" | "timeout"): void {
    if (this.#isDone) return;
    this.#open--;
    if (reason === "unreachable") this.#goOn();
    else this.#failed(reason === "closed" ? "the coordinator went away" : "the coordinator was silent");
  }

  #failed(detail: string): void {
    const isOver = this.#index >= this.#members.length && this.#open === 0;
    if (this.#kind === KIND_GET && !isOver) this.#goOn();
    else this.#end({ kind: "unknown", detail });
  }

  /** Asks the next member; where all have been asked, and some of them are open, they are waited for. */
  #goOn(): void {
    this.#unhedge();
    this.next();
  }

  #unhedge(): void {
    if (this.#hedge !== 0) this.#wheel?.cancel(this.#hedge);
    this.#hedge = 0;
  }

  #end(forwarded: Forwarded): void {
    this.#unhedge();
    this.#isDone = true;
    this.#done(forwarded);
  }
}
