/**
 * The link to one other node: dialled on demand, kept, dialled again when it breaks.
 *
 *          request                opened                 welcome
 *   idle ──────────► dialling ──────────► greeting ────────────────► ready
 *    ▲                   │  HELLO, repeated │ refused, no welcome      │ closed
 *    └───────────────────┴──────────────────┴──────────────────────────┘
 *                          back-off 50 ms → 2 s, half of it random
 *
 * Requests go out on this link and their replies come back on it; what the other node asks of us
 * comes on a link that it dialled. While the link is being made requests wait, bounded; if it
 * cannot be made they fail as "unreachable" and were never sent. During a back-off a request fails
 * so at once (at the end of the turn): who asks turns to another replica instead of waiting.
 *
 * Invariant: each accepted request ends exactly once, by replied or failed, never before request()
 * returned. Every end is told to the owner first (failure detection), then to the handler.
 */

import {
  FRAME_HEADER_BYTES,
  type FrameView,
  KIND_HELLO,
  KIND_MESSAGE,
  REPLY_BIT,
  STATUS_CHALLENGE,
  STATUS_OK,
} from "../../core/frame.ts";
import type { Channel } from "../ports/network.ts";
import { type CallDone, Calls } from "./calls.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { Correlations } from "./correlations.ts";
import {
  ACCEPTED,
  decodeGreeting,
  encodeHello,
  type Greeting,
  greetingOf,
  HELLO_BYTES_MAX,
  isProved,
  judgeWelcome,
  type LocalIdentity,
  notProved,
  orBetween,
  type PeerIdentity,
  proved,
  type Refusal,
  type Role,
} from "./handshake.ts";
import { decodeRefusal, encodeMessage } from "./messages.ts";
import { OutgoingFrames } from "./outgoing-frames.ts";
import type { FailureReason, ReplyHandler } from "./reply-handler.ts";
import { NONCE_BYTES } from "./secret.ts";
import type { TimerTarget } from "./timer-wheel.ts";
import type { Wiring } from "./wiring.ts";

/** A HELLO without an answer is sent again after this long. */
const HELLO_REPEAT_MS = 500;
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 2_000;
/**
 * Each answer moves the smoothed round trip by an eighth of the difference, as TCP does (RFC 6298).
 */
const ROUND_TRIP_GAIN = 1 / 8;

/** What a link needs of its owner. */
export interface PeerOwner {
  readonly wiring: Wiring;
  readonly identity: LocalIdentity;
  /** A request ended: answered (reason "") or not. */
  ended(peer: Peer, ok: boolean, reason: "" | FailureReason, elapsedMs: number): void;
  /** The other side, or our judgement of it, refused the handshake. */
  refused(peer: Peer, refusal: Refusal): void;
  /** The connection is gone. */
  disconnected(peer: Peer): void;
}

export class Peer implements ConnectionOwner {
  /** 16 hexadecimal digits; "" for a link to an address whose node is not known beforehand. */
  readonly id: string;
  readonly role: Role;
  /** Whether this node should be asked first; set by failure detection, not by the link. */
  healthy = true;
  /** Smoothed time from request to answer, 0 before the first. */
  roundTripMs = 0;
  /** Where the body of the request that was accepted last is to be written. */
  buffer: Uint8Array;
  /** Who answered the last handshake. */
  remote: PeerIdentity | null = null;
  readonly #owner: PeerOwner;
  readonly #correlations: Correlations;
  readonly #calls: Calls;
  readonly #waiting: OutgoingFrames;
  #address: string;
  #state: "idle" | "dialling" | "greeting" | "ready" | "closed" = "idle";
  #connection: Connection | null = null;
  #backoffMs = 0;
  #retryAtMs = 0;
  /** Requests that came during a back-off wait for the end of this turn to fail. */
  #failingSoon = false;
  /** What is said on this connection, from the first HELLO to the one with a proof. */
  #hello: Greeting | null = null;
  #handshakeTimer = 0;
  #repeatTimer = 0;
  /** Why the link is down, for people. */
  #trouble = "";
  readonly #onRequestTime: TimerTarget = { expired: (number) => this.#timedOut(number) };
  readonly #onHandshakeTime: TimerTarget = { expired: () => this.#handshakeTimedOut() };
  readonly #onRepeatTime: TimerTarget = { expired: () => this.#sendHello() };

