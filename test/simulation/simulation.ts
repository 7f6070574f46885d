/**
 * One run of one seed, from an empty world to the verdict:
 *
 *   found      the nodes start one after another and join; one bucket gets "the last write
 *              wins"
 *   storm      clients work, faults strike (the shape of the seed says what and how often)
 *   heal       all faults are mended at once; the cluster has ten simulated minutes to deliver
 *              every hint and to make all replicas equal, with no client in sight
 *   silence    and then it has nothing left to repair
 *   verdict    replicas byte for byte, the oracle over what they hold, a read of every key through
 *              every node, one answer for every request
 *
 * Nothing here depends on the time of day or on the machine: a seed gives the same trace
 * everywhere.
 */

import { REQUEST_ID_KEPT_MS, SKEW_MS_MAX_DEFAULT } from "../../core/limits.ts";
import { ObjectName } from "../../core/object-name.ts";
import type { PutRequest, Result } from "../../server/coordination/store.ts";
import type { Node } from "../../server/node.ts";
import { BUCKETS, type Counts, Workload } from "./workload.ts";
import { SimulatedClock, World } from "./clock.ts";
import { Cluster } from "./cluster.ts";
import { Administrators } from "./administrators.ts";
import {
  disagreements,
  heldBy,
  hintsOf,
  holdersOf,
  repairsOf,
  surplusOf,
  requestIdsOf,
} from "./inspection.ts";
import { Faults } from "./faults.ts";
import { History, reachMs, type Write } from "./history.ts";
import { Losses } from "./losses.ts";
import { type HeldVersion, Oracle, type Violation } from "./oracle.ts";
import { SeededRandom } from "../random.ts";
import type { Family } from "./families.ts";
import { drawShape, type Shape } from "./shape.ts";
import { Trace } from "./trace.ts";
import { idOfBody } from "./values.ts";
import { watchRetry } from "./witnesses.ts";

export interface RunOptions {
  readonly operations: number;
  /** Whether the trace's lines are wanted. */
  readonly keepTrace: boolean;
  /** One kind of trouble, by a script (families.ts); default: what the seed draws. */
  readonly family?: Family;
  /** Another version of the node, for families that mix two. */
  readonly otherVersion?: typeof Node | undefined;
  /** By what the run is told from others; default: the seed of its shape. */
  readonly seed?: number;
}

export interface Report {
  readonly seed: number;
  readonly shape: Shape;
  /** Over every step of the run. */
  readonly hash: string;
  readonly violations: readonly Violation[];
  readonly counts: Counts;
  readonly faults: number;
  /** Changes of the membership that came to their end. */
  readonly changes: number;
  /** Nodes that lost power or their disk. */
  readonly losses: number;
  readonly falseSiblings: number;
  readonly lateTwins: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly lines: readonly string[];
}

/** Scripts of families draw from a source of their own. */
const SCRIPT = 0x5c217;
const FOUND_LIMIT_MS = 300_000;
const STORM_LIMIT_MS = 3_600_000;
const HEAL_LIMIT_MS = 600_000;
/** How long nothing may be repaired before the run is called silent. */
const SILENCE_MS = 60_000;
const READ_LIMIT_MS = 30_000;

/** Runs one seed. */
export function simulate(seed: number, options: RunOptions): Report {
  const { family, operations } = options;
  const shape = family === undefined ? drawShape(seed, operations) : family.shape(seed, operations);
  return new Simulation(shape, { ...options, seed }).run();
}

export class Simulation {
  readonly shape: Shape;
  /** A family may give many of its seeds one shape, and so one world. */
  readonly seed: number;
  readonly world = new World();
  readonly trace: Trace;
  readonly history = new History();
  readonly losses: Losses;
  readonly oracle: Oracle;
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly faults: Faults;
  readonly administrators: Administrators;
  readonly #family: Family | null;
  #isFinished = false;
  /** Undoes what the family's script has laid out. */
  #lift: () => void = () => {};

