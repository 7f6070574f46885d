/**
 * One wheel of timeouts for everything that waits: requests, handshakes, lingering coordinators.
 *
 *   slot   0    1    2    …  1023          a slot is 10 ms; a timer lies in slot (tick mod 1024),
 *         ┌────┬────┬────┬───┬────┐        in the order in which it was scheduled
 *         │ a─c│    │ b  │   │    │        a turn of the wheel is 10.24 s; a timer that is due in a
 *         └────┴────┴────┴───┴────┘        later turn is passed over
 *
 * Scheduling and cancelling cost the same whatever waits, and allocate nothing once the arrays have
 * grown: timers are numbers in typed arrays, linked into their slot. A bit per slot tells which are
 * in use, so that the clock is asked for one wake-up, at the next slot in use, and for none while
 * nothing is scheduled (but for one that is still under way from before). A timer never fires
 * early; it fires up to a slot late. Order of expiry: by slot, then as scheduled.
 *
 * The idea: Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987, scheme 6.
 */

import type { Clock, Timer } from "../ports/clock.ts";

/** What is told when a timer runs out. */
export interface TimerTarget {
  expired(tag: number): void;
}

/** Names a scheduled timer; 0 is never one. Outlives its timer harmlessly. */
export type TimerHandle = number;

/** Width of a slot in milliseconds. */
export const TICK_MS = 10;
const SLOTS = 1024;
/** The list of timers that ran out and whose targets have not been told yet. */
const DUE = SLOTS;
const NONE = -1;
/** handle = generation × INDEX_SPAN + index, exact in a number for 2^32 generations. */
const INDEX_SPAN = 1 << 21;
const CAPACITY_START = 64;

const nobody: TimerTarget = { expired: () => {} };

