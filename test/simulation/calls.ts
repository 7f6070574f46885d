/**
 * Requests on their way: each is put to one node, waits for one answer, and is given up when the
 * node dies or the client has waited long enough. A living node must answer each request exactly
 * once, however late; what it answers after the client has gone is counted and nothing else.
 */

import type { Clock, Timer } from "../../server/ports/clock.ts";
import type { Outcome, Result, Store } from "../../server/coordination/store.ts";
import { valueBytes } from "../../server/coordination/value.ts";
import type { Oracle } from "./oracle.ts";

/** The nodes, as clients reach them. */
export interface Servers {
  readonly count: number;
  /** Hands the node's store over, now or when the node runs again; false where the node is down. */
  reach(node: number, use: (store: Store) => void): boolean;
  /** Whether what it answers gets to its clients. */
  tells(node: number): boolean;
}

/** How to put a request to a store. */
export type Ask<Reply> = (store: Store, done: (result: Reply) => void) => void;
/** What a client gets; null: no answer, the node died or was too slow. */
export type Answer<Reply> = (result: Reply | null) => void;

export class Calls {
  readonly #servers: Servers;
  readonly #clock: Clock;
  readonly #oracle: Oracle;
  readonly #patienceMs: number;
  readonly #open = new Set<OpenCall>();
  #made = 0;

  /** @param patienceMs how long a client waits */
  constructor(servers: Servers, clock: Clock, oracle: Oracle, patienceMs: number) {
    this.#servers = servers;
    this.#clock = clock;
    this.#oracle = oracle;
    this.#patienceMs = patienceMs;
  }

  /** Nodes to choose from. */
  get nodes(): number {
    return this.#servers.count;
  }

  /** Asks one node once. Returns false, and never answers, where the node is down. */
  ask<Reply extends Ended>(node: number, ask: Ask<Reply>, answer: Answer<Reply>): boolean {
    const call = new Call<Reply>(++this.#made, node, answer);
    this.#open.add(call);
    call.timer = this.#clock.after(this.#patienceMs, () => call.giveUp());
    const taken = this.#servers.reach(node, (store) => {
      ask(store, (result) => this.#answered(call, result));
    });
    if (!taken) {
      call.forget();
      this.#open.delete(call);
    }
    return taken;
  }

  /** A node is gone: nothing that it was asked will be answered. */
  nodeDied(node: number): void {
    for (const call of [...this.#open]) {
      if (call.node !== node) continue;
      this.#open.delete(call);
      call.isDead = true;
      call.giveUp();
    }
  }

  /** When all is healed and time has passed: accuses for every request that was left unanswered. */
  checkAnswered(): void {
    for (const call of this.#open) {
      const detail = `request ${call.number} at node ${call.node}`;
      this.#oracle.accuse("never answered", "", detail);
    }
  }

  #answered<Reply extends Ended>(call: Call<Reply>, result: Reply): void {
    if (call.isAnswered || call.isDead) {
      const how = call.isDead ? "by a dead node" : "again";
      const detail = `request ${call.number} at node ${call.node}, ${how}: ${result.outcome}`;
      this.#oracle.accuse("answered twice", "", detail);
      return;
    }
    call.isAnswered = true;
    this.#open.delete(call);
    if (!this.#servers.tells(call.node)) return;
    call.tell(isResult(result) ? readWhole(result) : result);
  }
}

function isResult(result: Ended): result is Result {
  return "siblings" in result;
}

/**
 * An answer with its large values read, as a client of HTTP reads them: to the end, at once. Where that
 * does not work the answer breaks off, and the client has none.
 */
function readWhole<Reply extends Result>(result: Reply): Reply {
  try {
    const siblings = result.siblings.map((sibling) => ({ ...sibling, body: valueBytes(sibling.body) }));
    return { ...result, siblings };
  } catch {
    return { ...result, outcome: "unknown", code: "read-timeout", siblings: [] };
  }
}

/** How a request of any kind ends. */
interface Ended {
  readonly outcome: Outcome;
}

interface OpenCall {
  readonly number: number;
  readonly node: number;
  isDead: boolean;
  giveUp(): void;
}

class Call<Reply> implements OpenCall {
  readonly number: number;
  readonly node: number;
  timer: Timer | null = null;
  isAnswered = false;
  isDead = false;
  #answer: Answer<Reply> | null;

  constructor(number: number, node: number, answer: Answer<Reply>) {
    this.number = number;
    this.node = node;
    this.#answer = answer;
  }

  giveUp(): void {
    this.tell(null);
  }

  /** Ends the client's wait, once. */
  tell(result: Reply | null): void {
    const answer = this.#answer;
    this.forget();
    if (answer !== null) answer(result);
  }

  forget(): void {
    this.#answer = null;
    this.timer?.cancel();
  }
}
