/**
 * More requests than may wait: clients who together want two to ten times what all nodes take at a time, and one
 * node that stands still in the middle of it.
 *
 *   bounded     no node ever has more requests waiting for their answer than it may
 *   told        what is too much is refused, at once and under that name
 *   over        five seconds after the last client nothing waits any more
 *
 * What was acknowledged meanwhile is the oracle's business, as ever. A run in which nothing was too much
 * has shown nothing, and fails.
 */

import type { Simulation } from "./simulation.ts";

const SAMPLE_MS = 20;
/** When the node stands still, and for how long. */
const BLOCKED_FROM_MS = 1_000;
const BLOCKED_MS = 3_000;
const RECOVERED_MS = 5_000;

export class Overload {
  readonly #simulation: Simulation;
  readonly #requestsMax: number;
  #overMs = Infinity;
  #isLifted = false;
  #isUnbounded = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#requestsMax = simulation.shape.requestsMax ?? Infinity;
  }

  begin(blocked: number): void {
    const { world, cluster } = this.#simulation;
    world.after(BLOCKED_FROM_MS, () => cluster.pause(blocked, BLOCKED_MS));
    this.#sample();
  }

  end(): void {
    this.#isLifted = true;
    if (this.#sum("requestsOverloaded") > 0) return;
    this.#simulation.oracle.accuse("overload", "", "no request was too much");
  }

  #sample(): void {
    const { world, workload, oracle } = this.#simulation;
    if (this.#isLifted) return;
    const most = Math.max(...this.#each("requestsUnanswered"));
    if (most > this.#requestsMax && !this.#isUnbounded) {
      this.#isUnbounded = true;
      oracle.accuse("overload", "", `${most} requests wait at one node, ${this.#requestsMax} may`);
    }
    if (workload.isOver) this.#overMs = Math.min(this.#overMs, world.elapsedMs);
    if (world.elapsedMs <= this.#overMs + RECOVERED_MS) return void world.after(SAMPLE_MS, () => this.#sample());
    if (most > 0) oracle.accuse("overload", "", `${most} requests wait at one node ${RECOVERED_MS} ms after the last client`);
  }

  #sum(statistic: string): number {
    return this.#each(statistic).reduce((sum, value) => sum + value, 0);
  }

  #each(statistic: string): number[] {
    const { cluster } = this.#simulation;
    return cluster.inside.map((index) => cluster.node(index)?.statistics()[statistic] ?? 0);
  }
}
