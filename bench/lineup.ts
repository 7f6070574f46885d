/**
 * Who takes part in one table. What cannot take part (not built, not installed, does not start,
 * does not take the keys) becomes a line of the table and not the end of the bench.
 */

import type { Contestant } from "./contestant.ts";
import { fillKeys } from "./load/fill.ts";
import { missing, ratio, table, type Target } from "./report.ts";
import { type RoundSettings, runRounds, type Series, type SeriesResult } from "./rounds.ts";

const FILL_MS = 60_000;

export class Lineup {
  readonly contestants: Contestant[];
  readonly #absent: { readonly name: string; readonly why: string }[];
  readonly #connections: number;
  readonly #keys: number;

  /** @param keys written to each contestant before it takes part */
  constructor(connections: number, keys: number) {
    this.contestants = [];
    this.#absent = [];
    this.#connections = connections;
    this.#keys = keys;
  }

  /**
   * Starts a contestant and writes its keys.
   * @param start answers the reason where it cannot take part
   * @returns null where it does not take part
   */
  async enter(
    name: string,
    start: () => Promise<Contestant | string>,
  ): Promise<Contestant | null> {
    try {
      const entered = await start();
      if (typeof entered === "string") {
        this.#absent.push({ name, why: entered });
        return null;
      }
      await this.#fill(entered);
      this.contestants.push(entered);
      return entered;
    } catch (error) {
      this.#absent.push({ name, why: error instanceof Error ? error.message : String(error) });
      return null;
    }
  }

  /** One series for each contestant, all with the same load. */
  alike(putShare: number): Series[] {
    return this.contestants.map((contestant) => this.series(contestant.name, contestant, putShare));
  }

  series(label: string, contestant: Contestant, putShare: number): Series {
    return { label, contestant, connections: this.#connections, putShare };
  }

  /** Runs the rounds and answers the printed table with its results. */
  async race(series: readonly Series[], settings: RoundSettings): Promise<Race> {
    const results = await runRounds(series, settings);
    const absent = this.#absent.map(({ name, why }) => missing(name, why));
    return new Race(results, [table(results), ...absent]);
  }

  /** Ends the processes of all. */
  async end(): Promise<void> {
    const running = this.contestants.flatMap((contestant) => contestant.children);
    await Promise.all(running.map((child) => child.kill()));
  }

  async #fill({ ports, exchange }: Contestant): Promise<void> {
    await fillKeys({
      ports,
      connections: this.#connections,
      exchange,
      keys: this.#keys,
      timeoutMs: FILL_MS,
    });
  }
}

/** A table, to which lines with ratios are added. */
export class Race {
  readonly #results: readonly SeriesResult[];
  readonly #lines: string[];

  constructor(results: readonly SeriesResult[], lines: string[]) {
    this.#results = results;
    this.#lines = lines;
  }

  /** Adds "ours / theirs" where both took part. */
  compare(ours: string, theirs: string, target: Target | null): void {
    const left = this.#results.find((result) => result.label === ours);
    const right = this.#results.find((result) => result.label === theirs);
    if (left !== undefined && right !== undefined) this.#lines.push(ratio(left, right, target));
  }

  toString(): string {
    return this.#lines.join("\n");
  }
}
