/**
 * A simulated cluster for scenarios that are told step by step: nothing goes wrong but what the
 * script does, and each request is run to its end before the next line.
 */

import { valueBytes } from "../../server/coordination/value.ts";
import { ObjectName } from "../../core/object-name.ts";
import type { WorkReport, WorksReport } from "../../server/http/http-node.ts";
import type {
  PutRequest,
  ReadOptions,
  Result,
  Store,
  WriteOptions,
} from "../../server/coordination/store.ts";
import { SeededRandom } from "../random.ts";
import { World } from "./clock.ts";
import { Cluster } from "./cluster.ts";
import { disagreements, hintsOf } from "./inspection.ts";
import { Losses } from "./losses.ts";
import { NO_ADMINISTRATION, NO_FAULTS, type Shape } from "./shape.ts";
import { Trace } from "./trace.ts";
import { BUCKETS } from "./workload.ts";
import { requestIdAt } from "./write-attempts.ts";

const REPLICAS = 3;
/** A request that takes longer has been forgotten. */
const ANSWER_LIMIT_MS = 70_000;
const FOUND_LIMIT_MS = 120_000;
const SETTLE_LIMIT_MS = 600_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export type PutExtras = Partial<
  Pick<PutRequest, "context" | "requestId" | "isDelete" | "precondition" | "ttlSeconds"> & WriteOptions
>;

export class Stage {
  readonly world = new World();
  readonly trace = new Trace(true);
  readonly cluster: Cluster;
  readonly #random: SeededRandom;

  /** Founds a cluster of `nodes`, settled and ready; `spares` machines stand beside it. @param more of its shape */
  constructor(nodes: number, seed = 1, spares = 0, more: Partial<Shape> = {}) {
    this.#random = new SeededRandom(seed + 1);
    this.cluster = new Cluster({
      shape: { ...quietShape(nodes, seed, spares), ...more },
      world: this.world,
      random: new SeededRandom(seed),
      trace: this.trace,
      losses: new Losses(),
      died: () => {},
    });
    for (let node = 0; node < nodes; node++) {
      this.world.after(100 * node, () => this.cluster.start(node));
    }
    this.until("the nodes are one cluster", () => this.cluster.isSettled(), FOUND_LIMIT_MS);
    this.cluster.setLastWriteWins(BUCKETS.lww);
    const known = (): boolean => this.cluster.knowsLastWriteWins(BUCKETS.lww);
    this.until("bucket properties have spread", known, FOUND_LIMIT_MS);
  }

