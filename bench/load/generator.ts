/**
 * The load: many connections that put and get random keys, and what came of it.
 *
 *   closed loop   each connection asks again as soon as it is answered: finds the saturated rate.
 *                 A slow answer delays the requests behind it, so its latencies flatter.
 *   open loop     requests are due at fixed times, whether earlier ones are answered or not;
 *                 latency counts from the due time, so a pause is seen by all requests that it
 *                 delayed (corrected for coordinated omission). Timers tick in milliseconds: each
 *                 answer looks for due requests as well; what a tick adds is part of the latency.
 *
 *   ├─ warm-up ─┼───────── measured ─────────┼─ drain ─┤
 *
 * A request belongs to the measured time if it started in it. After it nothing is sent and the
 * answers on the way are awaited; what never comes counts as failed, with the latency it had by
 * then.
 *
 * The generator shares the cores with what it measures, so it costs little: prebuilt requests, one
 * clock reading an answer, typed arrays. Its own share of a core is part of the result: near 1.0
 * the generator was the limit and not the system.
 */

import { Connection, type ConnectionEvents } from "./connection.ts";
import type { Call, Exchange } from "./exchange.ts";
import { Histogram } from "../../server/cli/histogram.ts";

const DRAIN_MS = 2_000;
const DRAIN_TICK_MS = 5;
const TICK_MS = 1;
const UINT32 = 2 ** 32;

export interface LoadOptions {
  /** Loopback ports; connections are spread over them in turn. */
  readonly ports: readonly number[];
  readonly connections: number;
  readonly exchange: Exchange;
  /** Keys are drawn evenly from this many. */
  readonly keys: number;
  /** The share of puts: 0 only gets, 1 only puts. */
  readonly putShare: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  /** Requests a second of an open loop; 0: closed loop. */
  readonly rate: number;
}

export interface LoadResult {
  /** Wanted answers a second of the measured time. */
  readonly perSecond: number;
  readonly answered: number;
  /** Unwanted answers, cut connections and requests that were never answered. */
  readonly failed: number;
  /** The first failure in one line; "" without any. */
  readonly complaint: string;
  readonly latency: Histogram;
  /** Seconds of processor time that the generator took in a second. */
  readonly generatorCpu: number;
}

/** Runs one load to its end; bounded by warm-up, measured time and drain. */
export function runLoad(options: LoadOptions): Promise<LoadResult> {
  return new Promise((resolve) => new LoadRun(options, resolve).start());
}

interface Lane {
  readonly connection: Connection;
  readonly put: Call;
  readonly get: Call;
}

class LoadRun implements ConnectionEvents {
  readonly #options: LoadOptions;
  readonly #done: (result: LoadResult) => void;
  readonly #lanes: Map<Connection, Lane>;
  readonly #idle: Lane[];
  readonly #latency: Histogram;
  #random: number;
  #measureFromMs: number;
  #measureToMs: number;
  #scheduled: number;
  #answered: number;
  #failed: number;
  #complaint: string;
  #cpuAtStart: NodeJS.CpuUsage;
  #tick: NodeJS.Timeout | undefined;

  constructor(options: LoadOptions, done: (result: LoadResult) => void) {
    this.#options = options;
    this.#done = done;
    this.#lanes = new Map();
    this.#idle = [];
    this.#latency = new Histogram();
    this.#random = 0x2545f491;
    this.#measureFromMs = 0;
    this.#measureToMs = 0;
    this.#scheduled = 0;
    this.#answered = 0;
    this.#failed = 0;
    this.#complaint = "";
    this.#cpuAtStart = process.cpuUsage();
    this.#tick = undefined;
  }

