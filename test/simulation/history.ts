/**
 * What the clients did, as the oracle remembers it: every write with what its context covered and
 * how it ended, every value so that a read can be traced back to the write that made it.
 *
 * A context is opaque; what the oracle knows of it is what its client was shown:
 *
 *   must   writes that it certainly covers: those that were shown, what those covered, and so on
 *   may    besides: tombstones, which a read never shows but whose dots its clock may hold, and in
 *          a last-write-wins bucket everything that lost. Known only by a time: what began before
 *          it.
 *
 * The oracle accuses only where `must` leaves no excuse and excuses wherever `may` gives one.
 */

import type { Outcome } from "../../server/coordination/store.ts";

export type Policy = "siblings" | "lww";

/** What a context covers, as far as its client can know. */
export interface Knowledge {
  /** Ids of writes; closed: what a member covers is in it too. */
  readonly must: ReadonlySet<number>;
  /** Those of `must` that were themselves shown, not only covered by something shown. */
  readonly shown: ReadonlySet<number>;
  /** Deletes that began up to this simulated time may be covered. */
  readonly tombstonesUntilMs: number;
  /** Any write that began up to this simulated time may be covered. */
  readonly anythingUntilMs: number;
}

const none: ReadonlySet<number> = new Set();
/** No context at all. */
export const nothingKnown: Knowledge = {
  must: none,
  shown: none,
  tombstonesUntilMs: -1,
  anythingUntilMs: -1,
};

/** One write as its client meant it; retries through other nodes are the same write. */
export interface Write {
  /** From 1; unique in the run. */
  readonly id: number;
  readonly key: string;
  readonly policy: Policy;
  readonly isDelete: boolean;
  /** What it replaces, if anything, is known to its coordinator alone. */
  readonly isBlind: boolean;
  readonly body: Uint8Array;
  /** 32 hexadecimal digits. */
  readonly requestId: string;
  knowledge: Knowledge;
  readonly beganMs: number;
  /** How often it was sent. */
  attempts: number;
  /** Some attempt but the first was made while nobody could tell of the others (witnesses.ts). */
  hadBlindRetry: boolean;
  /** An attempt but the first is under way: whether it is a blind one is known at its end. */
  isRetried: boolean;
  /** "pending" while its client waits or retries. */
  outcome: Outcome | "pending";
  endedMs: number;
  /** Replicas that had it when it was acknowledged, at least; and the primaries that took part. */
  copies: number;
  primaries: number;
  /** Replicas that had it durably when it was acknowledged. */
  durable: number;
  /** Some read has shown it. */
  wasShown: boolean;
  /** It was a delete, and all owners had it, when a node forgot it. */
  wasReaped: boolean;
}

/** What is known of a write before it is sent. */
export interface WritePlan {
  readonly key: string;
  readonly policy: Policy;
  readonly isDelete: boolean;
  readonly isBlind: boolean;
  readonly requestId: string;
  readonly knowledge: Knowledge;
  readonly beganMs: number;
}

/** Whether a second version of a write may be about that nobody can be blamed for. */
export function mayHaveTwin({ hadBlindRetry, isRetried }: Write): boolean {
  return hadBlindRetry || isRetried;
}

export class History {
  readonly #writes: Write[] = [];
  readonly #byKey = new Map<string, Write[]>();
  readonly #byRequest = new Map<string, Write>();

  /** Enters a write; `bodyOf` makes its value, which must be unique, from the id that it gets. */
  begin(plan: WritePlan, bodyOf: (id: number) => Uint8Array): Write {
    const id = this.#writes.length + 1;
    const write: Write = {
      id,
      ...plan,
      body: plan.isDelete ? new Uint8Array(0) : bodyOf(id),
      attempts: 0,
      hadBlindRetry: false,
      isRetried: false,
      outcome: "pending",
      endedMs: Infinity,
      copies: 0,
      primaries: 0,
      durable: 0,
      wasShown: false,
      wasReaped: false,
    };
    this.#writes.push(write);
    this.#byRequest.set(write.requestId, write);
    const siblings = this.#byKey.get(write.key);
    if (siblings === undefined) this.#byKey.set(write.key, [write]);
    else siblings.push(write);
    return write;
  }

  /** A node has forgotten the version of a request. */
  reaped(requestId: string): void {
    const write = this.byRequest(requestId);
    if (write !== null) write.wasReaped = true;
  }

  byId(id: number): Write | null {
    return this.#writes[id - 1] ?? null;
  }

  byRequest(requestId: string): Write | null {
    return this.#byRequest.get(requestId) ?? null;
  }

  /** All writes of a key, in the order in which they began. */
  ofKey(key: string): readonly Write[] {
    return this.#byKey.get(key) ?? [];
  }

  /** Every key that was written, in the order of first writes. */
  keys(): string[] {
    return [...this.#byKey.keys()];
  }

  get writes(): readonly Write[] {
    return this.#writes;
  }
}

/** What the context of a read covers that showed these writes and ended at `endedMs`. */
export function knowledgeOfRead(
  shown: readonly Write[],
  policy: Policy,
  endedMs: number,
): Knowledge {
  const must = new Set<number>();
  for (const write of shown) {
    must.add(write.id);
    for (const id of write.knowledge.must) must.add(id);
  }
  return {
    must,
    shown: new Set(shown.map((write) => write.id)),
    tombstonesUntilMs: endedMs,
    anythingUntilMs: policy === "lww" ? endedMs : -1,
  };
}

/** What the context of an acknowledged put covers: what the given one did, and the put itself. */
export function knowledgeOfPut(write: Write): Knowledge {
  const { must, tombstonesUntilMs, anythingUntilMs } = write.knowledge;
  return {
    must: new Set([...must, write.id]),
    // Dots that the put overwrote are left to its own state to cover, and not carried along.
    shown: new Set([write.id]),
    tombstonesUntilMs,
    anythingUntilMs,
  };
}

/**
 * How long an attempt may go on behind its client's back: a node that stands still, a link that
 * does, the store's own timeouts on both sides of forwarding.
 */
const STRAGGLER_MS = 40_000;

/**
 * Until when any attempt at an ended write may still have an effect that its client does not know
 * of.
 */
export function reachMs(write: Write): number {
  const isOver = write.attempts === 1 && write.outcome !== "unknown";
  return isOver ? write.endedMs : write.endedMs + STRAGGLER_MS;
}

/** Whether `later` may have replaced `earlier`: its context may cover it. */
export function mayCover(later: Write, earlier: Write): boolean {
  if (later === earlier) return false;
  const known = later.knowledge;
  if (known.must.has(earlier.id)) return true;
  if (earlier.beganMs <= known.anythingUntilMs) return true;
  return earlier.isDelete && earlier.beganMs <= known.tombstonesUntilMs;
}
