/**
 * The door for HTTP: open while there are not too many connections.
 *
 *   open ──── more than `max` ────► shut     the listener is closed and with it all connections at rest;
 *     ▲                              │       requests under way are answered; who comes is refused by the
 *     └── an eighth below `max` ─────┘       system, which costs nothing
 *
 * The runtimes accept for themselves and tell nobody, so connections are counted from outside: seldom
 * while there are few, ten times a second near the limit. Between two counts there may be more than the
 * limit; data files have descriptors of their own then (ports/descriptors).
 */

import type { Clock, Timer } from "../ports/clock.ts";
import type { HttpServer } from "../ports/http-server.ts";
import type { Log } from "../ports/log.ts";

export const DOOR_CHECK_MS = 100;
const CHECK_MS_AT_REST = 1_000;
/** How often the operator hears of it. */
const TOLD_EVERY_MS = 10_000;
/** Longer than any request may take. */
const GRACE_MS = 75_000;

/** Listens on host:port; calls back with the server, or null and a sentence. */
export type Listen = (
  address: string,
  done: (server: HttpServer | null, error: string) => void,
) => void;

export interface DoorPorts {
  readonly clock: Pick<Clock, "after" | "elapsedMs">;
  readonly log: Log;
  readonly listen: Listen;
}

export class HttpDoor {
  readonly #ports: DoorPorts;
  readonly #max: number;
  readonly #connections: () => number;
  /** host:port as bound; "" before. */
  address = "";
  /** How often it was shut. */
  shutCount = 0;
  #server: HttpServer | null = null;
  /** Servers of before whose requests have not all ended. */
  readonly #leaving = new Set<HttpServer>();
  #timer: Timer | null = null;
  #toldMs = -Infinity;
  #isStopped = false;

  /** @param connections how many there are now */
  constructor(ports: DoorPorts, max: number, connections: () => number) {
    this.#ports = ports;
    this.#max = max;
    this.#connections = connections;
  }

  get isShut(): boolean {
    return this.#server === null;
  }

  get max(): number {
    return this.#max;
  }

  /** Opens it for the first time; "" or one sentence. */
  open(address: string, done: (error: string) => void): void {
    this.#ports.listen(address, (server, error) => {
      if (server === null) return done(error);
      this.#server = server;
      this.address = server.address;
      this.#later();
      return done("");
    });
  }

  /** Takes no new connection, lets requests end, cuts what is left after `graceMs`. */
  stop(graceMs: number, done: () => void): void {
    this.#timer?.cancel();
    this.#isStopped = true;
    const servers = [...this.#leaving];
    if (this.#server !== null) servers.push(this.#server);
    this.#server = null;
    let left = servers.length;
    if (left === 0) return done();
    for (const server of servers) {
      server.stop(graceMs, () => {
        left--;
        if (left === 0) done();
      });
    }
    return undefined;
  }

  #later(): void {
    const isNear = this.isShut || this.#connections() * 2 > this.#max;
    const delayMs = isNear ? DOOR_CHECK_MS : CHECK_MS_AT_REST;
    this.#timer = this.#ports.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const count = this.#connections();
    if (this.#server !== null && count > this.#max) this.#shut(this.#server, count);
    else if (this.#server === null && count <= this.#max - (this.#max >> 3)) this.#reopen();
    this.#later();
  }

  #shut(server: HttpServer, count: number): void {
    this.#server = null;
    this.shutCount++;
    this.#leaving.add(server);
    server.stop(GRACE_MS, () => this.#leaving.delete(server));
    this.#tell("too many connections: those at rest are closed, new ones are refused", count);
  }

  #reopen(): void {
    this.#ports.listen(this.address, (server, error) => {
      if (server === null) return this.#tell(error, 0);
      if (this.#isStopped) return server.stop(0, () => undefined);
      this.#server = server;
      return undefined;
    });
  }

  /** Whoever floods the door shall not flood the log. */
  #tell(event: string, connections: number): void {
    const { clock, log } = this.#ports;
    if (clock.elapsedMs() - this.#toldMs < TOLD_EVERY_MS) return;
    this.#toldMs = clock.elapsedMs();
    log.warn(event, { connections, limit: this.#max, shutSoFar: this.shutCount });
  }
}
