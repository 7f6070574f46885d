/**
 * One connection to a node: the greeting, then any number of requests under way at once.
 *
 *   dialling ──opened──► greeting ──welcome──► open ──► closed
 *      requests of the first two wait here and leave with the welcome
 *
 * Correlations rise along the connection, as the node wants it. Each request ends once: by its reply, as
 * `unreachable` (no byte of it left), as `closed` (it may have arrived), or it is forgotten by who asked.
 * server/PROTOCOL.md says what is on the wire.
 */

import {
  FRAME_BYTES_MAX,
  type FrameView,
  KIND_HELLO,
  PROTOCOL_VERSION,
  REPLY_BIT,
  STATUS_NOT_PROVED,
  STATUS_OK,
} from "../core/frame.ts";
import { FrameReader } from "../core/frame-reader.ts";
import { decodeMessage, encodeMessage, sentenceOf } from "./messages.ts";
import { Outgoing } from "./outgoing.ts";
import type { Runtime, Socket, SocketHandler, Timer } from "./runtime.ts";

const HELLO_BYTES_MAX = 4096;
/** What dialling and the greeting may take together. */
const GREETING_MS_MAX = 3_000;

export type FailureReason = "unreachable" | "closed";

/** Who asked. */
export interface Asker {
  /** The view is valid until this returns. */
  replied(frame: FrameView): void;
  failed(reason: FailureReason): void;
}

export interface ConnectionOwner {
  /** @param wrong one sentence; @param isRefused the node does not let this client in */
  closed(connection: Connection, wrong: string, isRefused: boolean): void;
  opened(connection: Connection): void;
}

export class Connection implements SocketHandler {
  readonly #runtime: Runtime;
  readonly #owner: ConnectionOwner;
  readonly #token: string;
  readonly #waiting = new Map<number, Asker>();
  readonly #outgoing = new Outgoing();
  readonly #reader: FrameReader;
  readonly #greetingTimer: Timer;
  readonly #flush = (): void => {
    this.#isFlushAsked = false;
    this.#send();
  };
  #socket: Socket | null = null;
  #state: "dialling" | "greeting" | "open" | "closed" = "dialling";
  #isFlushAsked = false;
  #lastCorrelation = 0;
  /** Of the requests, up to which they have been handed to the socket. */
  #lastSent = 0;
  #heardMs = 0;
  #wrong = "";
  #isRefused = false;

  constructor(runtime: Runtime, address: string, token: string, owner: ConnectionOwner) {
    this.#runtime = runtime;
    this.#owner = owner;
    this.#token = token;
    this.#reader = new FrameReader(HELLO_BYTES_MAX, (frame) => this.#take(frame));
    this.#greetingTimer = runtime.after(GREETING_MS_MAX, () => {
      this.close(`${address} did not answer within ${GREETING_MS_MAX} ms`);
    });
    this.#socket = runtime.connect(address, this);
  }

  /** Requests under way. */
  get load(): number {
    return this.#waiting.size;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Sends a request, at the end of this turn; returns its correlation.
   * REQUIRES: not closed
   * @param write puts the body, `length` bytes, at an offset
   */
  request(
    kind: number,
    layout: number,
    length: number,
    write: (target: Uint8Array, offset: number) => void,
    asker: Asker,
  ): number {
    this.#lastCorrelation = (this.#lastCorrelation + 1) >>> 0 || 1;
    const correlation = this.#lastCorrelation;
    this.#waiting.set(correlation, asker);
    const offset = this.#outgoing.reserve(kind, correlation, layout, length);
    write(this.#outgoing.buffer, offset);
    if (this.#state === "open" && !this.#isFlushAsked) {
      this.#isFlushAsked = true;
      queueMicrotask(this.#flush);
    }
    return correlation;
  }

  /** Whether a request has been handed to the socket. */
  hasSent(correlation: number): boolean {
    return this.#lastSent !== 0 && ((correlation - this.#lastSent) | 0) <= 0;
  }

  /** Nobody waits for this reply any more. */
  forget(correlation: number): void {
    this.#waiting.delete(correlation);
  }

  /** A request of that time was waited for in vain: where nothing at all has come since, the other side is gone. */
  suspect(sinceMs: number): void {
    if (this.#state === "open" && this.#heardMs <= sinceMs) this.close("The node has fallen silent");
  }

  close(why: string): void {
    if (this.#state === "closed") return;
    if (this.#wrong === "") this.#wrong = why;
    const socket = this.#socket;
    this.#end();
    socket?.close(why);
  }

  opened(): void {
    if (this.#state !== "dialling") return;
    this.#state = "greeting";
    const hello = encodeMessage({
      protocol: PROTOCOL_VERSION,
      cluster: null,
      node: null,
      name: "client",
      role: "client",
      ...(this.#token === "" ? {} : { token: this.#token }),
    });
    const greeting = new Outgoing();
    const offset = greeting.reserve(KIND_HELLO, 0, 0, hello.length);
    greeting.buffer.set(hello, offset);
    if (this.#socket !== null) greeting.sendTo(this.#socket);
  }

  received(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#heardMs = this.#runtime.elapsedMs();
    const wrong = this.#reader.take(bytes);
    if (wrong !== "") this.close(`What the node sent cannot be read: ${wrong}`);
  }

  drained(): void {}

  closed(reason: string): void {
    if (this.#wrong === "") this.#wrong = reason;
    this.#end();
  }

  #take(frame: FrameView): boolean {
    if (frame.kind === (KIND_HELLO | REPLY_BIT)) this.#greeted(frame);
    else if (this.#state !== "open" || (frame.kind & REPLY_BIT) === 0) this.close("The node sent what nobody asked for");
    else {
      const asker = this.#waiting.get(frame.correlation);
      this.#waiting.delete(frame.correlation);
      asker?.replied(frame);
    }
    return !this.isClosed;
  }

  #greeted(frame: FrameView): void {
    if (this.#state !== "greeting") return;
    if (frame.status !== STATUS_OK) {
      this.#isRefused = frame.status === STATUS_NOT_PROVED;
      return this.close(sentenceOf(frame.bytes, frame.start, frame.end));
    }
    const welcome = decodeMessage(frame.bytes, frame.start, frame.end);
    const isOurs = typeof welcome === "object" && welcome !== null && "protocol" in welcome;
    if (!isOurs || welcome.protocol !== PROTOCOL_VERSION) return this.close("What answered there is no halo node");
    this.#greetingTimer.cancel();
    this.#state = "open";
    this.#reader.frameBytesMax = FRAME_BYTES_MAX;
    this.#owner.opened(this);
    return this.#send();
  }

  #send(): void {
    if (this.#state !== "open" || this.#socket === null) return;
    this.#lastSent = this.#lastCorrelation;
    this.#outgoing.sendTo(this.#socket);
  }

  #end(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#socket = null;
    this.#greetingTimer.cancel();
    this.#owner.closed(this, this.#wrong, this.#isRefused);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [correlation, asker] of waiting) {
      asker.failed(this.hasSent(correlation) ? "closed" : "unreachable");
    }
  }
}
