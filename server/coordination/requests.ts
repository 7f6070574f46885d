/**
 * Requests under way, so that a layout change can wait for those that began under the old layout to end
 * (membership/layouts: adopted, reading).
 *
 *   begin() gives the epoch ─── … ─── end(epoch)
 *   drain() closes the epoch; calls back when everything begun in it and before has ended
 */
export class Requests {
  /** Requests of each epoch that have not ended; the last one is open. */
  readonly #counts: number[] = [0];
  #firstEpoch = 0;
  #waiting: { readonly epoch: number; readonly done: () => void }[] = [];

  begin(): number {
    const last = this.#counts.length - 1;
    this.#counts[last]++;
    return this.#firstEpoch + last;
  }

  end(epoch: number): void {
    this.#counts[epoch - this.#firstEpoch]--;
    this.#advance();
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  drain(done: () => void): void {
    this.#waiting.push({ epoch: this.#firstEpoch + this.#counts.length - 1, done });
    this.#counts.push(0);
    this.#advance();
  }

  #advance(): void {
    while (this.#counts.length > 1 && this.#counts[0] === 0) {
      this.#counts.shift();
      this.#firstEpoch++;
    }
    const ready = this.#waiting.filter((entry) => entry.epoch < this.#firstEpoch);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((entry) => entry.epoch >= this.#firstEpoch);
    for (const entry of ready) entry.done();
  }
}