export class TimerWheel {
  readonly #clock: Clock;
  /** Timers that are scheduled and have neither fired nor been cancelled. */
  #count = 0;
  #capacity = 0;
  #free = NONE;
  // By timer. `list` is the slot it is linked into, DUE, or NONE while the timer is free.
  #targets: TimerTarget[] = [];
  #tags = new Float64Array(0);
  #ticks = new Float64Array(0);
  #generations = new Uint32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #list = new Int32Array(0);
  // By slot, and one place more for DUE.
  readonly #heads = new Int32Array(SLOTS + 1).fill(NONE);
  readonly #tails = new Int32Array(SLOTS + 1).fill(NONE);
  readonly #used = new Int32Array(SLOTS / 32);
  /** The last tick whose timers were told. */
  #lastTick = 0;
  /** The tick of the wake-up that the clock owes us; Infinity without one. */
  #wakeTick = Infinity;
  #wake: Timer | null = null;
  readonly #onWake = (): void => this.#turn();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastTick = Math.floor(clock.elapsedMs() / TICK_MS);
    this.#grow();
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#count;
  }

  /**
   * Calls target.expired(tag) once, `delayMs` (≥ 0) from now or up to a slot later, never before
   * this returns.
   */
  schedule(delayMs: number, target: TimerTarget, tag: number): TimerHandle {
    const nowMs = this.#clock.elapsedMs();
    const nowTick = Math.floor(nowMs / TICK_MS);
    if (this.#count === 0) this.#lastTick = nowTick;
    if (this.#free === NONE) this.#grow();
    const index = this.#free;
    this.#free = this.#next[index];
    const tick = Math.max(nowTick + 1, Math.ceil((nowMs + delayMs) / TICK_MS));
    this.#targets[index] = target;
    this.#tags[index] = tag;
    this.#ticks[index] = tick;
    this.#append(index, tick % SLOTS);
    this.#count++;
    if (tick < this.#wakeTick) this.#wakeAt(tick, nowMs);
    return this.#generations[index] * INDEX_SPAN + index;
  }

  /** Forgets a timer; harmless when it has fired, was cancelled, or the handle is 0. */
  cancel(handle: TimerHandle): void {
    const index = handle % INDEX_SPAN;
    if (index >= this.#capacity || this.#list[index] === NONE) return;
    if (this.#generations[index] !== (handle - index) / INDEX_SPAN) return;
    this.#unlink(index);
    this.#release(index);
  }

  /** Gives up the wake-up that may still be under way; does nothing while a timer is scheduled. */
  rest(): void {
    if (this.#count > 0) return;
    this.#wake?.cancel();
    this.#wake = null;
    this.#wakeTick = Infinity;
  }

  #turn(): void {
    this.#wake = null;
    this.#wakeTick = Infinity;
    const nowTick = Math.floor(this.#clock.elapsedMs() / TICK_MS);
    while (this.#count > 0) {
      const tick = this.#nextUsedTick();
      if (tick > nowTick) break;
      this.#lastTick = tick;
      this.#expire(tick);
    }
    if (this.#count === 0) return;
    this.#lastTick = Math.max(this.#lastTick, nowTick);
    const tick = this.#nextUsedTick();
    if (tick < this.#wakeTick) this.#wakeAt(tick, this.#clock.elapsedMs());
  }

  /**
   * Moves what is due from the slot to the due list, then tells the targets, who may do as they
   * like.
   */
  #expire(tick: number): void {
    let index = this.#heads[tick % SLOTS];
    while (index !== NONE) {
      const next = this.#next[index];
      if (this.#ticks[index] <= tick) {
        this.#unlink(index);
        this.#append(index, DUE);
      }
      index = next;
    }
    for (index = this.#heads[DUE]; index !== NONE; index = this.#heads[DUE]) {
      const target = this.#targets[index];
      const tag = this.#tags[index];
      this.#unlink(index);
      this.#release(index);
      target.expired(tag);
    }
  }

  /**
   * The first tick after the last one told whose slot is in use. REQUIRES: some timer waits in a
   * slot.
   */
  #nextUsedTick(): number {
    const first = this.#lastTick + 1;
    const firstSlot = first % SLOTS;
    let word = firstSlot >> 5;
    let bits = this.#used[word] & (-1 << (firstSlot & 31));
    for (let step = 0; bits === 0 && step <= SLOTS / 32; step++) {
      word = (word + 1) % (SLOTS / 32);
      bits = this.#used[word];
    }
    const slot = word * 32 + (31 - Math.clz32(bits & -bits));
    return first + ((slot - firstSlot + SLOTS) % SLOTS);
  }

  #wakeAt(tick: number, nowMs: number): void {
    this.#wake?.cancel();
    this.#wakeTick = tick;
    // Rounded up: clocks count whole milliseconds, and an early wake-up would only be repeated.
    const delayMs = Math.max(1, Math.ceil(tick * TICK_MS - nowMs));
    this.#wake = this.#clock.after(delayMs, this.#onWake);
  }

  #append(index: number, list: number): void {
    const tail = this.#tails[list];
    this.#list[index] = list;
    this.#previous[index] = tail;
    this.#next[index] = NONE;
    this.#tails[list] = index;
    if (tail !== NONE) {
      this.#next[tail] = index;
      return;
    }
    this.#heads[list] = index;
    if (list !== DUE) this.#used[list >> 5] |= 1 << (list & 31);
  }

  #unlink(index: number): void {
    const list = this.#list[index];
    const next = this.#next[index];
    const previous = this.#previous[index];
    if (previous === NONE) this.#heads[list] = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#tails[list] = previous;
    else this.#previous[next] = previous;
    if (list !== DUE && this.#heads[list] === NONE) this.#used[list >> 5] &= ~(1 << (list & 31));
  }

  #release(index: number): void {
    this.#list[index] = NONE;
    this.#targets[index] = nobody;
    this.#generations[index]++;
    if (this.#generations[index] === 0) this.#generations[index] = 1;
    this.#next[index] = this.#free;
    this.#free = index;
    this.#count--;
  }

  #grow(): void {
    const before = this.#capacity;
    const after = before === 0 ? CAPACITY_START : before * 2;
    if (after > INDEX_SPAN) throw new RangeError(`Cannot schedule more than ${INDEX_SPAN} timers`);
    this.#tags = grown(this.#tags, new Float64Array(after));
    this.#ticks = grown(this.#ticks, new Float64Array(after));
    this.#generations = grown(this.#generations, new Uint32Array(after).fill(1));
    this.#next = grown(this.#next, new Int32Array(after));
    this.#previous = grown(this.#previous, new Int32Array(after));
    this.#list = grown(this.#list, new Int32Array(after).fill(NONE));
    for (let index = after - 1; index >= before; index--) {
      this.#next[index] = this.#free;
      this.#free = index;
    }
    for (let index = before; index < after; index++) this.#targets.push(nobody);
    this.#capacity = after;
  }
}

function grown<Numbers extends Float64Array | Uint32Array | Int32Array>(
  old: Numbers,
  larger: Numbers,
): Numbers {
  larger.set(old);
  return larger;
}