  /** A request id (UUIDv7, RFC 9562) of the world's present. */
  requestId(): Uint8Array {
    return requestIdAt(this.cluster.dateMs, this.#random);
  }

  /** Begins a put through one node; the result comes when the script lets time pass. */
  begin(
    node: number,
    key: string | Uint8Array,
    value: string,
    extras: PutExtras,
    done: (result: Result) => void,
  ): void {
    const { w = "default", dw = "default", pw = "default", timeoutMs = 5_000, ...rest } = extras;
    const request: PutRequest = {
      name: nameOf(key),
      context: "",
      requestId: null,
      meta: { contentType: "text/plain", meta: [] },
      body: encoder.encode(value),
      isDelete: false,
      ttlSeconds: 0,
      returnBody: false,
      precondition: null,
      ...rest,
      options: { w, dw, pw, timeoutMs },
    };
    this.#use(node, (store) => store.put(request, done));
  }

  /** Puts a value through one node. */
  put(node: number, key: string | Uint8Array, value: string, extras: PutExtras = {}): Result {
    return this.#await((done) => this.begin(node, key, value, extras, done));
  }

  /** Deletes through one node. */
  delete(node: number, key: string | Uint8Array, extras: PutExtras = {}): Result {
    return this.put(node, key, "", { ...extras, isDelete: true });
  }

  /** How work in the background stands at all members, as one of them tells it. */
  work(node: number): readonly WorkReport[] {
    const cluster = this.cluster.node(node)?.cluster;
    if (cluster === undefined) throw new Error(`node ${node} is down`);
    return this.#awaitAny<WorksReport>((done) => cluster.work(done)).members;
  }

  get(node: number, key: string | Uint8Array, options: Partial<ReadOptions> = {}): Result {
    const { r = "default", pr = "default", timeoutMs = 5_000 } = options;
    const request = { name: nameOf(key), options: { r, pr, timeoutMs } };
    return this.#await((done) => this.#use(node, (store) => store.get(request, done)));
  }

  /** The values that a read through a node shows, sorted. */
  values(node: number, key: string | Uint8Array, options: Partial<ReadOptions> = {}): string[] {
    return textsOf(this.get(node, key, options));
  }

  /** The machines that own a name, in preference order, and the others behind them. */
  preference(key: string | Uint8Array): { owners: number[]; others: number[] } {
    const explanation = this.#awaitAny<{ preference: readonly { name: string }[] }>((done) => {
      this.#use(0, (store) => store.explain(nameOf(key), 5_000, done));
    });
    const order = explanation.preference.map(({ name }) => Number(name.slice(1)));
    return { owners: order.slice(0, REPLICAS), others: order.slice(REPLICAS) };
  }

  /**
   * Cuts the machines in groups that do not hear each other; who is in none belongs to one more.
   */
  partition(...groups: readonly (readonly number[])[]): void {
    const groupOf = (node: number): number => groups.findIndex((group) => group.includes(node));
    this.#cut((from, to) => groupOf(from) !== groupOf(to));
  }

  isolate(node: number): void {
    this.partition([node]);
  }

  healNetwork(): void {
    this.#cut(() => false);
  }

  run(durationMs: number): void {
    this.world.run(durationMs);
  }

  /** Lets time pass until something holds. @throws when it never does */
  until(what: string, reached: () => boolean, limitMs = SETTLE_LIMIT_MS): void {
    if (this.world.runUntil(reached, limitMs)) return;
    throw new Error(`Not in ${limitMs} simulated milliseconds: ${what}`);
  }

  /** Lets time pass until all nodes are well, no hint waits and all replicas are equal. */
  settle(): void {
    for (let spentMs = 0; spentMs < SETTLE_LIMIT_MS; spentMs += 500) {
      this.world.run(500);
      if (!this.cluster.isSettled() || hintsOf(this.cluster) > 0) continue;
      if (disagreements(this.cluster).length === 0) return;
    }
    throw new Error(`Not settled: ${disagreements(this.cluster).join("; ")}`);
  }

  #cut(isCut: (from: number, to: number) => boolean): void {
    const { count } = this.cluster;
    for (let from = 0; from < count; from++) {
      for (let to = 0; to < count; to++) this.cluster.cut(from, to, isCut(from, to));
    }
  }

  #use(node: number, use: (store: Store) => void): void {
    if (!this.cluster.reach(node, use)) throw new Error(`node ${node} is down`);
  }

  #await(ask: (done: (result: Result) => void) => void): Result {
    return this.#awaitAny<Result>(ask);
  }

  #awaitAny<Answer>(ask: (done: (answer: Answer) => void) => void): Answer {
    const answers: Answer[] = [];
    ask((answer) => answers.push(answer));
    this.until("an answer", () => answers.length > 0, ANSWER_LIMIT_MS);
    return answers[0];
  }
}

/** The values in an answer, sorted. */
export function textsOf(result: Result): string[] {
  return result.siblings.map((sibling) => decoder.decode(valueBytes(sibling.body))).sort();
}

function nameOf(key: string | Uint8Array): ObjectName {
  return new ObjectName(typeof key === "string" ? encoder.encode(key) : key);
}

function quietShape(nodes: number, seed: number, spares: number): Shape {
  const weights = {
    read: 1,
    putBlind: 0,
    putAfterRead: 0,
    putRemembered: 0,
    deleteAfterRead: 0,
    deleteBlind: 0,
    create: 0,
  };
  return {
    seed,
    nodes,
    partitions: 16,
    replicas: REPLICAS,
    engine: "log",
    clockEntriesMax: 10,
    syncMsMax: 2,
    compactionColdMs: 2_000,
    reapAfterMs: 3_600_000,
    network: { lossPercent: 0, duplicatePercent: 0, delayMeanMs: 1 },
    faults: { everyMs: 0, lastsMsMax: 1, downMax: 0, weights: NO_FAULTS },
    administration: { ...NO_ADMINISTRATION, spares },
    workload: {
      clients: 0,
      operations: 0,
      thinkMs: 1,
      timeoutMs: 5_000,
      keys: { siblings: 0, lww: 0, carts: 0 },
      weights,
      attemptsMax: 1,
      fillerBytesMax: 1,
      drawQuorums: false,
      owners: REPLICAS,
      listings: { everyMs: 0, seed: 0 },
    },
  };
}
