/**
 * The other end of a link that somebody dialled: waits for HELLO, judges it, then serves requests.
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
  STATUS_NOT_ADMITTED,
  STATUS_OK,
} from "../../core/frame.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import {
  ACCEPTED,
  decodeGreeting,
  encodeWelcome,
  type Greeting,
  HELLO_BYTES_MAX,
  judgeHello,
  type LocalIdentity,
  type PeerIdentity,
  type Refusal,
} from "./handshake.ts";
import { encodeRefusal } from "./messages.ts";
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
  gone(link: AcceptedLink): void;
}

export class AcceptedLink implements ConnectionOwner, TimerTarget {
  readonly connection: Connection;
  readonly #owner: AcceptedLinkOwner;
  #from: PeerIdentity | null = null;
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
    const { wheel, limits } = this.#owner.wiring;
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
    } else this.#welcome(hello, frame.correlation);
  }

  #judge(hello: Greeting): Refusal {
    const refusal = judgeHello(hello, this.#owner.identity);
    if (refusal !== ACCEPTED) return refusal;
    const sentence = this.#owner.admit(hello);
    return sentence === "" ? ACCEPTED : { status: STATUS_NOT_ADMITTED, sentence };
  }

  #welcome(hello: Greeting, correlation: number): void {
    this.#from = hello;
    this.#owner.wiring.wheel.cancel(this.#handshakeTimer);
    this.connection.frameBytesMax = this.#owner.wiring.limits.frameBytesMax;
    this.#answer(STATUS_OK, correlation, encodeWelcome(this.#owner.identity));
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
