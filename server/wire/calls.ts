/** The CBOR messages of one link that wait for an answer: each a callback under a ticket. Cold. */

import { type FrameView, STATUS_OK } from "../../core/frame.ts";
import { decodeMessage, decodeRefusal } from "./messages.ts";
import type { FailureReason, ReplyHandler } from "./reply-handler.ts";

/** Takes the answer and "", or undefined and one sentence that says why there is none. */
export type CallDone = (reply: unknown, error: string) => void;

export class Calls implements ReplyHandler {
  readonly #waiting = new Map<number, CallDone>();
  readonly #explain: (reason: FailureReason) => string;
  #next = 1;

  /** @param explain makes the sentence for a call that failed */
  constructor(explain: (reason: FailureReason) => string) {
    this.#explain = explain;
  }

  /** Keeps the callback; returns the tag for the request that carries the message. */
  open(done: CallDone): number {
    const ticket = this.#next++;
    this.#waiting.set(ticket, done);
    return ticket;
  }

  /** Forgets a call whose request was not accepted. */
  drop(ticket: number): void {
    this.#waiting.delete(ticket);
  }

  replied(ticket: number, frame: FrameView): void {
    const done = this.#end(ticket);
    if (frame.status !== STATUS_OK) {
      done(undefined, decodeRefusal(frame.bytes, frame.start, frame.end));
      return;
    }
    const reply = decodeMessage(frame.bytes, frame.start, frame.end);
    done(reply, reply === undefined ? "The answer is malformed" : "");
  }

  failed(ticket: number, reason: FailureReason): void {
    this.#end(ticket)(undefined, this.#explain(reason));
  }

  #end(ticket: number): CallDone {
    const done = this.#waiting.get(ticket);
    if (done === undefined) throw new Error(`Call ${ticket} ended twice`);
    this.#waiting.delete(ticket);
    return done;
  }
}
