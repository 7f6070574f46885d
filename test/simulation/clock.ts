/**
 * Virtual time. One queue of events for a whole world of nodes; nothing happens but what is in it,
 * in the order of time and then of entry, so that a seed repeats a run to the last byte on any
 * runtime.
 *
 *   World            the queue and the time that has passed: whole microseconds
 *   WallClock        what a machine takes for the date: offset, drift, jumps; outlives processes
 *   SimulatedClock   the Clock port of one process: dies with it, may be paused (as by a garbage
 *                    collector or SIGSTOP), and then catches up in order
 *
 * Only integers and + − × ÷ are used.
 */

import type { Clock, Timer } from "../../server/ports/clock.ts";

/**
 * Who an event belongs to: it is dropped when its owner is dead, and held back while it is paused.
 */
export interface EventOwner {
  readonly name: string;
  readonly alive: boolean;
  /** Until when, in microseconds, its events are held back. */
  readonly pausedUntil: number;
}

/** An event that was put in the queue; cancelling leaves it there, empty. */
export class WorldEvent {
  at: number;
  order: number;
  readonly owner: EventOwner | null;
  run: (() => void) | null;

  constructor(at: number, order: number, owner: EventOwner | null, run: () => void) {
    this.at = at;
    this.order = order;
    this.owner = owner;
    this.run = run;
  }
}

/** What a turn of the event loop takes: callbacks for "soon" come this much later, microseconds. */
const TURN = 1;

export class World {
  /** Microseconds since the world began. */
  now = 0;
  /** Events that have happened. */
  events = 0;
  /** A digest of all that has happened, by time and owner: equal traces have equal digests. */
  digest = 0x811c9dc5;
  readonly #heap: WorldEvent[] = [];
  #order = 0;

  get elapsedMs(): number {
    return this.now / 1000;
  }

  /** Events that wait, cancelled ones included. */
  get waiting(): number {
    return this.#heap.length;
  }

  /**
   * Runs `run` at a time in microseconds (not before now), on behalf of `owner` (null: the world
   * itself).
   */
  at(at: number, owner: EventOwner | null, run: () => void): WorldEvent {
    const event = new WorldEvent(Math.max(at, this.now), this.#order++, owner, run);
    this.#push(event);
    return event;
  }

  /** Runs `run` after `delayMs`, on behalf of the world: for the script of a test. */
  after(delayMs: number, run: () => void): WorldEvent {
    return this.at(this.now + Math.ceil(delayMs * 1000), null, run);
  }

  cancel(event: WorldEvent): void {
    event.run = null;
  }

  /** Lets the next event happen; false when there is none. */
  step(): boolean {
    for (let event = this.#pop(); event !== null; event = this.#pop()) {
      if (event.run === null) continue;
      if (event.owner !== null && !event.owner.alive) continue;
      if (event.owner !== null && event.owner.pausedUntil > event.at) {
        this.#holdBack(event, event.owner.pausedUntil);
        continue;
      }
      this.#happen(event, event.run);
      return true;
    }
    return false;
  }

  /** Lets everything happen until `durationMs` from now, and moves time there. */
  run(durationMs: number): void {
    const end = this.now + Math.ceil(durationMs * 1000);
    while (this.#heap.length > 0 && this.#heap[0].at <= end) this.#stepUpTo(end);
    this.now = end;
  }

  /** Runs until `reached` holds (true), or nothing is left or `limitMs` have passed (false). */
  runUntil(reached: () => boolean, limitMs: number): boolean {
    const end = this.now + Math.ceil(limitMs * 1000);
    while (!reached()) {
      if (this.#heap.length === 0 || this.#heap[0].at > end) return false;
      this.#stepUpTo(end);
    }
    return true;
  }

  /** One step, unless all that lies at the front was cancelled or held back beyond the end. */
  #stepUpTo(end: number): void {
    const front = this.#heap[0];
    const { owner } = front;
    if (front.run === null || (owner !== null && !owner.alive)) {
      this.#pop();
    } else if (owner !== null && owner.pausedUntil > front.at) {
      this.#pop();
      this.#holdBack(front, owner.pausedUntil);
    } else if (front.at <= end) {
      this.step();
    }
  }

  /** Events of a paused owner come after the pause in the order in which they would have come. */
  #holdBack(event: WorldEvent, until: number): void {
    event.at = until;
    event.order = this.#order++;
    this.#push(event);
  }

  #happen(event: WorldEvent, run: () => void): void {
    this.now = event.at;
    this.events++;
    this.#mix(event.at % 0x100000000);
    if (event.owner !== null) this.#mix(event.owner.name.charCodeAt(event.owner.name.length - 1));
    event.run = null;
    run();
  }

