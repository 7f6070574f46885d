/**
 * The cluster routes: who is there, and the way from staged changes to the next layout.
 *
 *   GET  /cluster                       members, layout, what is staged
 *   GET  /cluster/layout                who owns how much of the newest layout, and its history
 *   GET  /cluster/plan                  what the staged changes come to
 *   POST /cluster/stage                 {"changes": [{"change": "leave", "node": "n3"}, …]}: all or none
 *   POST /cluster/join|leave|remove     {"node": "n3"}
 *   POST /cluster/replace               {"node": "n3", "by": "n7"}
 *   POST /cluster/revert                {} or {"node": "n3"}
 *   POST /cluster/commit                {"version": 7, "plan": "1f03a2b4", "force": false}
 *   POST /cluster/repair                {}, {"partition": 17} or {"bucket": "cart"}: compare now; GET: how it stands
 *   GET  /cluster/transfers, background what is on its way to new owners; work in the background, and its pace
 *   POST /cluster/pause|resume          {"kind": "scrub"} or {"kind": "scrub", "node": "n3"}
 *
 * Whatever stages or reverts answers the plan, when the healthy members know it as well. A commit
 * names the layout that was looked at: 409 `stale-layout` where that, or the plan, is another by now,
 * 409 `minority` where too few members answer, which leaves open whether it happens.
 */

import type { Order, Staging } from "../membership/administration.ts";
import type { Clock } from "../ports/clock.ts";
import { json } from "./buckets.ts";
import { readCommit, readOrder, readOrders, readPause, readRepair, readRevert } from "./cluster-orders.ts";
import type { HttpNode } from "./http-node.ts";
import { guarded, problem, problemOf } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";

/** A list of changes for a large cluster fits with ease. */
export const ORDERS_BYTES_MAX = 256 << 10;

export class ClusterRoutes {
  readonly #node: HttpNode;
  readonly #bodies: RequestBodies;

  constructor(node: HttpNode, clock: Clock) {
    this.#node = node;
    this.#bodies = new RequestBodies(clock, "JSON of an order");
  }

  layout(): Response {
    return json(this.#node.cluster.layout());
  }

  plan(): Response {
    return json(this.#node.cluster.plan());
  }

  stage(request: Request): Promise<Response> {
    return this.#staged(request, (value) => this.#node.cluster.stage(readOrders(value)));
  }

  /** One change, named by the route. */
  order(request: Request, change: Exclude<Order["change"], "change">): Promise<Response> {
    return this.#staged(request, (value) => this.#node.cluster.stage([readOrder(value, change)]));
  }

  revert(request: Request): Promise<Response> {
    return this.#staged(request, (value) => this.#node.cluster.revert(readRevert(value)));
  }

  commit(request: Request): Promise<Response> {
    return new Promise((resolve) => {
      this.#read(request, resolve, (value) => {
        this.#node.cluster.commit(readCommit(value), (outcome) => {
          if (outcome.status !== "done") return resolve(notCommitted(outcome));
          return this.#node.tellAll(() => resolve(json({ version: outcome.version })));
        });
      });
    });
  }

  /** Begun everywhere, and going on when this is answered. */
  repair(request: Request): Promise<Response> {
    return new Promise((resolve) => {
      this.#read(request, resolve, (value) => {
        const { partitions } = this.#node.clusterReport().layout;
        this.#node.cluster.repair(readRepair(value, partitions), (report) => resolve(json(report)));
      });
    });
  }

  repairs(): Promise<Response> {
    return new Promise((resolve) => this.#node.cluster.repairs((report) => resolve(json(report))));
  }

  work(): Promise<Response> {
    return new Promise((resolve) => this.#node.cluster.work((report) => resolve(json(report))));
  }

  /** A kind of work rests, or (`isPaused` false) goes on. */
  pause(request: Request, isPaused: boolean): Promise<Response> {
    return new Promise((resolve) => {
      this.#read(request, resolve, (value) => {
        const order = readPause(value, this.#node.clusterReport().members, isPaused);
        this.#node.cluster.pause(order, (report) => resolve(json(report)));
      });
    });
  }

  /** Stages or reverts, and answers the plan once the others know. */
  #staged(request: Request, stage: (value: unknown) => Staging): Promise<Response> {
    return new Promise((resolve) => {
      this.#read(request, resolve, (value) => {
        const staging = stage(value);
        if (staging.status !== "done") resolve(notStaged(staging));
        else this.#node.tellAll(() => resolve(guarded(() => this.plan())));
      });
    });
  }

  /** Reads a body and uses it; whatever is wrong with it is the answer. */
  #read(
    request: Request,
    resolve: (answer: Response) => void,
    use: (value: unknown) => void,
  ): void {
    this.#bodies.read(request, ORDERS_BYTES_MAX, (bytes, refusal, body) => {
      try {
        if (bytes === null) throw refusal;
        use(parse(bytes));
      } catch (thrown) {
        resolve(problemOf(thrown));
      } finally {
        body.release();
      }
    });
  }
}

/** The JSON of a body, or undefined, which no order is. An empty body is an order of nothing. */
function parse(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: whoever reads the order says what is wanted.
    return undefined;
  }
}

function notStaged(staging: Exclude<Staging, { status: "done" }>): Response {
  const { status, sentence } = staging;
  return problem(status === "unable" ? "not-ready" : "bad-parameter", sentence, "refused");
}

function notCommitted({ status, sentence }: { status: string; sentence: string }): Response {
  switch (status) {
    case "stale":
      return problem("stale-layout", sentence, "refused");
    case "minority":
      return problem("minority", sentence, "unknown");
    case "unable":
      return problem("not-ready", sentence, "refused");
    default:
      return problem("bad-parameter", sentence, "refused");
  }
}
