/**
 * One simulated client: think, do something to a key, remember the context that came back, again.
 * What it does is what applications do:
 *
 *   read                 and remember the context
 *   put                  without a context, with the one of a read just made, or with a remembered
 *                        one, which may be stale by then
 *   delete               what was read; or, without a context, whatever is there
 *   add to a cart        read, union of the siblings plus one item, put: the paper's shopping cart
 *   create               only where nothing is
 */

import { valueBytes } from "../../server/coordination/value.ts";
import type { PutRequest, Result } from "../../server/coordination/store.ts";
import { type Knowledge, knowledgeOfRead, nothingKnown } from "./history.ts";
import { drawRead, shortfall } from "./quorums.ts";
import { cartOf, itemsOf, valueOf } from "./values.ts";
import type { Key, Weights, Workload } from "./workload.ts";
import { WriteAttempts } from "./write-attempts.ts";

/** A context and what its holder knows that it covers. */
export interface Held {
  readonly context: string;
  readonly knowledge: Knowledge;
}

const nothingHeld: Held = { context: "", knowledge: nothingKnown };

/** What kind of write it is, beyond a plain put. */
export type WriteKind = Partial<Pick<PutRequest, "isDelete" | "precondition">>;

export class Client {
  readonly index: number;
  readonly #workload: Workload;
  /** The last context per key. */
  readonly #held = new Map<string, Held>();
  readonly #rest = (): void => this.rest();

  constructor(index: number, workload: Workload) {
    this.index = index;
    this.#workload = workload;
  }

  /** Thinks, then goes on. */
  rest(): void {
    const { clock, random, shape } = this.#workload.options;
    clock.after(1 + random.below(2 * shape.thinkMs), () => this.#next());
  }

  /** Judges a read-like answer and remembers its context. */
  see(key: Key, result: Result, beganMs: number, primaries: number): Held {
    const { oracle, clock } = this.#workload.options;
    const endedMs = clock.elapsedMs();
    const { policy, text } = key;
    const { siblings } = result;
    const shown = oracle.readEnded({ key: text, policy, beganMs, endedMs, primaries, siblings });
    const knowledge = knowledgeOfRead(shown, policy, endedMs);
    const held = result.context === "" ? nothingHeld : { context: result.context, knowledge };
    this.#held.set(text, held);
    return held;
  }

  /** A put's own context, for a later put. */
  remember(key: Key, held: Held): void {
    this.#held.set(key.text, held);
  }

  #next(): void {
    const key = this.#workload.claim();
    if (key === null) return;
    const { random, shape } = this.#workload.options;
    if (key.isCart) {
      if (random.chance(1, 4)) this.#readThen(key, this.#rest);
      else this.#readThen(key, (seen, result) => this.#addToCart(key, seen, result));
      return;
    }
    this.#do(drawAction(random.below(sumOf(shape.weights)), shape.weights), key);
  }

  #do(action: keyof Weights, key: Key): void {
    switch (action) {
      case "read":
        return this.#readThen(key, this.#rest);
      case "putBlind":
        return this.#put(key, nothingHeld);
      case "putAfterRead":
        return this.#readThen(key, (seen) => this.#put(key, seen));
      case "putRemembered":
        return this.#put(key, this.#held.get(key.text) ?? nothingHeld);
      case "deleteAfterRead":
        return this.#readThen(key, (seen) => this.#write(key, seen, empty, { isDelete: true }));
      case "deleteBlind":
        return this.#write(key, nothingHeld, empty, { isDelete: true });
      case "create":
        return this.#write(key, nothingHeld, (id) => valueOf(key.text, id, 20), {
          precondition: { absent: true, etags: [] },
        });
    }
  }

  /** Reads through one node and goes on with what was seen; rests where there is no answer. */
  #readThen(key: Key, then: (seen: Held, result: Result) => void): void {
    const { random, clock, trace, shape, oracle } = this.#workload.options;
    const { calls, counts } = this.#workload;
    const { options, enough } = drawRead(random, shape.owners, shape.timeoutMs, shape.drawQuorums);
    const beganMs = clock.elapsedMs();
    const node = random.below(calls.nodes);
    const request = { name: key.name, options };
    counts.reads++;
    const taken = calls.ask<Result>(node, (store, done) => store.get(request, done), (result) => {
      const what = `client ${this.index} get ${key.text} through ${node}`;
      trace.add(clock.elapsedMs(), `${what}: ${summaryOf(result)}`);
      if (result === null || result.outcome !== "done") return this.rest();
      counts.readsDone++;
      const lack = shortfall(result, enough);
      if (lack !== "") oracle.accuse("too few replicas", key.text, `${what}: ${lack}`);
      then(this.see(key, result, beganMs, result.primaries), result);
    });
    if (!taken) this.rest();
  }

  #addToCart(key: Key, seen: Held, result: Result): void {
    const items = new Set<number>();
    for (const sibling of result.siblings) {
      for (const item of itemsOf(valueBytes(sibling.body))) items.add(item);
    }
    this.#write(key, seen, (id) => cartOf(key.text, id, items.add(id)), {});
  }

  #put(key: Key, seen: Held): void {
    const { random, shape } = this.#workload.options;
    const fillerBytes = random.below(random.chance(1, 20) ? shape.fillerBytesMax : 120);
    this.#write(key, seen, (id) => valueOf(key.text, id, fillerBytes), {});
  }

  #write(key: Key, seen: Held, bodyOf: (id: number) => Uint8Array, kind: WriteKind): void {
    new WriteAttempts(this, this.#workload, key, seen, bodyOf, kind).next();
  }
}

/** An answer in a few words, for the trace. */
export function summaryOf(result: Result | null): string {
  if (result === null) return "no answer";
  const replicas = `${result.primaries}+${result.fallbacks}`;
  return `${result.outcome} ${result.code} (${replicas}) ${result.siblings.length} ${result.etag}`;
}

function empty(): Uint8Array {
  return new Uint8Array(0);
}

function sumOf(weights: Weights): number {
  return Object.values(weights).reduce((sum: number, weight: number) => sum + weight, 0);
}

function drawAction(draw: number, weights: Weights): keyof Weights {
  if ((draw -= weights.read) < 0) return "read";
  if ((draw -= weights.putBlind) < 0) return "putBlind";
  if ((draw -= weights.putAfterRead) < 0) return "putAfterRead";
  if ((draw -= weights.putRemembered) < 0) return "putRemembered";
  if ((draw -= weights.deleteAfterRead) < 0) return "deleteAfterRead";
  if ((draw -= weights.deleteBlind) < 0) return "deleteBlind";
  return "create";
}
