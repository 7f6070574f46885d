/**
 * A node as this client sees it: connections to it, dialled when something is asked, and what its answers have
 * taken lately.
 *
 *   costMs     what an answer would take: its usual time, times those that are ahead; the usual time fades when
 *              nothing is asked, so that a node that was slow once is tried again
 *   suspected  it could not be reached, or fell silent; until a moment that moves out with each failure
 */

import { type Asker, Connection, type ConnectionOwner } from "./connection.ts";
import type { Runtime } from "./runtime.ts";

/** So many requests under way make another connection worth while. */
const BUSY_REQUESTS = 64;
/** The latest answer's part of the usual time. */
const LATEST_PART = 0.125;
const FADES_MS = 10_000;
const SUSPECTED_MS_MIN = 50;
const SUSPECTED_MS_MAX = 2_000;

export interface NodeOptions {
  readonly token: string;
  readonly connectionsMax: number;
}

export interface SentRequest {
  readonly connection: Connection;
  readonly correlation: number;
}

export class RemoteNode implements ConnectionOwner {
  readonly address: string;
  /** Known from a layout on; "" before. */
  id = "";
  name: string;
  readonly #runtime: Runtime;
  readonly #options: NodeOptions;
  readonly #connections: Connection[] = [];
  #usualMs = 0;
  #measuredMs = -Infinity;
  #underWay = 0;
  #failures = 0;
  #suspectedUntilMs = -Infinity;
  #wrong = "";
  #isRefused = false;

  constructor(runtime: Runtime, address: string, options: NodeOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.address = address;
    this.name = address;
  }

  /** What kept the latest connection from standing; "" where nothing did. */
  get wrong(): string {
    return this.#wrong;
  }

  /** Whether the node does not let this client in. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  get isSuspected(): boolean {
    return this.#runtime.elapsedMs() < this.#suspectedUntilMs;
  }

  /** What an answer takes as a rule, milliseconds; 0: nothing is known. */
  get usualMs(): number {
    const restingMs = this.#runtime.elapsedMs() - this.#measuredMs;
    return restingMs >= FADES_MS ? 0 : this.#usualMs * (1 - restingMs / FADES_MS);
  }

  get costMs(): number {
    return this.usualMs * (1 + this.#underWay);
  }

  /** Sends a request; `ended` has to be told of its end. */
  request(
    kind: number,
    layout: number,
    length: number,
    write: (target: Uint8Array, offset: number) => void,
    asker: Asker,
  ): SentRequest {
    const connection = this.#connection();
    this.#underWay++;
    return { connection, correlation: connection.request(kind, layout, length, write, asker) };
  }

  /** A request has been answered, after so long. */
  answered(tookMs: number): void {
    this.#underWay--;
    this.#failures = 0;
    this.#suspectedUntilMs = -Infinity;
    this.#learn(tookMs);
  }

  /** A request is not waited for any more; it has taken so long already. */
  givenUp(afterMs: number): void {
    this.#underWay--;
    if (afterMs > this.#usualMs) this.#learn(afterMs);
  }

  /** A request could not be answered. */
  failed(): void {
    this.#underWay--;
    this.suspect();
  }

  suspect(): void {
    const delayMs = Math.min(SUSPECTED_MS_MAX, SUSPECTED_MS_MIN * 2 ** Math.min(this.#failures++, 16));
    this.#suspectedUntilMs = this.#runtime.elapsedMs() + delayMs;
  }

  close(): void {
    for (const connection of [...this.#connections]) connection.close("The client was closed");
  }

  opened(): void {
    this.#wrong = "";
    this.#isRefused = false;
  }

  closed(connection: Connection, wrong: string, isRefused: boolean): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
    this.#wrong = wrong;
    this.#isRefused = isRefused;
  }

  #learn(tookMs: number): void {
    const isFirst = this.usualMs === 0;
    this.#usualMs = isFirst ? tookMs : this.#usualMs + LATEST_PART * (tookMs - this.#usualMs);
    this.#measuredMs = this.#runtime.elapsedMs();
  }

  /** The one with the least under way; a new one where all have much. */
  #connection(): Connection {
    let best: Connection | null = null;
    for (const connection of this.#connections) {
      if (best === null || connection.load < best.load) best = connection;
    }
    const isFull = this.#connections.length >= this.#options.connectionsMax;
    if (best !== null && (isFull || best.load < BUSY_REQUESTS)) return best;
    const dialled = new Connection(this.#runtime, this.address, this.#options.token, this);
    this.#connections.push(dialled);
    return dialled;
  }
}
