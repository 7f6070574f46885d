/**
 * The body of a request as a stream, piece by piece into what becomes of it.
 *
 *   client ─► piece ─► sink.take ─► the next piece ─► … ─► sink.end
 *
 * The next piece is asked for when the one before has been taken: a client is not read faster than the disk takes
 * it. There is no deadline for the whole, but a body that brings nothing for STALL_MS_MAX is refused (408).
 */

import { STALL_MS_MAX } from "../../core/limits.ts";
import type { WriteOutcome } from "../../storage/engine.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import { Refusal } from "./problem.ts";

const CHECK_MS = 5_000;

/** What becomes of a body; a refusal is the end of it. */
export interface Sink {
  take(bytes: Uint8Array): Refusal | null;
  /** Nothing more comes. */
  end(): Refusal | null;
}

export class IncomingStream {
  readonly #clock: Clock;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #sink: Sink;
  #done: ((refusal: Refusal | null) => void) | null;
  #movedMs: number;
  #timer: Timer;

  /** Calls back once, with null where all of it has come and was taken. */
  constructor(clock: Clock, stream: ReadableStream<Uint8Array>, sink: Sink, done: (refusal: Refusal | null) => void) {
    this.#clock = clock;
    this.#reader = stream.getReader();
    this.#sink = sink;
    this.#done = done;
    this.#movedMs = clock.elapsedMs();
    this.#timer = this.#watch();
  }

  read(): void {
    this.#reader.read().then(
      ({ done, value }) => {
        if (this.#done === null) return;
        this.#movedMs = this.#clock.elapsedMs();
        const refusal = done ? this.#sink.end() : this.#sink.take(value);
        if (refusal !== null) this.#refuse(refusal);
        else if (done) this.#finish(null);
        else this.read();
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#finish(new Refusal("slow-request", `The body ended before it was complete: ${reason}.`));
      },
    );
  }

  #refuse(refusal: Refusal): void {
    // What is not wanted any more need not come. A stream that cannot be cancelled is at its end.
    this.#reader.cancel().catch(() => {});
    this.#finish(refusal);
  }

  #finish(refusal: Refusal | null): void {
    const done = this.#done;
    if (done === null) return;
    this.#done = null;
    this.#timer.cancel();
    done(refusal);
  }

  #watch(): Timer {
    return this.#clock.after(CHECK_MS, () => {
      if (this.#clock.elapsedMs() - this.#movedMs < STALL_MS_MAX) this.#timer = this.#watch();
      else this.#refuse(new Refusal("slow-request", `No byte of the body came for ${STALL_MS_MAX} ms.`));
    });
  }
}

/** What a write to this node's disk came to, as an answer; null: it is done. */
export function refusalOf(outcome: WriteOutcome): Refusal | null {
  if (outcome.status === "done") return null;
  const code = outcome.status === "full" ? `${outcome.of}-full` as const : "quorum-unreachable";
  return new Refusal(code, `This node cannot write: ${outcome.detail}`);
}
