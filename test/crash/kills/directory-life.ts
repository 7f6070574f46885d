/**
 * The life of one store, of one node or of three: work, kill -9, start, verify; again and again; at the
 * end every key is read, and once more after a clean stop.
 *
 *   start ─▶ clients work ─▶ SIGKILL after 0.05 to 2 s ─▶ start ─▶ what was written is verified ─┐
 *                ▲                                                                               │
 *                └───────────────────────────────────────────────────────────────────────────────┘
 *
 * With three nodes one is killed, or all at once; the clients of the others go on meanwhile.
 */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeededRandom } from "../../random.ts";
import type { KillCounts } from "./counts.ts";
import { HttpLine } from "./http-line.ts";
import { Victim } from "./victim.ts";
import { type Journal, Writer } from "./writer.ts";

const WRITERS = 24;
const KEYS_EACH = 24;
const LIFE_MS_MIN = 50;
const LIFE_MS_MAX = 2_000;
/** How long the other nodes' clients go on when one was killed. */
const ALONE_MS_MAX = 300;

export interface LifeOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly kills: number;
  readonly counts: KillCounts;
  readonly accuse: (text: string) => void;
}

export class DirectoryLife implements Journal {
  readonly counts: KillCounts;
  readonly folder: string;
  nextId = 1;
  #faults = 0;
  readonly #options: LifeOptions;
  readonly #random: SeededRandom;
  readonly #victims: Victim[] = [];
  readonly #writers: Writer[] = [];

  constructor(options: LifeOptions) {
    this.#options = options;
    this.counts = options.counts;
    this.folder = mkdtempSync(join(tmpdir(), "halo-kills-"));
    this.#random = new SeededRandom(options.seed);
    for (let index = 0; index < options.nodes; index++) {
      this.#victims.push(new Victim(`n${index}`, join(this.folder, `n${index}`)));
    }
    for (let writer = 0; writer < WRITERS; writer++) {
      const paths = Array.from({ length: KEYS_EACH }, (_, key) => `/kv/kills/${writer}-${key}`);
      this.#writers.push(new Writer(paths, new SeededRandom(this.#random.uint32()), this));
    }
  }

  accuse(key: string, fault: string): void {
    this.#faults++;
    const { seed, nodes } = this.#options;
    const life = `SEED=${seed} (${nodes} nodes), kill ${this.counts.kills}`;
    this.#options.accuse(`${life}: ${key} ${fault}; files kept in ${this.folder}`);
  }

  async run(): Promise<void> {
    try {
      await this.#startAll();
      for (let kill = 0; kill < this.#options.kills; kill++) await this.#workAndDie();
      await this.#verify(true);
      for (const victim of this.#victims) await victim.stop();
      await this.#startAll();
      await this.#verify(true);
    } finally {
      for (const victim of this.#victims) await victim.kill();
      if (this.#faults === 0) rmSync(this.folder, { recursive: true });
    }
  }

  async #workAndDie(): Promise<void> {
    const random = this.#random;
    const lines = this.#lines(this.#victims);
    const work = this.#writers.map((writer, index) => {
      writer.isStopped = false;
      return writer.work(lines[index]);
    });
    await pause(LIFE_MS_MIN + random.below(LIFE_MS_MAX - LIFE_MS_MIN));
    const isAll = random.chance(1, 3);
    const one = random.below(this.#victims.length);
    const doomed = isAll ? this.#victims : this.#victims.slice(one, one + 1);
    await this.#takeStock(doomed);
    await Promise.all(doomed.map((victim) => victim.kill()));
    this.counts.kills += doomed.length;
    if (doomed.length < this.#victims.length) await pause(random.below(ALONE_MS_MAX));
    for (const writer of this.#writers) writer.isStopped = true;
    await Promise.all(work);
    for (const line of lines) line.close();
    await this.#startAll();
    await this.#verify(false);
  }

  async #startAll(): Promise<void> {
    for (const victim of this.#victims) {
      if (victim.isUp) continue;
      const others = this.#victims.filter((other) => other !== victim && other.isUp);
      await victim.start(others.map(({ tcp }) => tcp));
    }
    await Promise.all(this.#victims.map((victim) => victim.ready()));
  }

  /** A line for each writer, spread over the nodes. */
  #lines(victims: readonly Victim[]): HttpLine[] {
    return this.#writers.map((_, index) => new HttpLine(victims[index % victims.length].http));
  }

  /** Three nodes answer for each other: what one of them has of an open write may come up later. */
  async #verify(all: boolean): Promise<void> {
    const isFinal = this.#victims.length === 1;
    const lines = this.#lines(this.#victims);
    await Promise.all(this.#writers.map((writer, index) => writer.verify(lines[index], isFinal, all)));
    for (const line of lines) line.close();
  }

  /** What background work has done in the life that ends now. */
  async #takeStock(doomed: readonly Victim[]): Promise<void> {
    for (const [index, victim] of this.#victims.entries()) {
      if (!doomed.includes(victim)) continue;
      const line = new HttpLine(victim.http);
      const { body } = await line.ask({ method: "GET", path: "/stats" });
      line.close();
      const stats: Record<string, number> = JSON.parse(Buffer.from(body).toString());
      this.counts.compacted += stats["segmentsCompacted"] ?? 0;
      if ((stats["recordsDamaged"] ?? 0) > 0) this.accuse("/stats", "tells of damaged records");
      const files = readdirSync(join(this.folder, `n${index}`, "objects"));
      if (files.includes("index.snapshot")) this.counts.snapshots++;
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