  start(): void {
    const { connections, ports, exchange, warmUpMs, measuredMs, rate } = this.#options;
    this.#measureFromMs = performance.now() + warmUpMs;
    this.#measureToMs = this.#measureFromMs + measuredMs;
    for (let index = 0; index < connections; index++) {
      const connection = new Connection(ports[index % ports.length], this);
      this.#lanes.set(connection, { connection, put: exchange.put(), get: exchange.get() });
      connection.open();
    }
    if (rate > 0) this.#tick = setInterval(() => this.#sendDue(), TICK_MS);
    setTimeout(() => (this.#cpuAtStart = process.cpuUsage()), warmUpMs);
    setTimeout(() => this.#drain(), warmUpMs + measuredMs);
  }

  ready(connection: Connection): void {
    this.#next(connection, performance.now());
  }

  answered(connection: Connection, isOk: boolean): void {
    const nowMs = performance.now();
    if (this.#isMeasured(connection.startedMs)) {
      this.#latency.record(nowMs - connection.startedMs);
      if (isOk) this.#answered++;
      else this.#failed++;
    }
    this.#next(connection, nowMs);
  }

  broken(connection: Connection, why: string): void {
    if (this.#complaint === "") this.#complaint = why;
    if (!connection.isBusy) this.#forget(connection);
    else if (this.#isMeasured(connection.startedMs)) {
      this.#latency.record(performance.now() - connection.startedMs);
      this.#failed++;
    }
  }

  #next(connection: Connection, nowMs: number): void {
    const lane = this.#lanes.get(connection);
    if (lane === undefined) return;
    if (this.#options.rate > 0) {
      this.#idle.push(lane);
      this.#sendDue();
    } else if (nowMs < this.#measureToMs) this.#send(lane, nowMs);
  }

  /** Open loop: sends what is due as far as connections are idle. */
  #sendDue(): void {
    const nowMs = performance.now();
    while (this.#idle.length > 0) {
      const dueMs = this.#nextDueMs();
      if (dueMs > nowMs || dueMs >= this.#measureToMs) return;
      const lane = this.#idle.pop();
      if (lane === undefined) return;
      this.#scheduled++;
      this.#send(lane, dueMs);
    }
  }

  /** Open loop: when the first request that was not sent yet is due. */
  #nextDueMs(): number {
    const { rate, warmUpMs } = this.#options;
    return this.#measureFromMs - warmUpMs + (this.#scheduled * 1000) / rate;
  }

  #isOverdue(): boolean {
    return this.#options.rate > 0 && this.#nextDueMs() < this.#measureToMs;
  }

  #send(lane: Lane, startedMs: number): void {
    const { keys, putShare } = this.#options;
    const isPut = putShare === 1 || (putShare > 0 && this.#draw() < putShare * UINT32);
    const keyIndex = Math.floor((this.#draw() / UINT32) * keys);
    lane.connection.send(isPut ? lane.put : lane.get, keyIndex, startedMs);
  }

  /** A connection that broke while idle must not be picked. */
  #forget(connection: Connection): void {
    const index = this.#idle.findIndex((lane) => lane.connection === connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  #isMeasured(startedMs: number): boolean {
    return startedMs >= this.#measureFromMs && startedMs < this.#measureToMs;
  }

  /** Overdue requests of an open loop are still sent, or the worst latencies would be left out. */
  #drain(): void {
    const cpu = process.cpuUsage(this.#cpuAtStart);
    const cpuShare = (cpu.user + cpu.system) / 1000 / this.#options.measuredMs;
    const untilMs = performance.now() + DRAIN_MS;
    const timer = setInterval(() => {
      if (performance.now() < untilMs && this.#isAnythingAwaited()) return;
      clearInterval(timer);
      this.#finish(cpuShare);
    }, DRAIN_TICK_MS);
  }

  #isAnythingAwaited(): boolean {
    for (const connection of this.#lanes.keys()) if (connection.isBusy) return true;
    return this.#isOverdue();
  }

  #finish(generatorCpu: number): void {
    clearInterval(this.#tick);
    this.#giveUpTheRest(performance.now());
    this.#done({
      perSecond: (this.#answered * 1000) / this.#options.measuredMs,
      answered: this.#answered,
      failed: this.#failed,
      complaint: this.#firstComplaint(),
      latency: this.#latency,
      generatorCpu,
    });
  }

  #giveUpTheRest(nowMs: number): void {
    for (const connection of this.#lanes.keys()) {
      if (connection.isBusy) this.#giveUp(connection.startedMs, nowMs);
      connection.close();
    }
    for (; this.#isOverdue(); this.#scheduled++) this.#giveUp(this.#nextDueMs(), nowMs);
  }

  #giveUp(startedMs: number, nowMs: number): void {
    if (!this.#isMeasured(startedMs)) return;
    this.#latency.record(nowMs - startedMs);
    this.#failed++;
    if (this.#complaint === "") this.#complaint = "requests were never answered";
  }

  #firstComplaint(): string {
    for (const lane of this.#lanes.values()) {
      const complaint = lane.put.reply.complaint || lane.get.reply.complaint;
      if (complaint !== "") return complaint;
    }
    return this.#complaint;
  }

  /** xorshift32 */
  #draw(): number {
    let word = this.#random;
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    this.#random = word;
    return word >>> 0;
  }
}
