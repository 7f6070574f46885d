/**
 * The other end of a link that somebody dialled: waits for HELLO, judges it, then serves requests. Where the
 * cluster has a secret, a HELLO without proof of it is answered with a challenge first. Where nodes show
 * certificates, a HELLO of one that showed none, or a wrong one, is refused; clients need none.
 *
 *   waiting ──HELLO accepted──► serving     frames before a HELLO, replies, a second HELLO that says
 *      │ refused, too late                  something else: malformed, closed
 *      ▼
 *   finishing (the refusal is sent, then it closes)
 */

import {
  type FrameView,
  KIND_HELLO,
  REPLY_BIT,
  STATUS_CHALLENGE,
  STATUS_NOT_ADMITTED,
  STATUS_OK,
} from "../../core/frame.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import {
  ACCEPTED,
  decodeGreeting,
  encodeWelcome,
  type Greeting,
  greetingOf,
  HELLO_BYTES_MAX,
  isProved,
  judgeHello,
  type LocalIdentity,
  notProved,
  orBetween,
  type PeerIdentity,
  type Permission,
  proved,
  type Refusal,
} from "./handshake.ts";
import { encodeRefusal } from "./messages.ts";
import { NONCE_BYTES } from "./secret.ts";
import type { Services } from "./services.ts";
import type { TimerTarget } from "./timer-wheel.ts";
import type { Wiring } from "./wiring.ts";

/** What an accepted link needs of its owner. */
export interface AcceptedLinkOwner {
  readonly wiring: Wiring;
  readonly identity: LocalIdentity;
  readonly services: Services;
  /** "" where this node may come in, else the sentence that it is refused with. */
  admit(identity: PeerIdentity): string;
  /** What the token of a client allows; null: it is none of this cluster's. */
  permit(token: string): Permission | null;
  gone(link: AcceptedLink): void;
}

export class AcceptedLink implements ConnectionOwner, TimerTarget {
  readonly connection: Connection;
  readonly #owner: AcceptedLinkOwner;
  #from: PeerIdentity | null = null;
  /** This end's, drawn for the connection; empty where there is no secret. */
  #nonce = new Uint8Array(0);
  #handshakeTimer = 0;
  /** Correlation of the latest request. */
  #lastServed = 0;
  #hasServed = false;

  constructor(owner: AcceptedLinkOwner) {
    this.#owner = owner;
    this.connection = new Connection(owner.wiring, this, HELLO_BYTES_MAX);
  }

  /** Who is at the other end; null before the handshake. */
  get from(): PeerIdentity | null {
    return this.#from;
  }

