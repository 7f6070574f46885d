/**
 * The simulated clients of a run: who they are, what they have done, and when they are through.
 *
 * Each client (client.ts) works in a closed loop until the run's operations have all been claimed.
 * The mix is drawn per seed (swarm testing): a run that never deletes reaches states that a run of
 * every kind would not.
 */

import { ObjectName } from "../../core/object-name.ts";
import type { Clock } from "../../server/ports/clock.ts";
import { SeededRandom } from "../random.ts";
import type { PutRequest } from "../../server/coordination/store.ts";
import { Calls, type Servers } from "./calls.ts";
import { Client } from "./client.ts";
import type { History, Policy, Write } from "./history.ts";
import { ListingWalk } from "./listing-walk.ts";
import type { Losses } from "./losses.ts";
import type { Oracle } from "./oracle.ts";
import type { Trace } from "./trace.ts";

/** How clients behave in a run; weights are relative. */
export interface WorkloadShape {
  readonly clients: number;
  readonly operations: number;
  /** Mean pause of a client between two operations. */
  readonly thinkMs: number;
  /** The timeout that requests carry. */
  readonly timeoutMs: number;
  /** Keys in each bucket. */
  readonly keys: { readonly siblings: number; readonly lww: number; readonly carts: number };
  readonly weights: Weights;
  /** Attempts at one write, the first included. */
  readonly attemptsMax: number;
  /** Noise in a large value; most are small. */
  readonly fillerBytesMax: number;
  /** Whether requests draw their quorums, or all take the defaults. */
  readonly drawQuorums: boolean;
  /** Owners of an object: N, or the members if fewer. */
  readonly owners: number;
  /** Mean pause between listings, and what they draw from: a source of their own. 0: none. */
  readonly listings: { readonly everyMs: number; readonly seed: number };
}

export interface Weights {
  readonly read: number;
  readonly putBlind: number;
  readonly putAfterRead: number;
  readonly putRemembered: number;
  readonly deleteAfterRead: number;
  readonly deleteBlind: number;
  readonly create: number;
}

/** What came of it all. */
export interface Counts {
  operations: number;
  writes: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  reads: number;
  readsDone: number;
  /** Pages that were asked for, and listings that were followed to their end. */
  pages: number;
  listings: number;
}

/** The buckets of every run; `lww` must be given its policy before clients start. */
export const BUCKETS = { siblings: "sib", lww: "last", carts: "cart" } as const;

/** How much longer than the store's own timeout a client waits. */
const PATIENCE_MS = 1_000;

export interface Key {
  readonly text: string;
  readonly name: ObjectName;
  readonly policy: Policy;
  readonly isCart: boolean;
}

export interface WorkloadOptions {
  readonly servers: Servers;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly history: History;
  readonly losses: Losses;
  readonly oracle: Oracle;
  readonly trace: Trace;
  readonly shape: WorkloadShape;
  /** Called for each write that a client was told is done, at that moment. */
  readonly acknowledged: (write: Write) => void;
  /**
   * A write is sent again; the answer is called when that attempt has ended, and says whether a node that
   * knew of the write could be asked all the time (witnesses.ts).
   */
  readonly retried: (request: PutRequest) => () => boolean;
  /** Called once, when every operation has ended for its client. */
  readonly finished: () => void;
}

export class Workload {
  readonly options: WorkloadOptions;
  readonly keys: readonly Key[];
  readonly calls: Calls;
  readonly counts: Counts = {
    operations: 0,
    writes: 0,
    acknowledged: 0,
    refused: 0,
    unknown: 0,
    reads: 0,
    readsDone: 0,
    pages: 0,
    listings: 0,
  };
  #atWork = 0;

  constructor(options: WorkloadOptions) {
    const { servers, clock, oracle, shape } = options;
    const { siblings, lww, carts } = shape.keys;
    this.options = options;
    this.calls = new Calls(servers, clock, oracle, shape.timeoutMs + PATIENCE_MS);
    this.keys = [
      ...keysOf(BUCKETS.siblings, siblings, "siblings"),
      ...keysOf(BUCKETS.lww, lww, "lww"),
      ...keysOf(BUCKETS.carts, carts, "siblings"),
    ];
  }

  /** Whether every client is through. */
  get isOver(): boolean {
    return this.#atWork === 0;
  }

  /** Sets every client to work. */
  start(): void {
    this.#atWork = this.options.shape.clients;
    for (let index = 0; index < this.#atWork; index++) new Client(index, this).rest();
    const { everyMs, seed } = this.options.shape.listings;
    if (everyMs > 0) this.#list(everyMs, new SeededRandom(seed));
  }

  /** Lists one bucket after the other as long as clients work. */
  #list(everyMs: number, random: SeededRandom): void {
    this.options.clock.after(1 + random.below(2 * everyMs), () => {
      if (this.#atWork === 0) return;
      const buckets = Object.values(BUCKETS);
      const bucket = buckets[random.below(buckets.length)];
      new ListingWalk(this, bucket, random, () => this.#list(everyMs, random)).next();
    });
  }

  /** Claims the next operation for a client; null when all have been claimed: it is through. */
  claim(): Key | null {
    const { shape, random, finished } = this.options;
    if (this.counts.operations >= shape.operations) {
      if (--this.#atWork === 0) finished();
      return null;
    }
    this.counts.operations++;
    return this.keys[random.below(this.keys.length)];
  }
}

const encoder = new TextEncoder();

function keysOf(bucket: string, count: number, policy: Policy): Key[] {
  const keys: Key[] = [];
  for (let index = 0; index < count; index++) {
    const text = `${bucket}/k${index}`;
    const name = new ObjectName(encoder.encode(text));
    keys.push({ text, name, policy, isCart: bucket === BUCKETS.carts });
  }
  return keys;
}