  #mix(word: number): void {
    this.digest = Math.imul(this.digest ^ (word | 0), 0x01000193);
    this.digest ^= this.digest >>> 15;
  }

  // A binary heap by (at, order).

  #push(event: WorldEvent): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[place] = heap[parent];
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): WorldEvent | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined) return null;
    if (heap.length > 0) this.#sift(last);
    return top;
  }

  #sift(event: WorldEvent): void {
    const heap = this.#heap;
    let place = 0;
    for (let child = 1; child < heap.length; child = place * 2 + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (isBefore(event, heap[child])) break;
      heap[place] = heap[child];
      place = child;
    }
    heap[place] = event;
  }
}

function isBefore(left: WorldEvent, right: WorldEvent): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}

/** 2026-01-01T00:00:00Z: where the true date of a world begins. */
export const EPOCH_MS = 1_767_225_600_000;

/** What one machine believes the date is. */
export class WallClock {
  readonly #world: World;
  #offsetMs: number;
  #driftPpm: number;

  /**
   * @param offsetMs ahead of the true date  @param driftPpm gains this many microseconds a second
   */
  constructor(world: World, offsetMs = 0, driftPpm = 0) {
    this.#world = world;
    this.#offsetMs = offsetMs;
    this.#driftPpm = driftPpm;
  }

  nowMs(): number {
    const drift = (this.#world.now * this.#driftPpm) / 1_000_000_000;
    return EPOCH_MS + Math.floor(this.#world.now / 1000 + this.#offsetMs + drift);
  }

  /** Moves the date, forth or back. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  /** Changes the rate from now on; the date does not jump. */
  setDrift(ppm: number): void {
    this.#offsetMs += (this.#world.now * (this.#driftPpm - ppm)) / 1_000_000_000;
    this.#driftPpm = ppm;
  }
}

class SimulatedTimer implements Timer {
  readonly #event: WorldEvent;
  constructor(event: WorldEvent) {
    this.#event = event;
  }
  cancel(): void {
    this.#event.run = null;
  }
}

/** The clock of one process on one machine. */
export class SimulatedClock implements Clock, EventOwner {
  readonly name: string;
  readonly wall: WallClock;
  readonly world: World;
  alive = true;
  pausedUntil = 0;

  constructor(world: World, name: string, wall: WallClock = new WallClock(world)) {
    this.world = world;
    this.name = name;
    this.wall = wall;
  }

  nowMs(): number {
    return this.wall.nowMs();
  }

  elapsedMs(): number {
    return this.world.elapsedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const delay = Math.max(TURN, Math.ceil(delayMs * 1000));
    return new SimulatedTimer(this.world.at(this.world.now + delay, this, callback));
  }

  soon(callback: () => void): void {
    this.world.at(this.world.now + TURN, this, callback);
  }

  /** The process is dead: no timer of it fires any more, nothing is delivered to it. */
  kill(): void {
    this.alive = false;
  }

  /** Holds back all timers and deliveries for so long; time goes on meanwhile. */
  pause(durationMs: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.world.now + Math.ceil(durationMs * 1000));
  }
}
