/**
 * The value of a put on its way in. A small one is read whole (request-body.ts); a larger one goes into the
 * engine as it comes, and is never whole in memory.
 *
 *   declared small      RequestBodies: bytes
 *   declared large      a stage from the first byte on
 *   no length declared  bytes until they are too many, then all into a stage
 *
 * The next piece is asked for when the one before is with the kernel: a client is not read faster than the
 * disk takes it. Each large value counts as two slices among the bytes in flight, since it holds no more;
 * one that brings nothing for STALL_MS_MAX is refused (408), and what had come of it is given up.
 */

import { SLICE_BYTES, STALL_MS_MAX, STREAM_BYTES_MIN } from "../../core/limits.ts";
import type { ObjectName } from "../../core/object-name.ts";
import type { Stage, WriteOutcome } from "../../storage/engine.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import { concatenate } from "./bytes.ts";
import type { HttpNode } from "./http-node.ts";
import { Refusal } from "./problem.ts";
import type { RequestBodies } from "./request-body.ts";

const HELD_BYTES = 2 * SLICE_BYTES;
const CHECK_MS = 5_000;

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
    const parts = { node: this.#node, clock: this.#clock, name, meta };
    new ValueReader(parts, stream.getReader(), this.#valueBytesMax, (value, refusal, stage) => {
      done(value, refusal, () => {
        stage?.drop();
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

interface ReaderParts {
  readonly node: HttpNode;
  readonly clock: Clock;
  readonly name: ObjectName;
  readonly meta: () => Uint8Array;
}

class ValueReader {
  readonly #parts: ReaderParts;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #limit: number;
  #done: ((value: IncomingValue | null, refusal: Refusal | null, stage: Stage | null) => void) | null;
  /** What came before it was known to be large. */
  #chunks: Uint8Array[] = [];
  #length = 0;
  #stage: Stage | null = null;
  #movedMs: number;
  #timer: Timer;

  constructor(
    parts: ReaderParts,
    reader: ReadableStreamDefaultReader<Uint8Array>,
    limit: number,
    done: (value: IncomingValue | null, refusal: Refusal | null, stage: Stage | null) => void,
  ) {
    this.#parts = parts;
    this.#reader = reader;
    this.#limit = limit;
    this.#done = done;
    this.#movedMs = parts.clock.elapsedMs();
    this.#timer = this.#watch();
  }

  read(): void {
    this.#reader.read().then(
      ({ done, value }) => {
        if (this.#done === null) return;
        this.#movedMs = this.#parts.clock.elapsedMs();
        const refusal = done ? null : this.#take(value);
        if (refusal !== null) this.#refuse(refusal);
        else if (done) this.#end();
        else this.read();
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#finish(null, new Refusal("slow-request", `The body ended before it was complete: ${reason}.`));
      },
    );
  }

  #take(bytes: Uint8Array): Refusal | null {
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
    const { node, name, meta } = this.#parts;
    const stage = node.store.stage(name);
    if (stage === null) return new Refusal("not-ready", "This node takes no values now.");
    this.#stage = stage;
    const chunks = [meta(), ...this.#chunks];
    this.#chunks = [];
    for (const chunk of chunks) {
      const refusal = refusalOf(stage.append(chunk, 0, chunk.length));
      if (refusal !== null) return refusal;
    }
    return null;
  }

  #end(): void {
    if (this.#stage === null) return this.#finish({ body: concatenate(this.#chunks), staged: null }, null);
    const finished = this.#stage.finish();
    if (finished.status === "staged") return this.#finish({ body: NO_BYTES, staged: finished.payload }, null);
    return this.#finish(null, refusalOf(finished));
  }

  #refuse(refusal: Refusal): void {
    // What is not wanted any more need not come. A stream that cannot be cancelled is at its end.
    this.#reader.cancel().catch(() => {});
    this.#finish(null, refusal);
  }

  #finish(value: IncomingValue | null, refusal: Refusal | null): void {
    const done = this.#done;
    if (done === null) return;
    this.#done = null;
    this.#timer.cancel();
    done(value, refusal, this.#stage);
  }

  #watch(): Timer {
    const { clock } = this.#parts;
    return clock.after(CHECK_MS, () => {
      if (clock.elapsedMs() - this.#movedMs < STALL_MS_MAX) this.#timer = this.#watch();
      else this.#refuse(new Refusal("slow-request", `No byte of the body came for ${STALL_MS_MAX} ms.`));
    });
  }
}

const NO_BYTES = new Uint8Array(0);

function tooMany(): Refusal {
  return new Refusal("overloaded", "The node takes as many values as it may, want another try later.");
}

function refusalOf(outcome: WriteOutcome): Refusal | null {
  if (outcome.status === "done") return null;
  const code = outcome.status === "full" ? `${outcome.of}-full` as const : "quorum-unreachable";
  return new Refusal(code, `This node cannot write: ${outcome.detail}`);
}
