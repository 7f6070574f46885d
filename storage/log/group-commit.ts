/**
 * One sync for all that wait.
 *
 *   write a, write b │ sync 1 runs ............ │ sync 2 runs ............ │
 *   a waits, b waits ┘  c written, c waits ─────┘ a, b answered            └ c answered
 *
 * At most one sync runs at a time; those that come while it runs are served by the next one,
 * because it may have begun before their bytes were written. The first to wait does not start the
 * sync at once but at the end of the turn, so that all requests that arrived together share it.
 */

type Waiter = (durable: boolean) => void;

export class GroupCommit {
  readonly #soon: (callback: () => void) => void;
  readonly #start: (done: (durable: boolean) => void) => void;
  #waiting: Waiter[];
  #isBusy: boolean;

  /** @param start begins a sync of all that is written by then and calls back later, once */
  constructor(
    soon: (callback: () => void) => void,
    start: (done: (durable: boolean) => void) => void,
  ) {
    this.#soon = soon;
    this.#start = start;
    this.#waiting = [];
    this.#isBusy = false;
  }

  /** Whether a sync runs or is about to. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  wait(waiter: Waiter): void {
    this.#waiting.push(waiter);
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#soon(() => this.#begin());
  }

  #begin(): void {
    const served = this.#waiting;
    this.#waiting = [];
    this.#start((durable) => {
      // Still busy while the served are told: who waits again from there is in the next group.
      for (const waiter of served) waiter(durable);
      if (this.#waiting.length > 0) this.#begin();
      else this.#isBusy = false;
    });
  }
}
