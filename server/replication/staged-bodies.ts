/**
 * Large payloads that have come to this node, or are on their way, before the sets that refer to them.
 *
 *   BODY slice ──► take ─► stage in the engine that the set will go to ─► complete, checksum right
 *   own pull   ──┘                                                             │
 *   REPLICATE, PUT, read ── find, by name and dot (or request id) ◄────────────┘
 *
 * A slice that is not the one that comes next is ignored, and the sender told where it stands: so slices
 * may be lost, come twice, or from two senders, and a transfer that broke off goes on where it stopped.
 * Bounded in number; what nobody goes on with is given up after a minute, and the disk says itself
 * when it is full.
 */

import { toHex } from "../../core/bytes.ts";
import { STAGED_MAX, STAGED_MS_MAX } from "../../core/limits.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  STATUS_DONE,
  STATUS_FAILED,
  STATUS_FULL,
  STATUS_MALFORMED,
  STATUS_NOT_READY,
} from "../../core/replica-frames.ts";
import type { Engine, Stage, WriteOutcome } from "../../storage/engine.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Clock, Timer } from "../ports/clock.ts";

const SWEEP_MS = 5_000;

/** Which payload: of a version by its dot, or of a request by its id; 16 bytes. */
export interface BodyId {
  readonly engine: Engine;
  /** As the engine knows it: a hint has the owner in front. */
  readonly name: ObjectName;
  readonly about: Uint8Array;
}

export interface BodySize {
  readonly length: number;
  readonly checksum: number;
}

/** `next`: where the slice begins that is wanted; the payload's length: it is complete. */
export interface Taken {
  readonly status: number;
  readonly next: number;
}

interface Body {
  readonly stage: Stage;
  readonly size: BodySize;
  payload: LargePayload | null;
  touchedMs: number;
}

const latin1 = new TextDecoder("latin1");

export class StagedBodies {
  readonly #clock: Clock;
  readonly #bodies = new Map<Engine, Map<string, Body>>();
  #count = 0;
  #sweep: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes source[start, end), which lies at `offset` of the payload. */
  take(
    id: BodyId,
    size: BodySize,
    offset: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): Taken {
    const body = this.#body(id) ?? this.#begin(id, size);
    if (body === null) return { status: STATUS_NOT_READY, next: 0 };
    body.touchedMs = this.#clock.elapsedMs();
    const isSame = body.size.length === size.length && body.size.checksum === size.checksum;
    if (!isSame) return { status: STATUS_MALFORMED, next: 0 };
    if (body.payload !== null) return { status: STATUS_DONE, next: size.length };
    if (offset !== body.stage.length || offset + end - start > size.length) {
      return { status: STATUS_DONE, next: body.stage.length };
    }
    const outcome = body.stage.append(source, start, end);
    if (outcome.status !== "done") return this.#refused(id, outcome);
    return body.stage.length < size.length
      ? { status: STATUS_DONE, next: body.stage.length }
      : this.#complete(id, body);
  }

  /** How much of a payload is here; its length: all. */
  progress(id: BodyId): number {
    const body = this.#body(id);
    if (body === null) return 0;
    return body.payload === null ? body.stage.length : body.size.length;
  }

  /** A complete one; `size` null: whichever came under this id. */
  find(id: BodyId, size: BodySize | null): LargePayload | null {
    if (this.#count === 0) return null;
    const body = this.#body(id);
    if (body === null || body.payload === null) return null;
    body.touchedMs = this.#clock.elapsedMs();
    const isSame = size === null ||
      (body.size.length === size.length && body.size.checksum === size.checksum);
    return isSame ? body.payload : null;
  }

  /** A set refers to it now, or nobody will. */
  drop(id: BodyId): void {
    const body = this.#body(id);
    if (body === null) return;
    body.stage.drop();
    this.#bodies.get(id.engine)?.delete(keyOf(id));
    this.#count--;
  }

  stop(): void {
    this.#sweep?.cancel();
    this.#sweep = null;
    for (const bodies of this.#bodies.values()) for (const { stage } of bodies.values()) stage.drop();
    this.#bodies.clear();
    this.#count = 0;
  }

  #body(id: BodyId): Body | null {
    return this.#bodies.get(id.engine)?.get(keyOf(id)) ?? null;
  }

  #begin(id: BodyId, size: BodySize): Body | null {
    if (this.#count >= STAGED_MAX) return null;
    let bodies = this.#bodies.get(id.engine);
    if (bodies === undefined) {
      bodies = new Map();
      this.#bodies.set(id.engine, bodies);
    }
    const { length, checksum } = size;
    const stage = id.engine.stage(id.name);
    const body = { stage, size: { length, checksum }, payload: null, touchedMs: 0 };
    bodies.set(keyOf(id), body);
    this.#count++;
    this.#sweepLater();
    return body;
  }

  #complete(id: BodyId, body: Body): Taken {
    const finished = body.stage.finish();
    if (finished.status !== "staged") return this.#refused(id, finished);
    if (finished.payload.checksum !== body.size.checksum) {
      this.drop(id);
      return { status: STATUS_MALFORMED, next: 0 };
    }
    body.payload = finished.payload;
    return { status: STATUS_DONE, next: body.size.length };
  }

  #refused(id: BodyId, outcome: WriteOutcome): Taken {
    this.drop(id);
    return { status: outcome.status === "full" ? STATUS_FULL : STATUS_FAILED, next: 0 };
  }

  #sweepLater(): void {
    this.#sweep ??= this.#clock.after(SWEEP_MS, () => {
      this.#sweep = null;
      this.#giveUpOld();
      if (this.#count > 0) this.#sweepLater();
    });
  }

  #giveUpOld(): void {
    const oldestMs = this.#clock.elapsedMs() - STAGED_MS_MAX;
    for (const bodies of this.#bodies.values()) {
      for (const [key, { stage, touchedMs }] of bodies) {
        if (touchedMs > oldestMs) continue;
        stage.drop();
        bodies.delete(key);
        this.#count--;
      }
    }
  }
}

function keyOf({ name, about }: BodyId): string {
  return toHex(about, 0, about.length) + latin1.decode(name.bytes);
}
