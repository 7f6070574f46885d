/** An HTTP face on a store in memory, and the few words that its tests are written in. */

import { BODY_BYTES_IN_FLIGHT_MAX } from "../../../core/limits.ts";
import { createApp, type HttpNode } from "../../../server/http/app.ts";
import type {
  HttpCluster,
  LayoutReport,
  PauseOrder,
  RepairsReport,
  RepairWish,
  WorksReport,
} from "../../../server/http/http-node.ts";
import type {
  CommitOrder,
  Committed,
  Order,
  Staging,
} from "../../../server/membership/administration.ts";
import type { LayoutPlan } from "../../../server/membership/plan.ts";
import { Authorization } from "../../../server/membership/authorization.ts";
import { Buckets } from "../../../server/membership/buckets.ts";
import { Tokens } from "../../../server/membership/tokens.ts";
import { type Clock, systemClock } from "../../../server/ports/clock.ts";
import type { VersionSet } from "../../../storage/engine.ts";
import { SeededRandom } from "../../random.ts";
import { MemoryStore } from "./memory-store.ts";

export const VALUE_BYTES_MAX = 1024;

/** The machine's clock, whose timers keep no test from its end. */
const idleClock: Clock = {
  ...systemClock,
  after: (delayMs, callback) => {
    const handle = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

export interface FaceOptions {
  readonly clock?: Clock;
  readonly valueBytesMax?: number;
  /** The host that is listened on, where others are refused. */
  readonly ownHost?: string;
  /** The cluster's; absent: nobody is asked who he is. */
  readonly secret?: Uint8Array;
}

export class Face {
  readonly store = new MemoryStore();
  readonly buckets = new Buckets(idleClock, () => "a1", () => this.isDiskFine);
  /** What /readyz is told, by "for write". */
  readonly ready = { read: true, write: true };
  /** Whether the node is a member of a cluster. */
  isMember = true;
  /** Whether bucket properties can be kept. */
  isDiskFine = true;
  readonly cluster = new RecordedCluster();
  /** States that were stored at their owners, by name. */
  readonly restored = new Map<string, VersionSet>();
  /** Whom requests are asked for; null: nobody is asked. */
  readonly authorization: Authorization | null;
  /** What was told to the log. */
  readonly told: string[] = [];
  /** What of the node was looked at, but for who may do what. */
  readonly touched = new Set<string>();
  #failure: Error | null = null;
  readonly #handle;

  constructor(options: FaceOptions = {}) {
    const { clock = idleClock, valueBytesMax = VALUE_BYTES_MAX } = options;
    const random = new SeededRandom(7);
    const tokens = new Tokens(clock, () => "a1", () => this.isDiskFine);
    this.authorization = options.secret === undefined ? null : new Authorization(tokens, options.secret, clock);
    const tell = (event: string, fields: object = {}): void => void this.told.push(`${event} ${JSON.stringify(fields)}`);
    this.#handle = createApp(this.#failing(this.#node()), {
      clock,
      random: { fill: (bytes) => random.fill(bytes), below: (bound) => random.below(bound) },
      valueBytesMax,
      bodyBytesMax: BODY_BYTES_IN_FLIGHT_MAX,
      ownHost: options.ownHost ?? null,
      log: { info: tell, warn: tell, error: tell },
    });
  }

  /** Sends a request to `target`, a path with its query. */
  async send(method: string, target: string, init: RequestInit = {}): Promise<Response> {
    const request = new Request(`http://127.0.0.1:7070${target}`, { method, ...init });
    return this.#handle(request);
  }

  /** Sends what a server hands over raw: a request whose URL is not normalised. */
  async sendRaw(method: string, url: string, headers: Record<string, string> = {}): Promise<Response> {
    const request = new Request("http://127.0.0.1:7070/", { method, headers });
    Object.defineProperty(request, "url", { value: url });
    return this.#handle(request);
  }

  /** From now on the node behind the face throws whatever it is asked. */
  fail(error: Error): void {
    this.#failure = error;
  }

  #failing(node: HttpNode): HttpNode {
    return new Proxy(node, {
      get: (_, name) => {
        if (name !== "authorization") this.touched.add(String(name));
        if (this.#failure !== null && name !== "authorization") throw this.#failure;
        return Reflect.get(node, name) as unknown;
      },
    });
  }

  #node(): HttpNode {
    return {
      store: this.store,
      defaults: { n: 3, r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0 },
      readiness: (forWrite) => {
        const ready = forWrite ? this.ready.write : this.ready.read;
        return { ready, detail: ready ? "" : "No quorum is reachable for 12 partitions." };
      },
      tellAll: (done) => done(),
      storeAtOwners: (name, set, done) => {
        const key = new TextDecoder().decode(name.bytes);
        this.restored.set(key, set);
        done(this.isDiskFine ? "" : "a1 has not stored it: its disk is full");
      },
      isOutdated: (_name, round) => round < 3,
      clusterReport: () => ({
        cluster: "c1",
        self: "a1",
        members: [
          {
            ...{ id: "a1", name: "n1", address: "n1:7071", http: "n1:7070", zone: "", capacity: 1 },
            ...{ status: "member", healthy: true, partitions: 3072 },
          },
        ],
        layout: { version: this.isMember ? 1 : 0, partitions: 1024, replicas: 3, live: [1] },
        staged: [],
      }),
      cluster: this.cluster,
      statistics: () => ({ puts: this.store.puts }),
      buckets: this.buckets,
      authorization: this.authorization,
    };
  }
}

