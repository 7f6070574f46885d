/**
 * One request from the application's point of view: as many attempts at as many nodes as it takes, within one deadline.
 *
 *   the best node ──answer──► done, refused, unknown
 *      │ slow: the next is asked as well (hedging), the first answer counts
 *      │ unreachable, or a refusal for a reason of its own: the next is asked instead
 *      │ gone after it was asked: the next is asked; a write under the same request id, so that it is made once
 *      └ all were asked: again after a pause that doubles, or as long as the nodes say
 *
 * ***A write ends as refused only if no attempt can have written.*** Once one of them went unanswered, whatever
 * comes after it is done or unknown.
 */

import { STATUS_OK } from "../core/frame.ts";
import type { FrameView } from "../core/frame.ts";
import { STATUS_MALFORMED } from "../core/replica-frames.ts";
import { HaloError, refusal } from "./halo-error.ts";
import type { Question, Verdict } from "./question.ts";
import type { RemoteNode, SentRequest } from "./remote-node.ts";
import type { Runtime, Timer } from "./runtime.ts";
import type { Routes } from "./routes.ts";

/** So many times its usual time, within these bounds, a node is waited for before another one is asked as well. */
const HEDGE_TIMES = 4;
const HEDGE_MS_MIN = 10;
const HEDGE_MS_MAX = 1_000;
/** A node of which nothing is known. */
const HEDGE_MS_FIRST = 100;
/** A write is made twice then, and the node has to find out that it is one: that is for nodes that are gone. */
const WRITE_MS_MIN = 500;
/** After all nodes were asked in vain. */
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 1_000;
/** The node's share of the time that is left: so its own answer comes before the deadline. */
const NODE_PART = 0.95;

/** Refusals that say something of the node or the moment, not of the request. */
const PASSING: ReadonlySet<string> = new Set([
  ...["disk-full", "memory-full", "files-full", "hints-full", "not-ready", "overloaded", "clock-skew"],
  ...["quorum-unreachable", "absence-unknown", "stale-layout", "rate-limited"],
]);

interface Attempt {
  readonly node: RemoteNode;
  readonly beganMs: number;
  sent: SentRequest | null;
}

type Refused<Value> = Exclude<Verdict<Value>, { kind: "done" }>;

export class Attempts<Value> {
  readonly #runtime: Runtime;
  readonly #routes: Routes;
  readonly #question: Question<Value>;
  readonly #resolve: (value: Value) => void;
  readonly #reject: (error: unknown) => void;
  readonly #deadlineMs: number;
  readonly #deadline: Timer;
  readonly #open = new Set<Attempt>();
  #candidates: RemoteNode[] = [];
  #index = 0;
  #rounds = 0;
  #timer: Timer | null = null;
  /** The shortest of the waits that nodes asked for in this round. */
  #retryAfterMs = Infinity;
  #lastRefusal: Refused<Value> | null = null;
  /** A write was sent somewhere, and nobody knows what became of it. */
  #mayHaveHappened = false;
  #isDone = false;

