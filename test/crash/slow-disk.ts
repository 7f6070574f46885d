/**
 * One slow disk of four, and one that stands still (B12), in simulated time: what does not need the slow
 * node is as fast as before, what does need it waits no longer than its timeout, and nothing acknowledged
 * is lost.
 *
 *   healthy ─▶ each sync of node 0 takes 1 to 2,000 ms ─▶ its syncs stand still for 30 s ─▶ healthy: settle
 */

import { SeededRandom } from "../random.ts";
import { Stage } from "../simulation/stage.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";

const NODES = 4;
const SLOW = 0;
const KEYS = 80;
const TIMEOUT_MS = 5_000;
/** Between two requests. */
const EVERY_MS = 4;
const STALL_MS = 30_000;

/** How syncs of the slow disk go, milliseconds. */
const PHASES = [
  { name: "healthy", syncMsMin: 0.1, syncMsMax: 2 },
  { name: "slow", syncMsMin: 1, syncMsMax: 2_000 },
  { name: "stalled", syncMsMin: STALL_MS, syncMsMax: STALL_MS },
] as const;

interface Key {
  readonly text: string;
  /** Owners in the order of preference. */
  readonly owners: readonly number[];
  context: string;
  /** The last value that was acknowledged, and those of unknown outcome: since then, and before. */
  last: string;
  since: string[];
  before: string[];
  isBusy: boolean;
}

export function slowDisk(check: Check, seed: number, rounds: number): Counts {
  const run = new SlowRun(seed);
  const healthyMs = run.phase(check, 0, rounds);
  const slowMs = run.phase(check, 1, rounds);
  const stalledMs = run.phase(check, 2, rounds);
  for (const [name, ms] of [["slow", slowMs], ["stalled", stalledMs]] as const) {
    const say = `beside a ${name} disk: p99 ${ms.toFixed(1)} ms, healthy ${healthyMs.toFixed(1)} ms`;
    check.ok(ms <= 2 * healthyMs, `SEED=${seed} ${say}`);
  }
  const lost = run.judge(check);
  return { ...run.counts, lost };
}

class SlowRun {
  readonly counts = { requests: 0, acknowledged: 0, unknown: 0, refused: 0 };
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #stage: Stage;
  readonly #keys: Key[] = [];

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#stage = new Stage(NODES, seed);
    for (let key = 0; key < KEYS; key++) {
      const text = `sib/${key}`;
      const { owners } = this.#stage.preference(text);
      this.#keys.push({ text, owners, context: "", last: "", since: [], before: [], isBusy: false });
    }
  }

  /** Requests under one state of the disk; p99 of those that do not need the slow node. */
  phase(check: Check, index: number, rounds: number): number {
    const { name, syncMsMin, syncMsMax } = PHASES[index];
    const { world, cluster } = this.#stage;
    cluster.disk(SLOW).setSyncTime(syncMsMin, syncMsMax);
    const latencies: number[] = [];
    let slowest = 0;
    for (let round = 0; round < rounds; round++) {
      const key = this.#keys[this.#random.below(KEYS)];
      if (!key.isBusy) {
        const beganMs = world.elapsedMs;
        this.#put(key, () => {
          const tookMs = world.elapsedMs - beganMs;
          slowest = Math.max(slowest, tookMs);
          if (!key.owners.includes(SLOW)) latencies.push(tookMs);
        });
      }
      this.#stage.run(EVERY_MS);
    }
    const isIdle = (): boolean => this.#keys.every(({ isBusy }) => !isBusy);
    this.#stage.until(`all requests of "${name}" are answered`, isIdle, 3 * TIMEOUT_MS);
    check.ok(slowest <= TIMEOUT_MS + 200, `SEED=${this.#seed} ${name}: one took ${slowest} ms`);
    check.ok(latencies.length > 0, `SEED=${this.#seed} ${name}: some keys need no slow node`);
    latencies.sort((left, right) => left - right);
    return latencies[Math.floor(latencies.length * 0.99)];
  }

  #put(key: Key, answered: () => void): void {
    const value = `${key.text} ${this.counts.requests++}`;
    // Through any owner: the slow one coordinates its share.
    const node = key.owners[this.#random.below(key.owners.length)];
    key.isBusy = true;
    key.since.push(value);
    this.#stage.begin(node, key.text, value, { context: key.context }, (result) => {
      key.isBusy = false;
      answered();
      if (result.outcome === "done") {
        key.last = value;
        key.before.push(...key.since.splice(0).filter((other) => other !== value));
        key.context = result.context;
        this.counts.acknowledged++;
      } else if (result.outcome === "refused") {
        key.since.pop();
        this.counts.refused++;
      } else this.counts.unknown++;
    });
  }

  /** The disk is well again: every key shows the last value that was acknowledged, or a later one. */
  judge(check: Check): number {
    this.#stage.cluster.disk(SLOW).setSyncTime(0.1, 2);
    this.#stage.run(2 * STALL_MS);
    this.#stage.settle();
    let lost = 0;
    for (const { text, last, since, before } of this.#keys) {
      const values = this.#stage.values(1, text);
      // One of unknown outcome that came later supersedes it.
      const isThere = values.includes(last) || values.some((value) => since.includes(value));
      if (last !== "" && !isThere) lost++;
      const known = [last, ...since, ...before];
      const strange = values.filter((value) => !known.includes(value));
      check.same(strange, [], `SEED=${this.#seed} ${text} shows what was never written or replaced`);
    }
    check.equal(lost, 0, `SEED=${this.#seed}: acknowledged values that are lost`);
    return lost;
  }
}
