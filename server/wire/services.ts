/**
 * What this node does for others, by kind of frame and by type of message. Higher rooms register
 * here while the node is put together; links look it up for each request.
 */

import {
  type FrameView,
  KIND_MESSAGE,
  KIND_PING,
  REPLY_BIT,
  STATUS_OK,
  STATUS_REFUSED,
  STATUS_UNKNOWN_KIND,
  STATUS_UNKNOWN_TYPE,
} from "../../core/frame.ts";
import type { Connection } from "./connection.ts";
import type { PeerIdentity } from "./handshake.ts";
import { decodeMessage, encodeMessage, encodeRefusal } from "./messages.ts";

/** Serves a hot kind: reads the view before it returns, answers on the connection at any time. */
export type RequestHandler = (
  frame: FrameView,
  connection: Connection,
  from: PeerIdentity,
) => void;

/**
 * Serves a type of message; calls one of `reply` and `refuse`, at any time (a second call is
 * ignored).
 */
export type MessageHandler = (
  body: unknown,
  from: PeerIdentity,
  reply: (value: unknown) => void,
  refuse: (sentence: string) => void,
) => void;

export class Services {
  readonly #byKind: (RequestHandler | null)[] = new Array<RequestHandler | null>(REPLY_BIT).fill(
    null,
  );
  readonly #byType = new Map<string, MessageHandler>();

  constructor() {
    this.#byKind[KIND_PING] = answerPing;
    this.#byKind[KIND_MESSAGE] = (frame, connection, from) =>
      this.#message(frame, connection, from);
  }

  /** Registers the one handler of a kind. @throws Error where there is one */
  onRequest(kind: number, handler: RequestHandler): void {
    if (this.#byKind[kind] !== null) throw new Error(`Kind ${kind} is no request or has a handler`);
    this.#byKind[kind] = handler;
  }

  /** Registers the one handler of a type of message. @throws Error where there is one */
  onMessage(type: string, handler: MessageHandler): void {
    if (this.#byType.has(type)) throw new Error(`Message ${type} has a handler already`);
    this.#byType.set(type, handler);
  }

  /** Hands a request to its handler, or answers that there is none. REQUIRES: no reply bit. */
  serve(frame: FrameView, connection: Connection, from: PeerIdentity): void {
    const handler = this.#byKind[frame.kind];
    if (handler !== null) {
      handler(frame, connection, from);
      return;
    }
    const answer = new Answer(connection, frame);
    answer.send(STATUS_UNKNOWN_KIND, encodeRefusal(`Kind ${frame.kind} is not served here`));
  }

  #message(frame: FrameView, connection: Connection, from: PeerIdentity): void {
    const message = decodeMessage(frame.bytes, frame.start, frame.end);
    if (!Array.isArray(message) || message.length !== 2 || typeof message[0] !== "string") {
      connection.malformed("message is not [type, body]");
      return;
    }
    const [type, body] = message as [string, unknown];
    const answer = new Answer(connection, frame);
    const handler = this.#byType.get(type);
    if (handler === undefined) {
      const sentence = `Message "${type.slice(0, 64)}" is not served here`;
      answer.send(STATUS_UNKNOWN_TYPE, encodeRefusal(sentence));
      return;
    }
    handler(
      body,
      from,
      (value) => answer.send(STATUS_OK, encodeMessage(value ?? null)),
      (sentence) => answer.send(STATUS_REFUSED, encodeRefusal(sentence)),
    );
  }
}

function answerPing(frame: FrameView, connection: Connection): void {
  connection.reserve(KIND_PING | REPLY_BIT, 0, STATUS_OK, frame.correlation, frame.layout, 0);
}

/** What fits any frame. */
const SMALL_BYTES = 1024;

/** The way back for one cold request, kept beyond the life of its frame's view. */
class Answer {
  readonly #connection: Connection;
  readonly #kind: number;
  readonly #correlation: number;
  #sent = false;

  constructor(connection: Connection, frame: FrameView) {
    this.#connection = connection;
    this.#kind = frame.kind;
    this.#correlation = frame.correlation;
  }

  send(status: number, body: Uint8Array): void {
    if (this.#sent) return;
    this.#sent = true;
    const kind = this.#kind | REPLY_BIT;
    const offset = this.#connection.reserve(kind, 0, status, this.#correlation, 0, body.length);
    if (offset >= 0) this.#connection.buffer.set(body, offset);
    else if (body.length > SMALL_BYTES) this.#tooLarge(kind);
  }
  /** Who asks hears of it at once. (Where the connection is gone or full, this is not heard either.) */
  #tooLarge(kind: number): void {
    const refusal = encodeRefusal("The answer is too large for a frame");
    const offset = this.#connection.reserve(kind, 0, STATUS_REFUSED, this.#correlation, 0, refusal.length);
    if (offset >= 0) this.#connection.buffer.set(refusal, offset);
  }
}
