/**
 * One connection of the load: one request in flight, the next one when the answer is complete.
 *
 *          send            first bytes          last bytes
 *   idle ────────► busy ───────────────► busy ─────────────► idle, `answered` is called
 *                    └── cut: `broken` is called, and it connects again a little later
 *
 * An answer nearly always comes in one piece; only where it does not are the pieces joined and read
 * from the start.
 */

import { connect, type Socket } from "node:net";
import type { Call } from "./exchange.ts";

const RECONNECT_MS = 50;

export interface ConnectionEvents {
  /** The connection can take a request; said once after each (re)connect. */
  ready(connection: Connection): void;
  /** An answer is complete. */
  answered(connection: Connection, isOk: boolean): void;
  /** The connection was lost with a request in flight, or could not be made. */
  broken(connection: Connection, why: string): void;
}

export class Connection {
  readonly #port: number;
  readonly #events: ConnectionEvents;
  #socket: Socket | null;
  #call: Call | null;
  #pieces: Uint8Array | null;
  #isClosed: boolean;
  /** When the request in flight was (or should have been) sent; the owner's to use. */
  startedMs: number;
  /** The key of the request in flight. */
  keyIndex: number;

  constructor(port: number, events: ConnectionEvents) {
    this.#port = port;
    this.#events = events;
    this.#socket = null;
    this.#call = null;
    this.#pieces = null;
    this.#isClosed = false;
    this.startedMs = 0;
    this.keyIndex = 0;
  }

  get isBusy(): boolean {
    return this.#call !== null;
  }

  open(): void {
    if (this.#isClosed) return;
    const socket = connect(this.#port, "127.0.0.1");
    let why = "closed by the server";
    socket.setNoDelay(true);
    socket.on("connect", () => this.#events.ready(this));
    socket.on("data", (bytes) => this.#receive(bytes));
    socket.on("error", (error) => (why = error.message));
    socket.on("close", () => this.#lost(why));
    this.#socket = socket;
  }

  /** REQUIRES: ready and not busy. */
  send(call: Call, keyIndex: number, startedMs: number): void {
    call.request.setKey(keyIndex);
    this.#call = call;
    this.keyIndex = keyIndex;
    this.startedMs = startedMs;
    this.#socket?.write(call.request.bytes);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  #receive(bytes: Uint8Array): void {
    const call = this.#call;
    if (call === null) return;
    const all = this.#pieces === null ? bytes : Buffer.concat([this.#pieces, bytes]);
    let length = 0;
    try {
      length = call.reply.read(all, 0, all.length);
    } catch (error) {
      this.#socket?.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (length === 0) {
      this.#pieces = Uint8Array.from(all);
      return;
    }
    this.#pieces = null;
    this.#call = null;
    this.#events.answered(this, call.reply.ok);
  }

  #lost(why: string): void {
    if (this.#isClosed) return;
    this.#events.broken(this, why);
    this.#call = null;
    this.#pieces = null;
    setTimeout(() => this.open(), RECONNECT_MS);
  }
}
