/**
 * A client that lists a bucket, page after page through any node, and has the whole judged. A page that
 * fails is asked for again a few times; a listing that cannot go on is given up, and says nothing.
 */

import type { ListResult } from "../../server/coordination/store.ts";
import type { SeededRandom } from "../random.ts";
import { judgeListing } from "./listing-oracle.ts";
import { countOf } from "./quorums.ts";
import type { Workload } from "./workload.ts";

const FAILURES_MAX = 8;
const QUORUMS = ["default", "quorum", "quorum", "all", "one"] as const;
const PAUSE_MS = 50;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const NO_PREFIX = new Uint8Array(0);

export class ListingWalk {
  readonly #workload: Workload;
  /** With its slash. */
  readonly #bucket: string;
  readonly #random: SeededRandom;
  readonly #r: (typeof QUORUMS)[number];
  readonly #limit: number;
  readonly #beganMs: number;
  readonly #names: string[] = [];
  readonly #ended: () => void;
  #cursor = "";
  #failures = 0;
  #primaries = Infinity;

  constructor(workload: Workload, bucket: string, random: SeededRandom, ended: () => void) {
    const { clock, shape } = workload.options;
    this.#random = random;
    this.#workload = workload;
    this.#bucket = `${bucket}/`;
    this.#r = shape.drawQuorums ? QUORUMS[random.below(QUORUMS.length)] : "default";
    this.#limit = 1 + random.below(4);
    this.#beganMs = clock.elapsedMs();
    this.#ended = ended;
  }

  next(): void {
    const { calls, options, counts } = this.#workload;
    const node = this.#random.below(calls.nodes);
    const request = {
      bucket: encoder.encode(this.#bucket.slice(0, -1)),
      prefix: NO_PREFIX,
      cursor: this.#cursor,
      limit: this.#limit,
      r: this.#r,
      timeoutMs: options.shape.timeoutMs,
    };
    counts.pages++;
    const answered = (result: ListResult | null): void => this.#answered(node, result);
    if (!calls.ask(node, (store, done) => store.list(request, done), answered)) this.#failed();
  }

  #answered(node: number, result: ListResult | null): void {
    const { trace, clock, oracle } = this.#workload.options;
    const what = result === null ? "no answer" : `${result.outcome} ${result.code} ${result.keys.length}`;
    trace.add(clock.elapsedMs(), `list ${this.#bucket} through ${node}: ${what}`);
    if (result === null || result.outcome !== "done") return this.#failed();
    const { owners } = this.#workload.options.shape;
    if (result.keys.length > this.#limit) {
      oracle.accuse("listed in error", this.#bucket, `${result.keys.length} keys of ${this.#limit}`);
    }
    if (result.primaries < countOf(this.#r, owners, "quorum")) {
      oracle.accuse("too few replicas", this.#bucket, `${what} from ${result.primaries} primaries`);
    }
    this.#primaries = Math.min(this.#primaries, result.primaries);
    for (const key of result.keys) this.#names.push(this.#bucket + decoder.decode(key));
    this.#cursor = result.cursor;
    if (result.cursor !== "") return void clock.after(1, () => this.next());
    return this.#end();
  }

  #failed(): void {
    if (++this.#failures > FAILURES_MAX) return this.#ended();
    this.#workload.options.clock.after(PAUSE_MS * this.#failures, () => this.next());
  }

  #end(): void {
    const { history, losses, oracle, shape } = this.#workload.options;
    this.#workload.counts.listings++;
    const seen = {
      bucket: this.#bucket,
      beganMs: this.#beganMs,
      names: this.#names,
      primaries: this.#primaries,
    };
    const accuse = oracle.accuse.bind(oracle);
    judgeListing(seen, { history, losses, owners: shape.owners, accuse });
    this.#ended();
  }
}