  constructor(shape: Shape, options: RunOptions) {
    const random = new SeededRandom(shape.seed + 1);
    const { world, history } = this;
    const owners = Math.min(shape.replicas, shape.nodes);
    const clock = new SimulatedClock(world, "clients");
    this.shape = shape;
    this.seed = options.seed ?? shape.seed;
    this.#family = options.family ?? null;
    this.trace = new Trace(options.keepTrace);
    this.losses = new Losses();
    const truncated = (): boolean => this.cluster.truncations > 0;
    const accused = ({ verdict, key, detail }: Violation): void => {
      this.#say(`VIOLATION ${verdict} ${key}: ${detail}`);
    };
    const { losses } = this;
    const restartsForget = shape.compactionColdMs < REQUEST_ID_KEPT_MS;
    const judged = { history, losses, owners, restartsForget, truncated, accused };
    this.oracle = new Oracle(judged, idOfBody);
    this.cluster = new Cluster({
      shape,
      world,
      random: new SeededRandom(random.uint32()),
      trace: this.trace,
      losses: this.losses,
      otherVersion: options.otherVersion,
      died: (node) => this.workload.calls.nodeDied(node),
      reaped: (head) => {
        for (const id of requestIdsOf(head)) this.history.reaped(id);
      },
    });
    this.workload = new Workload({
      servers: this.cluster,
      clock,
      random: new SeededRandom(random.uint32()),
      history,
      losses: this.losses,
      oracle: this.oracle,
      trace: this.trace,
      shape: shape.workload,
      acknowledged: (write) => this.#acknowledged(write),
      retried: (request) => watchRetry(this.cluster, this.faults, request),
      finished: () => {
        this.#isFinished = true;
      },
    });
    const faultRandom = new SeededRandom(random.uint32());
    this.faults = new Faults(this.cluster, clock, faultRandom, this.trace, shape.faults);
    this.administrators = new Administrators({
      cluster: this.cluster,
      clock,
      random: new SeededRandom(random.uint32()),
      trace: this.trace,
      shape: shape.administration,
      accuse: (detail) => this.oracle.accuse("layouts", "", detail),
    });
  }

  run(): Report {
    try {
      this.#family?.prepare?.(this);
      if (this.#found() && this.#storm() && this.#heal()) this.#judge();
    } catch (error) {
      const detail = error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : `${error}`;
      this.oracle.accuse("crashed", "", detail);
    } finally {
      this.#lift();
    }
    return this.#report();
  }

  /** Starts all nodes and waits until they are one cluster. */
  #found(): boolean {
    for (const node of this.cluster.inside) {
      this.world.after(200 * node, () => this.cluster.start(node));
    }
    const joined = this.world.runUntil(() => this.cluster.isSettled(), FOUND_LIMIT_MS);
    if (!joined) return this.#give("not converged", "the nodes did not become one cluster");
    this.cluster.setLastWriteWins(BUCKETS.lww);
    const spread = this.world.runUntil(() => {
      return this.cluster.knowsLastWriteWins(BUCKETS.lww);
    }, FOUND_LIMIT_MS);
    if (!spread) return this.#give("not converged", "the bucket's properties did not spread");
    this.#say(`founded: ${this.cluster.inside.length} nodes`);
    return true;
  }

  #storm(): boolean {
    this.cluster.setWeather(true);
    this.workload.start();
    this.faults.start();
    this.administrators.start();
    if (this.#family !== null) this.#play(this.#family);
    const ended = this.world.runUntil(() => this.#isFinished, STORM_LIMIT_MS);
    this.faults.mend();
    if (this.#family !== null) this.cluster.mend();
    this.administrators.mend();
    this.cluster.setWeather(false);
    return ended || this.#give("never answered", "clients did not finish in an hour");
  }

  #play(family: Family): void {
    const { what, lift } = family.script(this, new SeededRandom(this.shape.seed ^ SCRIPT));
    if (lift !== undefined) this.#lift = lift;
    this.#say(what);
  }

  /** At the moment of an acknowledgement as many nodes as it counted must hold the write. */
  #acknowledged(write: Write): void {
    this.faults.acknowledged();
    if (write.isBlind || this.losses.crashedSince(write.beganMs)) return;
    // A later stamp that its coordinator had not seen may have won on a replica.
    if (write.policy === "lww") return;
    const writes = this.history.ofKey(write.key);
    // Another write under way may have replaced it here and there.
    if (writes.some((other) => other !== write && reachMs(other) >= write.beganMs)) return;
    const holders = holdersOf(this.cluster, write.key, write.requestId);
    if (holders >= write.copies) return;
    const detail = `#${write.id}: ${holders} nodes hold it, ${write.copies} were counted`;
    this.oracle.accuse("too few replicas", write.key, detail);
  }

