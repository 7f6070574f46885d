/**
 * The value of a put on its way in. A small one is read whole (request-body.ts); a larger one goes into the
 * engine as it comes, and is never whole in memory.
 *
 *   declared small      RequestBodies: bytes
 *   declared large      a stage from the first byte on
 *   no length declared  bytes until they are too many, then all into a stage
 *
 * Each large value counts as two slices among the bytes in flight, since it holds no more. One that is refused
 * on its way (incoming-stream.ts) is given up, with what had come of it.
 */

import { SLICE_BYTES, STREAM_BYTES_MIN } from "../../core/limits.ts";
import type { ObjectName } from "../../core/object-name.ts";
import type { Stage } from "../../storage/engine.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Clock } from "../ports/clock.ts";
import { concatenate } from "./bytes.ts";
import type { HttpNode } from "./http-node.ts";
import { IncomingStream, refusalOf, type Sink } from "./incoming-stream.ts";
import { Refusal } from "./problem.ts";
import type { RequestBodies } from "./request-body.ts";

const HELD_BYTES = 2 * SLICE_BYTES;

/** One of the two, or a refusal. */
export interface IncomingValue {
  readonly body: Uint8Array;
  readonly staged: LargePayload | null;
}

/** `release` gives back what the value holds; to be called when its request is answered. */
type Done = (value: IncomingValue | null, refusal: Refusal | null, release: () => void) => void;

export class IncomingValues {
  readonly #node: HttpNode;
  readonly #clock: Clock;
  readonly #bodies: RequestBodies;
  readonly #valueBytesMax: number;

  constructor(node: HttpNode, clock: Clock, bodies: RequestBodies, valueBytesMax: number) {
    this.#node = node;
    this.#clock = clock;
    this.#bodies = bodies;
    this.#valueBytesMax = valueBytesMax;
  }

  /** Reads the value of a request; `meta` is the metadata block that goes in front of a large one. */
  read(request: Request, name: ObjectName, meta: () => Uint8Array, done: Done): void {
    const declared = request.headers.get("content-length");
    const isSmall = declared !== null && Number(declared) <= STREAM_BYTES_MIN;
    if (isSmall || Number(declared) > this.#valueBytesMax) return this.#readWhole(request, done);
    // Not before it is known to be wanted: a body that was looked at as a stream is one from then on, and
    // Bun reads it through one (an empty server: 27 instead of 24 µs a put).
    const stream = request.body;
    if (stream === null) return this.#readWhole(request, done);
    if (!this.#bodies.take(HELD_BYTES)) return done(null, tooMany(), () => {});
    const sink = new ValueSink(() => this.#node.store.stage(name), meta, this.#valueBytesMax);
    new IncomingStream(this.#clock, stream, sink, (refusal) => {
      done(refusal === null ? sink.value : null, refusal, () => {
        sink.drop();
        this.#bodies.give(HELD_BYTES);
      });
    }).read();
  }

  #readWhole(request: Request, done: Done): void {
    this.#bodies.read(request, this.#valueBytesMax, (bytes, refusal, body) => {
      const value = bytes === null ? null : { body: bytes, staged: null };
      done(value, refusal, () => body.release());
    });
  }
}

class ValueSink implements Sink {
  readonly #open: () => Stage | null;
  readonly #meta: () => Uint8Array;
  readonly #limit: number;
  /** What came before it was known to be large. */
  #chunks: Uint8Array[] = [];
  #length = 0;
  #stage: Stage | null = null;
  /** There when the value has ended. */
  value: IncomingValue | null = null;

  constructor(open: () => Stage | null, meta: () => Uint8Array, limit: number) {
    this.#open = open;
    this.#meta = meta;
    this.#limit = limit;
  }

  take(bytes: Uint8Array): Refusal | null {
    this.#length += bytes.length;
    if (this.#length > this.#limit) {
      const detail = `The value is larger than ${this.#limit} bytes, the limit.`;
      return new Refusal("value-too-large", detail);
    }
    if (this.#stage !== null) return refusalOf(this.#stage.append(bytes, 0, bytes.length));
    this.#chunks.push(bytes);
    return this.#length <= STREAM_BYTES_MIN ? null : this.#becomeLarge();
  }

  #becomeLarge(): Refusal | null {
    const stage = this.#open();
    if (stage === null) return new Refusal("not-ready", "This node takes no values now.");
    this.#stage = stage;
    const chunks = [this.#meta(), ...this.#chunks];
    this.#chunks = [];
    for (const chunk of chunks) {
      const refusal = refusalOf(stage.append(chunk, 0, chunk.length));
      if (refusal !== null) return refusal;
    }
    return null;
  }

  end(): Refusal | null {
    const finished = this.#stage?.finish() ?? null;
    if (finished !== null && finished.status !== "staged") return refusalOf(finished);
    const staged = finished?.payload ?? null;
    this.value = { body: staged === null ? concatenate(this.#chunks) : NO_BYTES, staged };
    return null;
  }

  drop(): void {
    this.#stage?.drop();
  }
}

const NO_BYTES = new Uint8Array(0);

function tooMany(): Refusal {
  return new Refusal("overloaded", "The node takes as many values as it may, want another try later.");
}
