/**
 * Whether memory may grow: what is known to be held, and what the process takes in all, against a bound.
 *
 *   used   ├────────── all writes ──────────┼── as before ──┼── nothing that grows ──▶
 *          0                              low             high                     bound
 *                                         6/8             7/8
 *
 * Refused from `high` on until it is below `low` again, so that a node at the edge does not change its
 * mind at every write. What lies between `high` and the bound is for what goes on: reads, deletes, bodies
 * under way, repairs of what is held.
 *
 * `used` is the larger of two figures. The accounts (index, buffers) are exact and know nothing of
 * the runtime; the resident size knows all and counts garbage as well, so before it makes anybody refuse
 * the runtime is asked once to give its garbage back. Both are looked at once a second: an index grows by
 * less than the reserve in that time.
 */

import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Memory } from "../ports/memory.ts";

export const MEMORY_CHECK_MS = 1_000;
/** Of the bound, in eighths. */
const LOW = 6;
const HIGH = 7;
/** A collection stops everything; with the heap as it is here, for some milliseconds. */
const COLLECT_MS_MIN = 3_000;

/** What a watermark needs of the outside. */
export interface MemoryPorts {
  readonly clock: Pick<Clock, "after" | "elapsedMs">;
  readonly memory: Memory;
  readonly log: Log;
}

export class MemoryWatermark {
  readonly #ports: MemoryPorts;
  readonly #bytesMax: number;
  readonly #accounted: () => number;
  #timer: Timer | null = null;
  #usedBytes = 0;
  #refusal = "";
  #collectedMs = -Infinity;

  /**
   * @param bytesMax the bound; 0: there is none
   * @param accounted bytes that are known to be held
   */
  constructor(ports: MemoryPorts, bytesMax: number, accounted: () => number) {
    this.#ports = ports;
    this.#bytesMax = bytesMax;
    this.#accounted = accounted;
  }

  /** Looks now and from now on. */
  start(): void {
    if (this.#bytesMax === 0) return;
    this.#look();
    this.#timer = this.#ports.clock.after(MEMORY_CHECK_MS, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Why memory may not grow; "" where it may. */
  get refusal(): string {
    return this.#refusal;
  }

  /** Bytes in use when it was looked last. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  #look(): void {
    this.#usedBytes = this.#measure();
    const edge = this.#refusal === "" ? HIGH : LOW;
    const isOver = this.#usedBytes * 8 >= this.#bytesMax * edge;
    const wasOver = this.#refusal !== "";
    this.#refusal = isOver ? this.#sentence() : "";
    if (isOver === wasOver) return;
    const fields = { usedBytes: this.#usedBytes, bytesMax: this.#bytesMax };
    if (isOver) this.#ports.log.warn("memory is full: new objects are refused", fields);
    else this.#ports.log.info("memory has room again: new objects are taken", fields);
  }

  #sentence(): string {
    const freed = Math.floor((this.#bytesMax * LOW) / 8);
    return `${this.#usedBytes} bytes of memory are in use, new objects are taken again below ${freed}`;
  }

  #measure(): number {
    const { memory, clock } = this.#ports;
    const accounted = this.#accounted();
    const resident = memory.residentBytes();
    if (resident * 8 < this.#bytesMax * HIGH) return Math.max(accounted, resident);
    if (clock.elapsedMs() - this.#collectedMs < COLLECT_MS_MIN) return Math.max(accounted, resident);
    this.#collectedMs = clock.elapsedMs();
    memory.collect();
    return Math.max(accounted, memory.residentBytes());
  }
}
