/**
 * A load on a cluster: so many requests in flight, each a get or a put of a drawn key, for so long.
 *
 *   closed loop   a connection asks again as soon as it is answered: finds what can be done, and flatters latencies
 *   open loop     requests are due at a rate, whether earlier ones are answered or not; latency counts from when a
 *                 request was due, so a pause is seen by all that it delayed (no coordinated omission)
 *
 *   ├─ warm-up ─┼───────── measured ─────────┼─ what is late ─┤
 *
 * Where a closed loop's request fails, its connection rests before the next, longer each time: a node that is down
 * fails a request in microseconds, and would be asked without end.
 *
 * A request belongs to the measured time if it was due in it. Those that are late then are waited for a while, and
 * what never comes counts as failed, with the latency that it had by then.
 */

import { systemClock } from "../ports/clock.ts";
import { Histogram } from "./histogram.ts";

const LATE_MS = 5_000;
/** Timers tick in milliseconds; what is nearer is looked for at each turn of the event loop. */
const TICK_MS = 2;
/** After failures in a row: 10, 20, 40 … ms. */
const REST_MS_MIN = 10;
const REST_MS_MAX = 1_000;

export interface LoadShape {
  readonly connections: number;
  /** Requests a second; 0: closed loop. */
  readonly rate: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  /** The share of gets, 0 to 1. */
  readonly gets: number;
}

export type Kind = "get" | "put";

/** One request. @returns "" or what went wrong, in a word or two that others have in common */
export type Send = (kind: Kind, lane: number, signal: AbortSignal) => Promise<string>;

export class LoadCounts {
  readonly latencies: Readonly<Record<Kind, Histogram>> = { get: new Histogram(), put: new Histogram() };
  readonly failed: Record<Kind, number> = { get: 0, put: 0 };
  readonly errors = new Map<string, number>();

  record(kind: Kind, latencyMs: number, error: string): void {
    this.latencies[kind].record(latencyMs);
    if (error === "") return;
    this.failed[kind]++;
    this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
  }
}

export class Load {
  readonly counts = new LoadCounts();
  readonly #shape: LoadShape;
  readonly #send: Send;
  /** A number from 0 to below 1. */
  readonly #draw: () => number;
  readonly #startMs = systemClock.elapsedMs();
  readonly #late = new AbortController();
  #scheduled = 0;
  #isStopped = false;

  constructor(shape: LoadShape, send: Send, draw: () => number) {
    this.#shape = shape;
    this.#send = send;
    this.#draw = draw;
  }

  /** Ends it early: what was measured so far is what was measured. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Of the measured time, what has passed. */
  get measuredMs(): number {
    const { warmUpMs, measuredMs } = this.#shape;
    return Math.max(0, Math.min(measuredMs, systemClock.elapsedMs() - this.#startMs - warmUpMs));
  }

  /** @returns how long was measured, in milliseconds */
  async run(): Promise<number> {
    const { warmUpMs, measuredMs, connections } = this.#shape;
    const timer = systemClock.after(warmUpMs + measuredMs + LATE_MS, () => this.#late.abort());
    const lanes = Array.from({ length: connections }, (_, lane) => this.#runLane(lane));
    await Promise.all(lanes);
    timer.cancel();
    const measured = this.measuredMs;
    if (!this.#isStopped) this.#giveUpTheRest();
    return measured;
  }

  async #runLane(lane: number): Promise<void> {
    const isClosed = this.#shape.rate === 0;
    let restMs = 0;
    for (;;) {
      if (restMs > 0) await until(systemClock.elapsedMs() + restMs);
      const dueMs = this.#nextDueMs();
      const isOver = dueMs >= this.#endMs;
      if (this.#late.signal.aborted) return;
      await until(this.#startMs + Math.min(dueMs, this.#endMs));
      if (isOver) return;
      if (this.#isStopped) return;
      const kind = this.#drawKind();
      const error = await this.#send(kind, lane, this.#late.signal);
      this.#record(kind, dueMs, error);
      restMs = isClosed && error !== "" ? Math.min(Math.max(REST_MS_MIN, 2 * restMs), REST_MS_MAX) : 0;
    }
  }

  get #endMs(): number {
    return this.#shape.warmUpMs + this.#shape.measuredMs;
  }

  /** Since the start: beside a clock's reading of many digits, the last request of a second would slip into the next. */
  #nextDueMs(): number {
    const { rate } = this.#shape;
    return rate === 0 ? systemClock.elapsedMs() - this.#startMs : (this.#scheduled++ * 1_000) / rate;
  }

  #drawKind(): Kind {
    return this.#draw() < this.#shape.gets ? "get" : "put";
  }

  #record(kind: Kind, dueMs: number, error: string): void {
    if (dueMs < this.#shape.warmUpMs) return;
    this.counts.record(kind, systemClock.elapsedMs() - this.#startMs - dueMs, error);
  }

  /** Open loop: what was due and was never sent, since all connections waited. */
  #giveUpTheRest(): void {
    if (this.#shape.rate === 0) return;
    for (let dueMs = this.#nextDueMs(); dueMs < this.#endMs; dueMs = this.#nextDueMs()) {
      this.#record(this.#drawKind(), dueMs, "never sent");
    }
  }
}

async function until(dueMs: number): Promise<void> {
  for (;;) {
    const leftMs = dueMs - systemClock.elapsedMs();
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => {
      if (leftMs > TICK_MS) systemClock.after(leftMs - TICK_MS, resolve);
      else systemClock.soon(resolve);
    });
  }
}