  opened(): void {
    const { wheel, limits, ports } = this.#owner.wiring;
    if (this.#owner.identity.secret !== null) {
      this.#nonce = new Uint8Array(NONCE_BYTES);
      ports.random.fill(this.#nonce);
    }
    this.#handshakeTimer = wheel.schedule(limits.handshakeMs, this, 0);
  }

  frame(frame: FrameView, connection: Connection): void {
    const from = this.#from;
    if ((frame.kind & REPLY_BIT) !== 0) {
      connection.malformed(`reply of kind ${frame.kind} on a link that this node accepted`);
    } else if (frame.kind === KIND_HELLO) {
      this.#greeted(frame);
    } else if (from === null) {
      connection.malformed(`frame of kind ${frame.kind} before the handshake`);
    } else if (this.#isRepeated(frame.correlation)) {
      this.#owner.wiring.counters.repeated++;
    } else {
      this.#owner.services.serve(frame, connection, from);
    }
  }

  /**
   * Numbers rise along a connection, so one that does not has been served already. To serve it twice
   * could end once in a refusal and once in a write, and the sender would hear the refusal.
   */
  #isRepeated(correlation: number): boolean {
    if (((correlation - this.#lastServed) | 0) <= 0 && this.#hasServed) return true;
    this.#hasServed = true;
    this.#lastServed = correlation;
    return false;
  }

  closed(): void {
    this.#owner.wiring.wheel.cancel(this.#handshakeTimer);
    this.#owner.gone(this);
  }

  /** The time for the handshake is over. */
  expired(): void {
    const { limits } = this.#owner.wiring;
    this.connection.close(`no handshake within ${limits.handshakeMs} ms`);
  }

  #greeted(frame: FrameView): void {
    const hello = decodeGreeting(frame.bytes, frame.start, frame.end);
    if (hello === null) {
      this.connection.malformed("HELLO cannot be read");
      return;
    }
    const refusal = this.#judge(hello);
    if (refusal !== ACCEPTED) this.#refuse(hello, refusal, frame.correlation);
    else if (this.#from !== null && !isSame(this.#from, hello)) {
      this.connection.malformed("second HELLO says something else");
    } else if (this.#wantsProof(hello)) this.#challenge(hello, frame.correlation);
    else this.#welcome(hello, frame.correlation);
  }

  #judge(hello: Greeting): Refusal {
    const refusal = judgeHello(hello, this.#owner.identity);
    if (refusal !== ACCEPTED) return refusal;
    const certificate = hello.role === "client" ? "" : this.connection.channel?.refusal ?? "";
    if (certificate !== "") return notProved(certificate);
    const proof = this.#judgeProof(hello);
    if (proof !== ACCEPTED) return proof;
    const sentence = this.#owner.admit(hello);
    return sentence === "" ? ACCEPTED : { status: STATUS_NOT_ADMITTED, sentence };
  }

  #judgeProof(hello: Greeting): Refusal {
    const { secret } = this.#owner.identity;
    const { channel } = this.connection;
    if (secret === null) return ACCEPTED;
    if (hello.role === "client") {
      if (this.#owner.permit(hello.token) !== null) return ACCEPTED;
      return notProved(hello.token === "" ? "A client has to bring a token" : "The token is not known here");
    }
    if (hello.nonce.length === 0) return notProved("The cluster has a secret, and the node that dialled has none");
    if (hello.proof.length === 0 || isProved(secret, "dialler", hello, this.#own(), channel)) return ACCEPTED;
    return notProved(`The node that dialled has another secret than the cluster${orBetween(channel)}`);
  }

  #own(): Greeting {
    return greetingOf(this.#owner.identity, "peer", this.#nonce);
  }

  #wantsProof({ role, proof }: Greeting): boolean {
    return this.#owner.identity.secret !== null && role !== "client" && proof.length === 0;
  }

  #challenge(hello: Greeting, correlation: number): void {
    const { secret } = this.#owner.identity;
    if (secret === null) return;
    const greeting = proved(secret, "listener", this.#own(), hello, this.connection.channel);
    this.#answer(STATUS_CHALLENGE, correlation, encodeWelcome(greeting));
  }

  #welcome(hello: Greeting, correlation: number): void {
    const { secret } = this.#owner.identity;
    const isJudged = secret !== null && hello.role === "client";
    const { nodeId, clusterId, role, name, token } = hello;
    const permission = isJudged ? this.#owner.permit(token) : null;
    this.#from = { nodeId, clusterId, role, name, permission };
    this.#owner.wiring.wheel.cancel(this.#handshakeTimer);
    this.connection.frameBytesMax = this.#owner.wiring.limits.frameBytesMax;
    this.#answer(STATUS_OK, correlation, encodeWelcome(this.#own()));
  }

  #refuse(hello: Greeting, refusal: Refusal, correlation: number): void {
    const { counters, ports } = this.#owner.wiring;
    counters.handshakesRefused++;
    const who = { remote: this.connection.remote, node: hello.nodeId, name: hello.name };
    ports.log.warn("handshake refused", { ...who, why: refusal.sentence });
    this.#answer(refusal.status, correlation, encodeRefusal(refusal.sentence));
    this.connection.finish(refusal.sentence);
  }

  #answer(status: number, correlation: number, body: Uint8Array): void {
    const kind = KIND_HELLO | REPLY_BIT;
    const offset = this.connection.reserve(kind, 0, status, correlation, 0, body.length);
    if (offset >= 0) this.connection.buffer.set(body, offset);
  }
}

function isSame(left: PeerIdentity, right: PeerIdentity): boolean {
  return left.nodeId === right.nodeId && left.role === right.role;
}
