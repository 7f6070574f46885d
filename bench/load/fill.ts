/**
 * Writes every key once before a load reads them, over the same connections that the load will use.
 *
 * A refused put is tried again: a get of a key that is missing would be a failure of the bench, not
 * of what it measures. Bounded in time; what is not written by then is an error that names the
 * answer.
 */

import { Connection, type ConnectionEvents } from "./connection.ts";
import type { Call, Exchange } from "./exchange.ts";

const RETRY_MS = 20;

export interface FillOptions {
  readonly ports: readonly number[];
  readonly connections: number;
  readonly exchange: Exchange;
  readonly keys: number;
  readonly timeoutMs: number;
}

/** @throws Error where not every key was taken in time */
export function fillKeys(options: FillOptions): Promise<void> {
  return new Promise((resolve, reject) => new Fill(options, resolve, reject).start());
}

class Fill implements ConnectionEvents {
  readonly #options: FillOptions;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  readonly #calls: Map<Connection, Call>;
  readonly #refused: number[];
  #next: number;
  #written: number;
  #complaint: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FillOptions, resolve: () => void, reject: (error: Error) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#calls = new Map();
    this.#refused = [];
    this.#next = 0;
    this.#written = 0;
    this.#complaint = "";
    this.#timer = undefined;
  }

  start(): void {
    const { ports, connections, exchange, timeoutMs } = this.#options;
    this.#timer = setTimeout(() => this.#end(), timeoutMs);
    for (let index = 0; index < connections; index++) {
      const connection = new Connection(ports[index % ports.length], this);
      this.#calls.set(connection, exchange.put());
      connection.open();
    }
  }

  ready(connection: Connection): void {
    if (connection.isBusy) this.#refused.push(connection.keyIndex);
    this.#sendNext(connection);
  }

  answered(connection: Connection, isOk: boolean): void {
    if (isOk) {
      this.#written++;
      if (this.#written === this.#options.keys) this.#end();
      else this.#sendNext(connection);
      return;
    }
    this.#refused.push(connection.keyIndex);
    this.#complaint = this.#calls.get(connection)?.reply.complaint ?? "";
    setTimeout(() => {
      if (!connection.isBusy) this.#sendNext(connection);
    }, RETRY_MS);
  }

  broken(connection: Connection, why: string): void {
    if (connection.isBusy) this.#refused.push(connection.keyIndex);
    this.#complaint = why;
  }

  #sendNext(connection: Connection): void {
    const call = this.#calls.get(connection);
    const key = this.#refused.pop() ?? this.#next;
    if (call === undefined || key >= this.#options.keys) return;
    if (key === this.#next) this.#next++;
    connection.send(call, key, 0);
  }

  #end(): void {
    clearTimeout(this.#timer);
    for (const connection of this.#calls.keys()) connection.close();
    const { keys } = this.#options;
    if (this.#written === keys) this.#resolve();
    else this.#reject(new Error(`wrote ${this.#written} of ${keys} keys: ${this.#complaint}`));
  }
}
