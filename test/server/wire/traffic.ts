/**
 * What members say to each other, overheard: every kind of frame and every type of message that a node serves, with
 * the body of one that was answered. So that a test can say the very same as somebody who is no member.
 *
 *   listen()  before the first node is made: whatever is registered from then on is known by its label
 *   end()     after the last one: other tests in the process have nodes of their own, which say other things
 *
 * While something that an intruder has sent is served, what is asked of the watched engines is counted.
 */

import { type FrameView, KIND_MESSAGE } from "../../../core/frame.ts";
import { encodeMessage } from "../../../server/wire/messages.ts";
import { type MessageHandler, type RequestHandler, Services } from "../../../server/wire/services.ts";
import type { Engine } from "../../../storage/engine.ts";

/** A request as a member has sent it. */
export interface Overheard {
  readonly kind: number;
  readonly body: Uint8Array;
}

const ENGINE_METHODS = [
  ...["digestInto", "read", "readHead", "readEntry", "write", "stage", "remove", "note", "sync"],
  ...["entries", "tree", "stats"],
];

export class Traffic {
  /** What is served, by label: "kind 3" or the type of a message. */
  readonly labels = new Set<string>();
  readonly overheard = new Map<string, Overheard>();
  /** What intruders had done to an engine. */
  readonly touched: string[] = [];
  readonly #isIntruder: (name: string) => boolean;
  #isIntruded = false;
  #isListening = false;
  #restore: () => void = () => {};

  /** @param isIntruder by the name in the HELLO */
  constructor(isIntruder: (name: string) => boolean) {
    this.#isIntruder = isIntruder;
  }

  listen(): void {
    const { onMessage, onRequest } = Services.prototype;
    this.#isListening = true;
    this.#restore = () => Object.assign(Services.prototype, { onMessage, onRequest });
    const overhear = (type: string, handler: MessageHandler) => this.#overhearMessage(type, handler);
    const overhearKind = (kind: number, handler: RequestHandler) => this.#overhearKind(kind, handler);
    Services.prototype.onMessage = function (type, handler) {
      onMessage.call(this, type, overhear(type, handler));
    };
    Services.prototype.onRequest = function (kind, handler) {
      onRequest.call(this, kind, overhearKind(kind, handler));
    };
  }

  end(): void {
    this.#isListening = false;
    this.#restore();
  }

  /** Counts what is asked of an engine on behalf of an intruder. */
  watch(engine: Engine): void {
    const methods = engine as unknown as Record<string, (...given: unknown[]) => unknown>;
    for (const name of ENGINE_METHODS) {
      const method = methods[name];
      if (method === undefined) continue;
      methods[name] = (...given) => {
        if (this.#isIntruded) this.touched.push(name);
        return method.apply(engine, given);
      };
    }
  }

  #overhearMessage(type: string, handler: MessageHandler): MessageHandler {
    this.labels.add(type);
    return (body, from, reply, refuse) => {
      const isIntruder = this.#isIntruder(from.name);
      const answered = (value: unknown): void => {
        if (!isIntruder && this.#isListening) this.overheard.set(type, { kind: KIND_MESSAGE, body: encodeMessage([type, body]) });
        reply(value);
      };
      this.#serve(isIntruder, () => handler(body, from, answered, refuse));
    };
  }

  #overhearKind(kind: number, handler: RequestHandler): RequestHandler {
    const label = `kind ${kind}`;
    this.labels.add(label);
    return (frame: FrameView, connection, from) => {
      const isIntruder = this.#isIntruder(from.name);
      if (!isIntruder && this.#isListening) this.overheard.set(label, { kind, body: frame.bytes.slice(frame.start, frame.end) });
      this.#serve(isIntruder, () => handler(frame, connection, from));
    };
  }

  #serve(isIntruder: boolean, serve: () => void): void {
    this.#isIntruded = isIntruder;
    serve();
    this.#isIntruded = false;
  }
}