  constructor(
    runtime: Runtime,
    routes: Routes,
    question: Question<Value>,
    resolve: (value: Value) => void,
    reject: (error: unknown) => void,
  ) {
    this.#runtime = runtime;
    this.#routes = routes;
    this.#question = question;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#deadlineMs = runtime.elapsedMs() + question.timeoutMs;
    this.#deadline = runtime.after(question.timeoutMs, () => this.#late());
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  start(): void {
    this.#routes.whenKnown(() => this.#round());
  }

  /** Ends it where it stands; a write that was sent may have happened. */
  stop(code: string, detail: string): void {
    this.#fail(code, detail);
  }

  #round(): void {
    if (this.#isDone) return;
    this.#timer = null;
    this.#candidates = this.#question.route(this.#routes);
    this.#index = 0;
    this.#retryAfterMs = Infinity;
    this.#next();
  }

  /** Asks the next node of this round; where there is none, those that are open are waited for. */
  #next(): void {
    this.#unschedule();
    if (this.#isDone) return;
    if (this.#index < this.#candidates.length) this.#ask(this.#candidates[this.#index++]);
    else if (this.#open.size === 0) this.#pause();
  }

  #ask(node: RemoteNode): void {
    const question = this.#question;
    const nowMs = this.#runtime.elapsedMs();
    const timeoutMs = Math.max(1, Math.floor((this.#deadlineMs - nowMs) * NODE_PART));
    const attempt: Attempt = { node, beganMs: nowMs, sent: null };
    this.#open.add(attempt);
    const write = (target: Uint8Array, offset: number): void => question.write(target, offset, timeoutMs);
    attempt.sent = node.request(question.kind, this.#routes.number, question.length(), write, {
      replied: (frame) => this.#replied(attempt, frame),
      failed: (reason) => this.#failed(attempt, reason === "closed"),
    });
    if (!question.mayRace || this.#index >= this.#candidates.length) return;
    const patienceMs = question.isWrite ? Math.max(WRITE_MS_MIN, hedgeMs(node)) : hedgeMs(node);
    this.#timer = this.#runtime.after(patienceMs, () => this.#next());
  }

  #replied(attempt: Attempt, frame: FrameView): void {
    if (!this.#open.delete(attempt)) return;
    attempt.node.answered(this.#runtime.elapsedMs() - attempt.beganMs);
    this.#routes.seen(frame.layout);
    const verdict = this.#judge(frame);
    if (verdict === null) return;
    if (verdict.kind === "done") return this.#end(() => this.#resolve(verdict.value));
    if (verdict.kind === "unknown") {
      this.#mayHaveHappened = this.#question.isWrite;
      return this.#fail(verdict.code, verdict.detail, verdict.context);
    }
    this.#lastRefusal = verdict;
    if (!PASSING.has(verdict.code)) return this.#fail(verdict.code, verdict.detail, verdict.context);
    if (verdict.retryAfterMs > 0) this.#retryAfterMs = Math.min(this.#retryAfterMs, verdict.retryAfterMs);
    return this.#next();
  }

  /** Null: the application's own function threw, and that is the end. */
  #judge(frame: FrameView): Verdict<Value> | null {
    if (frame.status !== STATUS_OK) {
      const code = frame.status === STATUS_MALFORMED ? "bad-parameter" : "not-ready";
      const detail = `The node does not take the request (status ${frame.status})`;
      return { kind: "refused", code, detail, context: "", retryAfterMs: 0 };
    }
    try {
      return this.#question.judge(frame);
    } catch (error) {
      this.#end(() => this.#reject(error));
      return null;
    }
  }

  #failed(attempt: Attempt, wasSent: boolean): void {
    if (!this.#open.delete(attempt)) return;
    attempt.node.failed();
    if (wasSent && this.#question.isWrite) this.#mayHaveHappened = true;
    this.#next();
  }

  /** All nodes were asked in vain. */
  #pause(): void {
    if (this.#routes.isRefused) return this.#fail("unauthenticated", this.#routes.trouble);
    const backOffMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(this.#rounds++, 16));
    const random = new Uint8Array(1);
    this.#runtime.fill(random);
    const drawnMs = backOffMs * (0.5 + random[0] / 512);
    const delayMs = this.#retryAfterMs === Infinity ? drawnMs : Math.max(drawnMs, this.#retryAfterMs);
    const isTooLate = this.#runtime.elapsedMs() + delayMs >= this.#deadlineMs;
    if (isTooLate && this.#lastRefusal !== null) return this.#refuseAsBefore(this.#lastRefusal);
    this.#timer = this.#runtime.after(delayMs, () => this.#round());
  }

  #refuseAsBefore({ code, detail, context }: Refused<Value>): void {
    this.#fail(code, detail, context);
  }

  /** The deadline. */
  #late(): void {
    if (this.#isDone) return;
    const { timeoutMs, lateCode } = this.#question;
    // A write that waits for its connection still goes out where that comes about.
    const isAsked = this.#question.isWrite ? this.#open.size > 0 : this.#hasSent();
    if (this.#mayHaveHappened || isAsked) this.#fail(lateCode, `No answer came within ${timeoutMs} ms`);
    else if (this.#lastRefusal !== null) this.#refuseAsBefore(this.#lastRefusal);
    else this.#fail("unreachable", `No node could be reached within ${timeoutMs} ms: ${this.#routes.trouble}`);
  }

  /** Whether a request that is open has left: those that wait for a connection have not. */
  #hasSent(): boolean {
    return [...this.#open].some(({ sent }) => sent !== null && sent.connection.hasSent(sent.correlation));
  }

  #fail(code: string, detail: string, context = ""): void {
    if (this.#isDone) return;
    const isOpenWrite = this.#question.isWrite && [...this.#open].some(({ sent }) => sent !== null);
    const isUnknown = this.#mayHaveHappened || isOpenWrite;
    const isLateRead = code === "read-timeout";
    if (!isUnknown && !isLateRead) return this.#end(() => this.#reject(refusal(code, detail, context)));
    const lateCode = this.#question.lateCode;
    const meaning = isUnknown ? "; the write may have happened" : "";
    return this.#end(() => this.#reject(new HaloError(lateCode, "unknown", `${detail}${meaning}`, context)));
  }

  #end(tell: () => void): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#deadline.cancel();
    this.#unschedule();
    const nowMs = this.#runtime.elapsedMs();
    for (const { node, beganMs, sent } of this.#open) {
      sent?.connection.forget(sent.correlation);
      node.givenUp(nowMs - beganMs);
      if (nowMs >= this.#deadlineMs) sent?.connection.suspect(beganMs);
    }
    this.#open.clear();
    tell();
  }

  #unschedule(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

function hedgeMs({ usualMs }: RemoteNode): number {
  if (usualMs === 0) return HEDGE_MS_FIRST;
  return Math.min(HEDGE_MS_MAX, Math.max(HEDGE_MS_MIN, HEDGE_TIMES * usualMs));
}