  /** Waits until all hints are delivered and all replicas equal, and then for silence. */
  #heal(): boolean {
    const deadline = this.world.elapsedMs + HEAL_LIMIT_MS;
    let repairs = -1;
    let quietSinceMs = this.world.elapsedMs;
    while (this.world.elapsedMs < deadline) {
      this.world.run(1_000);
      const isSettled = this.administrators.underWay === 0 && this.cluster.isSettled();
      const seen = isSettled ? repairsOf(this.cluster) : -1;
      const isWell = seen >= 0 && hintsOf(this.cluster) === 0 && surplusOf(this.cluster) === 0 &&
        disagreements(this.cluster).length === 0;
      if (!isWell || seen !== repairs) quietSinceMs = this.world.elapsedMs;
      repairs = seen;
      if (this.world.elapsedMs - quietSinceMs >= SILENCE_MS) {
        this.#say("healed");
        return true;
      }
    }
    const settled = this.cluster.isSettled() ? "" : "; not all are members";
    const left = `${hintsOf(this.cluster)} hints, repairs at ${repairs}${settled}, ` +
      `${surplusOf(this.cluster)} partitions too many`;
    const all = [left, ...this.administrators.describe(), ...disagreements(this.cluster)];
    return this.#give("not converged", all.slice(0, 5).join("; "));
  }

  #judge(): void {
    const held = heldBy(this.cluster, (key, detail) => {
      this.oracle.accuse("not converged", key, detail);
    });
    for (const key of new Set([...held.keys(), ...this.history.keys()])) {
      this.oracle.checkHealed(key, held.get(key) ?? []);
    }
    this.#readAll(held);
    this.#stampAll();
    this.workload.calls.checkAnswered();
  }

  /** Reads every key through every node, one by one; each must show exactly what the replicas hold. */
  #readAll(held: ReadonlyMap<string, readonly HeldVersion[]>): void {
    let waiting = 0;
    for (const key of this.workload.keys) {
      const versions = held.get(key.text) ?? [];
      const values = versions.filter((version) => !version.isTombstone).length;
      for (const node of this.cluster.inside) {
        const options = { r: "default" as const, pr: 0, timeoutMs: 5_000 };
        waiting++;
        this.cluster.reach(node, (store) => {
          store.get({ name: key.name, options }, (result) => {
            waiting--;
            this.#checkRead(key.text, node, values, result);
          });
        });
        this.world.runUntil(() => waiting === 0, READ_LIMIT_MS);
      }
    }
    if (waiting > 0) this.oracle.accuse("never answered", "", `${waiting} reads after healing`);
  }

  /** Clocks are right again: whatever stamps went about, last writes are stamped by the present. */
  #stampAll(): void {
    let waiting = 0;
    for (const node of this.cluster.inside) {
      const name = new ObjectName(new TextEncoder().encode(`${BUCKETS.lww}/by node ${node}`));
      waiting++;
      this.cluster.reach(node, (store) => {
        store.put(putOf(name), ({ siblings }) => {
          waiting--;
          const aheadMs = (siblings[0]?.timeMs ?? 0) - this.cluster.dateMs;
          if (aheadMs <= SKEW_MS_MAX_DEFAULT) return;
          this.oracle.accuse("stamped ahead", "", `node ${node} stamps ${aheadMs} ms ahead of the date`);
        });
      });
    }
    this.world.runUntil(() => waiting === 0, READ_LIMIT_MS);
  }

  #checkRead(key: string, node: number, values: number, result: Result): void {
    const { outcome, code, siblings } = result;
    if (outcome !== "done") {
      const detail = `a read through node ${node} ended ${outcome} ${code}`;
      this.oracle.accuse("not converged", key, detail);
      return;
    }
    const policy = this.history.ofKey(key)[0]?.policy ?? "siblings";
    const { primaries } = result;
    const atMs = this.world.elapsedMs;
    this.oracle.readEnded({ key, policy, beganMs: atMs, endedMs: atMs, primaries, siblings });
    if (siblings.length === values) return;
    const detail = `a read through node ${node} shows ${siblings.length} of ${values} values`;
    this.oracle.accuse("not converged", key, detail);
  }

  #give(verdict: Violation["verdict"], detail: string): false {
    this.oracle.accuse(verdict, "", detail);
    return false;
  }

  #say(text: string): void {
    this.trace.add(this.world.elapsedMs, text);
  }

  #report(): Report {
    this.#say(`the world's digest ${this.world.digest >>> 0} after ${this.world.events} events`);
    return {
      seed: this.seed,
      shape: this.shape,
      hash: this.trace.hash,
      violations: this.oracle.violations,
      counts: this.workload.counts,
      faults: this.faults.count,
      changes: this.administrators.count,
      losses: this.losses.count,
      falseSiblings: this.oracle.falseSiblings,
      lateTwins: this.oracle.lateTwins,
      events: this.world.events,
      simulatedMs: this.world.elapsedMs,
      lines: this.trace.lines,
    };
  }
}



/** A write of little, which answers what it has written. */
function putOf(name: ObjectName): PutRequest {
  return {
    name,
    context: "",
    requestId: null,
    meta: { contentType: "text/plain", meta: [] },
    body: new Uint8Array(1),
    isDelete: false,
    ttlSeconds: 0,
    returnBody: true,
    precondition: null,
    options: { w: "default", dw: "default", pw: "default", timeoutMs: 5_000 },
  };
}
