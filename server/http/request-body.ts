/**
 * Request bodies with a bound on everything: bytes of one body, bytes of all bodies at one time,
 * and time to arrive.
 *
 *   declared length beyond the limit  refused before a byte is read; who asked beforehand (Expect: 100-continue) is told
 *                                     to go on by the runtime, and by this answer's Connection: close that nobody reads it
 *                                     (Bun closes at once). To others the connection stays: a client that is busy sending
 *                                     would find it cut, often without having seen why. What still comes is dropped
 *   no declared length (chunked)      read chunk by chunk, refused as soon as it is over
 *   all bodies together               beyond their bound (256 MiB, or less) 503 `overloaded`
 *   slower than BODY_MS_MAX           408 `slow-request`; one sweep serves all, no timer a request
 */

import { BODY_BYTES_IN_FLIGHT_MAX, BODY_MS_MAX } from "../../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import { concatenate } from "./bytes.ts";
import { Refusal } from "./problem.ts";

const SWEEP_MS = 5_000;

const NO_LENGTH = "The request has neither a body nor a Content-Length, want Content-Length: 0 for an empty value.";
export const NO_ROOM = "The node holds as many bytes of request bodies as it may, want another try later.";

/** Called once, perhaps before `read` returns; `body` is released when its request is answered. */
type Done = (bytes: Uint8Array | null, refusal: Refusal | null, body: IncomingBody) => void;

/** One body on its way in, and the bytes that it holds until its request is answered. */
export class IncomingBody {
  readonly #bodies: RequestBodies;
  readonly #limit: number;
  #done: Done | null;
  #reservedBytes = 0;
  readonly startMs: number;

  constructor(bodies: RequestBodies, limit: number, startMs: number, done: Done) {
    this.#bodies = bodies;
    this.#limit = limit;
    this.#done = done;
    this.startMs = startMs;
  }

  /** Calls back exactly once, perhaps before it returns. */
  read(request: Request): void {
    const declared = request.headers.get("content-length");
    if (declared === null) {
      this.#readStream(request.body);
      return;
    }
    const length = Number(declared);
    if (length > this.#limit) return this.fail(this.#bodies.tooLarge(this.#limit, request));
    if (!this.#reserve(length)) return;
    request.arrayBuffer().then(
      (buffer) => this.#settle(new Uint8Array(buffer)),
      (error: unknown) => this.fail(cutShort(error)),
    );
  }

  #readStream(stream: ReadableStream<Uint8Array> | null): void {
    if (stream === null) {
      this.fail(this.#bodies.absent());
      return;
    }
    const reader = stream.getReader();
    const chunks: Uint8Array[] = [];
    const pull = (): void => {
      reader.read().then(
        ({ done, value }) => {
          if (this.#done === null) return;
          if (done) return this.#settle(concatenate(chunks));
          chunks.push(value);
          if (this.#reserve(value.length)) return pull();
          reader.cancel().catch(ignoreCancelled);
        },
        (error: unknown) => this.fail(cutShort(error)),
      );
    };
    pull();
  }

  /** Counts bytes in, or refuses the body. */
  #reserve(bytes: number): boolean {
    if (this.#reservedBytes + bytes > this.#limit) {
      this.fail(this.#bodies.tooLarge(this.#limit));
      return false;
    }
    if (!this.#bodies.take(bytes)) {
      this.fail(new Refusal("overloaded", NO_ROOM));
      return false;
    }
    this.#reservedBytes += bytes;
    return true;
  }

  #settle(bytes: Uint8Array): void {
    if (bytes.length > this.#limit) this.fail(this.#bodies.tooLarge(this.#limit));
    else this.#finish(bytes, null);
  }

  fail(refusal: Refusal): void {
    this.#finish(null, refusal);
  }

  #finish(bytes: Uint8Array | null, refusal: Refusal | null): void {
    const done = this.#done;
    if (done === null) return;
    this.#done = null;
    this.#bodies.arrived(this);
    done(bytes, refusal, this);
  }

  /** Gives the bytes back: the request that they belong to is answered. */
  release(): void {
    this.#bodies.give(this.#reservedBytes);
    this.#reservedBytes = 0;
  }
}

/** All bodies that are on their way into one node. */
export class RequestBodies {
  readonly #clock: Clock;
  readonly #what: string;
  readonly #bytesMax: number;
  readonly #arriving = new Set<IncomingBody>();
  #heldBytes = 0;
  #sweeping = false;

  /**
   * `what` names the body in the sentence of a 413: "value", "properties".
   * @param bytesMax of all bodies at one time
   */
  constructor(clock: Clock, what: string, bytesMax: number = BODY_BYTES_IN_FLIGHT_MAX) {
    this.#clock = clock;
    this.#what = what;
    this.#bytesMax = bytesMax;
  }

  /** Reads a body of at most `limit` bytes; the caller releases it once it has answered. */
  read(request: Request, limit: number, done: Done): IncomingBody {
    const body = new IncomingBody(this, limit, this.#clock.elapsedMs(), done);
    this.#arriving.add(body);
    this.#sweepLater();
    body.read(request);
    return body;
  }

  /** Bytes of bodies that are held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#bytesMax) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  arrived(body: IncomingBody): void {
    this.#arriving.delete(body);
  }

  absent(): Refusal {
    return new Refusal("length-required", this.#what === "value" ? NO_LENGTH : `The request has no body, want the ${this.#what}.`);
  }

  /** @param unread the request, where its body has not been looked at */
  tooLarge(limit: number, unread: Request | null = null): Refusal {
    const sizes = `larger than ${limit} bytes, the limit`;
    const headers = unread?.headers.has("expect") === true ? { Connection: "close" } : {};
    return new Refusal("value-too-large", `The ${this.#what} is ${sizes}.`, headers);
  }

  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#clock.after(SWEEP_MS, () => {
      this.#sweeping = false;
      this.#sweep();
      if (this.#arriving.size > 0) this.#sweepLater();
    });
  }

  #sweep(): void {
    const oldestMs = this.#clock.elapsedMs() - BODY_MS_MAX;
    for (const body of [...this.#arriving]) {
      if (body.startMs > oldestMs) continue;
      const detail = `The body took longer than ${BODY_MS_MAX} ms to arrive, the limit.`;
      body.fail(new Refusal("slow-request", detail));
    }
  }
}

function cutShort(error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  return new Refusal("slow-request", `The body ended before it was complete: ${reason}.`);
}

/** A stream that cannot be cancelled is at its end already; the answer has been given. */
function ignoreCancelled(): void {}