  constructor(owner: PeerOwner, id: string, address: string, role: Role) {
    this.id = id;
    this.role = role;
    this.#owner = owner;
    this.#address = address;
    this.#correlations = new Correlations(owner.wiring.limits.inFlightMax);
    this.#calls = new Calls((reason) => this.#explain(reason));
    this.#waiting = new OutgoingFrames(owner.wiring.pool);
    this.buffer = this.#waiting.buffer;
  }

  get address(): string {
    return this.#address;
  }

  /** Whether it has a connection, made or being made. */
  get isDialled(): boolean {
    return this.#connection !== null;
  }

  /** Where to dial from now on; a connection that stands is kept until it breaks. */
  set address(address: string) {
    if (address === this.#address) return;
    this.#address = address;
    this.#backoffMs = 0;
    this.#retryAtMs = 0;
    if (this.#state === "dialling" || this.#state === "greeting") {
      this.#connection?.close("the node has another address now");
    }
  }

  /** Whether the link stands. */
  get connected(): boolean {
    return this.#state === "ready";
  }

  /** Whether it was closed for good. */
  get finished(): boolean {
    return this.#state === "closed";
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#correlations.count;
  }

  /**
   * Sends a request whose body the caller writes into `buffer` at the returned offset, before it
   * reserves another and before it returns to the event loop. Returns -1 when it is not accepted
   * (too much waits, the frame is too large, the link is closed for good): then nobody is called.
   */
  request(
    kind: number,
    flags: number,
    layout: number,
    bodyLength: number,
    timeoutMs: number,
    handler: ReplyHandler,
    tag: number,
  ): number {
    if (this.#state === "closed") return -1;
    const number = this.#correlations.peek();
    if (number === 0) return -1;
    const offset = this.#reserve(kind, flags, number, layout, bodyLength);
    if (offset < 0) return -1;
    const { wheel, ports } = this.#owner.wiring;
    const timer = wheel.schedule(timeoutMs, this.#onRequestTime, number);
    this.#correlations.open(number, kind, handler, tag, ports.clock.elapsedMs(), timer);
    return offset;
  }

  /**
   * Sends a CBOR message and takes its answer; `done` is called exactly once, never before this
   * returns.
   * @throws Error for a body that CBOR cannot say
   */
  call(type: string, body: unknown, timeoutMs: number, done: CallDone): void {
    const message = encodeMessage([type, body]);
    const ticket = this.#calls.open(done);
    const length = message.length;
    const offset = this.request(KIND_MESSAGE, 0, 0, length, timeoutMs, this.#calls, ticket);
    if (offset >= 0) {
      this.buffer.set(message, offset);
      return;
    }
    this.#calls.drop(ticket);
    const closed = this.#state === "closed";
    const why = closed ? "the link is closed" : "too much waits or the message is too large";
    const sentence = `Cannot send ${length} bytes to ${this.#address}: ${why}`;
    this.#owner.wiring.ports.clock.soon(() => done(undefined, sentence));
  }

  /** Cuts the connection, if there is one, and with it what waits there. */
  cut(reason: string): void {
    this.#connection?.close(reason);
  }

  /** Closes the link for good: what waits fails, nothing more is accepted. */
  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#trouble = reason;
    this.#cancelTimers();
    if (this.#connection !== null) this.#connection.close(reason);
    else {
      this.#failSoon();
      this.#owner.disconnected(this);
    }
  }

  // Told by the connection.

  opened(): void {
    if (this.#state !== "dialling") return;
    this.#state = "greeting";
    this.#hello = greetingOf(this.#owner.identity, this.role, this.#drawNonce());
    this.#sendHello();
  }

  frame(frame: FrameView, connection: Connection): void {
    if ((frame.kind & REPLY_BIT) === 0) {
      connection.malformed(`request of kind ${frame.kind} on a link that this node dialled`);
    } else if (frame.kind === (KIND_HELLO | REPLY_BIT)) {
      // One that comes when the link stands answers a HELLO that was repeated.
      if (this.#state === "greeting") this.#greeted(frame, connection);
    } else if (this.#state === "ready") {
      this.#answered(frame, connection);
    } else {
      connection.malformed(`reply of kind ${frame.kind} before the handshake`);
    }
  }

  closed(_connection: Connection, reason: string): void {
    const failure = this.#state === "ready" || this.#state === "closed" ? "closed" : "unreachable";
    this.#cancelTimers();
    this.#connection = null;
    this.#waiting.clear();
    if (this.#state !== "closed") {
      this.#state = "idle";
      if (this.#trouble === "") this.#trouble = reason;
      this.#backOff();
    }
    this.#failAll(failure);
    this.#owner.disconnected(this);
  }

  // Sending.

  #reserve(
    kind: number,
    flags: number,
    number: number,
    layout: number,
    bodyLength: number,
  ): number {
    const connection = this.#connection;
    if (this.#state === "ready" && connection !== null) {
      const offset = connection.reserve(kind, flags, STATUS_OK, number, layout, bodyLength);
      this.buffer = connection.buffer;
      return offset;
    }
    const limits = this.#owner.wiring.limits;
    if (this.#waiting.bytes >= limits.waitBytesMax) return -1;
    if (FRAME_HEADER_BYTES + bodyLength > limits.frameBytesMax) return -1;
    if (this.#state === "idle") this.#dialOrFail();
    const offset = this.#waiting.reserve(kind, flags, STATUS_OK, number, layout, bodyLength);
    this.buffer = this.#waiting.buffer;
    return offset;
  }

  #dialOrFail(): void {
    const { wiring } = this.#owner;
    if (this.#failingSoon || wiring.ports.clock.elapsedMs() < this.#retryAtMs) {
      this.#failSoon();
      return;
    }
    this.#state = "dialling";
    this.#trouble = "";
    wiring.counters.dialled++;
    this.#connection = new Connection(wiring, this, HELLO_BYTES_MAX);
    this.#handshakeTimer = wiring.wheel.schedule(
      wiring.limits.handshakeMs,
      this.#onHandshakeTime,
      0,
    );
    this.#connection.attach(wiring.ports.network.connect(this.#address, this.#connection));
  }

  #failSoon(): void {
    if (this.#failingSoon) return;
    this.#failingSoon = true;
    this.#owner.wiring.ports.clock.soon(() => {
      this.#failingSoon = false;
      this.#waiting.clear();
      this.#failAll("unreachable");
    });
  }

  // The handshake.

  #drawNonce(): Uint8Array {
    const { identity, wiring } = this.#owner;
    if (identity.secret === null || this.role === "client") return new Uint8Array(0);
    const nonce = new Uint8Array(NONCE_BYTES);
    wiring.ports.random.fill(nonce);
    return nonce;
  }

  #sendHello(): void {
    const connection = this.#connection;
    if (connection === null || this.#hello === null || this.#state !== "greeting") return;
    const hello = encodeHello(this.#hello);
    const offset = connection.reserve(KIND_HELLO, 0, STATUS_OK, 0, 0, hello.length);
    if (offset >= 0) connection.buffer.set(hello, offset);
    this.#repeatTimer = this.#owner.wiring.wheel.schedule(HELLO_REPEAT_MS, this.#onRepeatTime, 0);
  }

  #greeted(frame: FrameView, connection: Connection): void {
    const { status, bytes, start, end } = frame;
    const isChallenge = status === STATUS_CHALLENGE;
    if (status !== STATUS_OK && !isChallenge) {
      this.#refused({ status, sentence: decodeRefusal(bytes, start, end) }, connection);
      return;
    }
    const welcome = decodeGreeting(bytes, start, end);
    if (welcome === null) {
      connection.malformed("welcome cannot be read");
      return;
    }
    const judged = judgeWelcome(welcome, this.#owner.identity, this.role, this.id);
    const refusal = judged === ACCEPTED ? this.#judgeProof(welcome, isChallenge, connection.channel) : judged;
    if (refusal !== ACCEPTED) {
      this.#refused(refusal, connection);
      return;
    }
    if (isChallenge) return;
    this.remote = welcome;
    this.#stand(connection);
  }

  /** Of a challenge: proves in return. Of a welcome: the other side must have been challenged with success. */
  #judgeProof(theirs: Greeting, isChallenge: boolean, channel: Channel | null): Refusal {
    const { secret } = this.#owner.identity;
    const hello = this.#hello;
    if (secret === null || hello === null || hello.nonce.length === 0) {
      if (!isChallenge) return ACCEPTED;
      return notProved("The cluster there has a secret, and this node has none");
    }
    if (!isChallenge) {
      return hello.proof.length > 0 ? ACCEPTED : notProved("The node there did not prove the cluster's secret");
    }
    const unproved = { ...hello, proof: new Uint8Array(0) };
    if (!isProved(secret, "listener", theirs, unproved, channel)) {
      return notProved(`The cluster there has another secret than this node${orBetween(channel)}`);
    }
    this.#hello = proved(secret, "dialler", unproved, theirs, channel);
    this.#owner.wiring.wheel.cancel(this.#repeatTimer);
    this.#sendHello();
    return ACCEPTED;
  }

  #stand(connection: Connection): void {
    this.#state = "ready";
    this.#backoffMs = 0;
    this.#cancelTimers();
    connection.frameBytesMax = this.#owner.wiring.limits.frameBytesMax;
    connection.send(this.#waiting);
  }

  #refused(refusal: Refusal, connection: Connection): void {
    this.#backoffMs = BACKOFF_MS_MAX;
    this.#trouble = refusal.sentence;
    connection.close(refusal.sentence);
    this.#owner.refused(this, refusal);
  }

  #handshakeTimedOut(): void {
    const { handshakeMs } = this.#owner.wiring.limits;
    this.#connection?.close(`no handshake within ${handshakeMs} ms`);
  }

  #cancelTimers(): void {
    const { wheel } = this.#owner.wiring;
    wheel.cancel(this.#handshakeTimer);
    wheel.cancel(this.#repeatTimer);
  }

  #backOff(): void {
    const { clock, random } = this.#owner.wiring.ports;
    const doubled = Math.min(BACKOFF_MS_MAX, this.#backoffMs * 2);
    this.#backoffMs = Math.max(BACKOFF_MS_MIN, doubled);
    const half = this.#backoffMs / 2;
    this.#retryAtMs = clock.elapsedMs() + half + random.below(Math.floor(half) + 1);
  }

  // The ends of requests.

  #answered(frame: FrameView, connection: Connection): void {
    const place = this.#correlations.find(frame.correlation);
    if (place < 0) {
      this.#owner.wiring.counters.repliesLate++;
      return;
    }
    if (frame.kind !== (this.#correlations.kind(place) | REPLY_BIT)) {
      connection.malformed(`reply of kind ${frame.kind} to a request of another kind`);
      return;
    }
    const handler = this.#correlations.handler(place);
    const tag = this.#correlations.tag(place);
    const elapsedMs = this.#end(place);
    const change = elapsedMs - this.roundTripMs;
    this.roundTripMs += this.roundTripMs === 0 ? change : change * ROUND_TRIP_GAIN;
    this.#owner.ended(this, true, "", elapsedMs);
    handler?.replied(tag, frame);
  }

  #timedOut(number: number): void {
    const place = this.#correlations.find(number);
    if (place >= 0) this.#fail(place, "timeout");
  }

  #failAll(reason: FailureReason): void {
    // Handlers may send new requests meanwhile; those are not in this list.
    for (const number of this.#correlations.waiting()) {
      const place = this.#correlations.find(number);
      if (place >= 0) this.#fail(place, reason);
    }
  }

  #fail(place: number, reason: FailureReason): void {
    const handler = this.#correlations.handler(place);
    const tag = this.#correlations.tag(place);
    const elapsedMs = this.#end(place);
    this.#owner.ended(this, false, reason, elapsedMs);
    handler?.failed(tag, reason);
  }

  /** Frees the place; returns how long the request took. */
  #end(place: number): number {
    const { wheel, ports } = this.#owner.wiring;
    wheel.cancel(this.#correlations.timer(place));
    const elapsedMs = ports.clock.elapsedMs() - this.#correlations.startMs(place);
    this.#correlations.end(place);
    return elapsedMs;
  }

  #explain(reason: FailureReason): string {
    if (reason === "timeout") return `No answer from ${this.#address} in time`;
    if (reason === "closed") return `The connection to ${this.#address} broke`;
    // A refusal is the other node's sentence and says more than that it cannot be reached.
    return `Cannot reach ${this.#address}: ${this.#trouble || "not tried again yet"}`;
  }
}