/** Remembers what administrators ask for, and answers as it was told to. */
export class RecordedCluster implements HttpCluster {
  readonly orders: unknown[] = [];
  staging: Staging = { status: "done" };
  committed: Committed = { status: "done", version: 2 };
  readonly repairsReport: RepairsReport = {
    members: [{ node: "a1", name: "n1", state: "done", compared: 1, of: 2, differing: 3, repaired: 4, failed: ["n3"] }],
    silent: ["n4"],
  };
  readonly worksReport: WorksReport = {
    members: [{
      node: "a1",
      name: "n1",
      transfer: {
        ...{ left: 3, of: 12, entries: 40, entriesOf: 100, bytes: 4_000, bytesPerSecond: 1_000, secondsLeft: 6 },
        ...{ partition: 17, from: "n2", stuck: "", surplus: 0, isPaused: false },
      },
      handoff: [{ to: "n3", delivered: 7, failed: 0, inFlight: 2, window: 4, latencyMs: 1.5 }],
      reaping: { waiting: 2, reaped: 5, rounds: 1, stuck: "n4 do not answer" },
      background: [{ kind: "scrub", isPaused: true, waiting: 1, bytes: 9, bytesPerSecond: 0 }],
      bytesPerSecondMax: 1 << 20,
      p99Ms: 1.5,
    }],
    silent: ["n4"],
  };

  layout(): LayoutReport {
    const shape = { version: 1, partitions: 1024, replicas: 3, live: [1], reading: 1 };
    return { ...shape, nodes: [], history: [] };
  }

  plan(): LayoutPlan {
    const missing = { ownerDown: 0, allOwnersDown: 0, zoneShared: 0, tooFewOwners: 0 };
    const sums = { slots: 3, movedSlots: 1, movedBytes: 9, balanceBefore: 1, balanceAfter: 1 };
    const lists = { staged: [], nodes: [], zones: [] };
    return { version: 1, token: "00c0ffee", refusal: "", isForceable: false, ...sums, ...lists, missing };
  }

  stage(orders: readonly Order[]): Staging {
    this.orders.push(...orders);
    return this.staging;
  }

  revert(node: string | null): Staging {
    this.orders.push({ revert: node });
    return this.staging;
  }

  commit(order: CommitOrder, done: (outcome: Committed) => void): void {
    this.orders.push(order);
    done(this.committed);
  }

  repair(wish: RepairWish, done: (report: RepairsReport) => void): void {
    this.orders.push({ repair: wish });
    done(this.repairsReport);
  }

  repairs(done: (report: RepairsReport) => void): void {
    done(this.repairsReport);
  }

  work(done: (report: WorksReport) => void): void {
    done(this.worksReport);
  }

  pause(order: PauseOrder, done: (report: WorksReport) => void): void {
    this.orders.push({ pause: order });
    done(this.worksReport);
  }
}

/** The parts of a problem that programs rely on, after a look at its form. */
export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  const type = response.headers.get("content-type");
  if (type !== "application/problem+json") throw new Error(`a problem came as ${type}`);
  const body = (await response.json()) as Record<string, unknown>;
  if (body["status"] !== response.status) throw new Error(`says status ${body["status"]}`);
  if (!/\.$/.test(String(body["detail"]))) throw new Error(`no sentence: ${body["detail"]}`);
  return body;
}
