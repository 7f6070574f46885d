/** Time for models: events in the order of their times, then of their making. */

import type { Clock, Timer } from "../../server/ports/clock.ts";

interface Event {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;
}

export class VirtualClock implements Clock {
  #events: Event[] = [];
  #atMs = 0;
  #order = 0;

  nowMs(): number {
    return 1_700_000_000_000 + this.#atMs;
  }

  elapsedMs(): number {
    return this.#atMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const event: Event = { atMs: this.#atMs + delayMs, order: this.#order++, run: callback };
    let index = this.#events.length;
    while (index > 0 && this.#events[index - 1].atMs > event.atMs) index--;
    this.#events.splice(index, 0, event);
    return {
      cancel: () => {
        event.run = null;
      },
    };
  }

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      this.#atMs = event.atMs;
      if (event.run !== null) event.run();
    }
  }
}
