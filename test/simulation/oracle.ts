/**
 * The judge of a simulated run: what a read may show while faults last, and what must be there when
 * all is healed. It knows only what the clients did and were told (history.ts), never the code's
 * own reasons, after riak's ec_eqc (must set, may set) and RocksDB's ExpectedState.
 *
 *   acknowledged   must survive, unless a write that may have seen it replaced it and is itself
 *                  there (or was replaced in turn), or the fault atlas allows its loss (losses.ts)
 *   unknown        may be there or not
 *   refused        must never be seen, neither before nor after
 *   overwritten    what an acknowledged write certainly saw must not be there when all is healed:
 *                  not as a false sibling, and after a delete not as an object that came back
 *   read           shows only whole values that somebody wrote to this key, none twice, none beside
 *                  one that overwrote it; and if its primaries and those that acknowledged a write
 *                  before it are more than all primaries, it shows that write or what replaced it
 *   forgotten      a delete that a round has forgotten (wasReaped) counts as held
 *   lww            one version; never none after an acknowledged write; any write may have won but
 *                  one that an acknowledged write saw
 *
 * A write that was sent again while no node that knew of it could be asked (witnesses.ts) may have two
 * versions, one of them overwritten and the other not (a late twin): counted instead of accused. The
 * same while a retry is under way, since who knew of the write until its end is not known before.
 *
 * A context covers for certain what its client was itself shown; and what that had overwritten,
 * once the states that say so have met. So a pair at once is accused only of the former.
 *
 * Truncated clocks may make false siblings (SPEC section 1): where a node counted a truncation, an
 * overwritten value beside others is counted instead of accused; a deleted one that its delete had
 * seen is accused always.
 */

import { valueBytes } from "../../server/coordination/value.ts";
import { equalBytes } from "../../core/object-name.ts";
import type { Sibling } from "../../server/coordination/store.ts";
import { type History, mayCover, mayHaveTwin, type Policy, type Write } from "./history.ts";
import type { Losses } from "./losses.ts";

export type Verdict =
  | "lost"
  | "returned"
  | "refused but seen"
  | "foreign value"
  | "shown twice"
  | "shown with its successor"
  | "quorum missed"
  | "too few replicas"
  | "refused in error"
  | "answered twice"
  | "never answered"
  | "lww"
  | "missing in listing"
  | "listed twice"
  | "listed in error"
  | "not converged"
  | "layouts"
  | "overload"
  | "stamped ahead"
  | "crashed";

export interface Violation {
  readonly verdict: Verdict;
  readonly key: string;
  readonly detail: string;
}

/** A read as its client saw it; siblings empty for "not found". */
export interface ReadSeen {
  readonly key: string;
  readonly policy: Policy;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly primaries: number;
  readonly siblings: readonly Sibling[];
}

/** A version that the healed replicas hold live: a value or a tombstone. */
export interface HeldVersion {
  readonly requestId: string;
  readonly isTombstone: boolean;
}

export interface OracleOptions {
  readonly history: History;
  readonly losses: Losses;
  /** Primaries of an object: min(N, members). */
  readonly owners: number;
  /** Whether a restart may tell less of superseded writes than is promised (Shape.compactionColdMs). */
  readonly restartsForget: boolean;
  /** Whether any node has truncated a clock so far. */
  readonly truncated: () => boolean;
  /** Told of each accusation as it is made. */
  readonly accused: (violation: Violation) => void;
}

/** Maps the body of a value to the id of the write that it claims to be; 0: none. */
export type IdOfBody = (body: Uint8Array) => number;

export class Oracle {
  readonly violations: Violation[] = [];
  /** Overwritten values that truncation, or a lost state between, excuses. */
  falseSiblings = 0;
  /** Overwritten values that came back by a retry that nobody could tell of. */
  lateTwins = 0;
  readonly #history: History;
  readonly #losses: Losses;
  readonly #owners: number;
  readonly #restartsForget: boolean;
  readonly #truncated: () => boolean;
  readonly #accused: (violation: Violation) => void;
  readonly #idOfBody: IdOfBody;

  constructor(options: OracleOptions, idOfBody: IdOfBody) {
    this.#history = options.history;
    this.#losses = options.losses;
    this.#owners = options.owners;
    this.#restartsForget = options.restartsForget;
    this.#truncated = options.truncated;
    this.#accused = options.accused;
    this.#idOfBody = idOfBody;
  }

  accuse(verdict: Verdict, key: string, detail: string): void {
    const violation = { verdict, key, detail };
    this.violations.push(violation);
    this.#accused(violation);
  }

  /** A write has ended for its client; a refused one must not have been seen. */
  writeEnded(write: Write): void {
    if (write.outcome === "refused" && write.wasShown) {
      this.accuse("refused but seen", write.key, `#${write.id} was shown before it was refused`);
    }
  }

  /** Checks a read while faults may last, and returns the writes that it showed. */
  readEnded(read: ReadSeen): Write[] {
    const shown: Write[] = [];
    for (const sibling of read.siblings) {
      const write = this.#writeOf(read.key, sibling);
      if (write === null) continue;
      if (shown.includes(write)) this.accuse("shown twice", read.key, `#${write.id}`);
      else shown.push(write);
    }
    this.#checkPairs(read.key, shown);
    if (read.policy === "lww" && shown.length > 1) {
      this.accuse("lww", read.key, `${shown.length} versions shown: ${listOf(shown)}`);
    }
    this.#checkQuorum(read, shown);
    return shown;
  }

  /** Checks what the healed replicas agree to hold for a key. */
  checkHealed(key: string, held: readonly HeldVersion[]): void {
    const live: Write[] = [];
    for (const version of held) {
      const write = this.#history.byRequest(version.requestId);
      if (write === null || write.key !== key || write.isDelete !== version.isTombstone) {
        this.accuse("foreign value", key, `a live version of request ${version.requestId}`);
      } else if (write.outcome === "refused") {
        this.accuse("refused but seen", key, `#${write.id} was refused and is held`);
      } else live.push(write);
    }
    const writes = this.#history.ofKey(key);
    if (writes.length > 0 && writes[0].policy === "lww") this.#checkWinner(key, writes, live);
    else this.#checkSurvival(key, writes, live);
    this.#checkReturned(key, writes, live);
  }

  /** The write whose value this is, or null (and an accusation) where it cannot be. */
  #writeOf(key: string, sibling: Sibling): Write | null {
    const body = valueBytes(sibling.body);
    const write = this.#history.byId(this.#idOfBody(body));
    if (write === null || write.key !== key || !equalBytes(write.body, body)) {
      const start = new TextDecoder().decode(body.subarray(0, 40));
      this.accuse("foreign value", key, `${body.length} bytes that start with "${start}"`);
      return null;
    }
    if (write.outcome === "refused" && !write.wasShown) {
      this.accuse("refused but seen", key, `#${write.id} was refused and is shown`);
    }
    write.wasShown = true;
    return write;
  }

  /** No version beside one that overwrote it. */
  #checkPairs(key: string, shown: readonly Write[]): void {
    for (const later of shown) {
      for (const earlier of shown) {
        if (!later.knowledge.shown.has(earlier.id)) continue;
        if (mayHaveTwin(earlier)) this.lateTwins++;
        else if (this.#truncated()) this.falseSiblings++;
        else this.accuse("shown with its successor", key, `#${earlier.id} beside #${later.id}`);
      }
    }
  }

  /** Two sets of primaries that are together more than all have one in common. */
  #checkQuorum(read: ReadSeen, shown: readonly Write[]): void {
    const writes = this.#history.ofKey(read.key);
    for (const write of writes) {
      if (write.outcome !== "done" || write.endedMs >= read.beganMs) continue;
      if (write.primaries + read.primaries <= this.#owners) continue;
      if (write.isDelete || isIn(write, shown) || this.#losses.anySince(write.beganMs)) continue;
      const isLastWrite = read.policy === "lww";
      if (isLastWrite && this.#mayHaveWon(write, shown)) continue;
      if (!isLastWrite && this.#isAccounted(write, shown, writes, new Set())) continue;
      const counts = `${write.primaries} + ${read.primaries} of ${this.#owners} primaries`;
      this.accuse("quorum missed", read.key, `#${write.id}: ${counts}; shown: ${listOf(shown)}`);
    }
  }

  /** Whether any of these but what the write itself overwrote is shown in its place. */
  #mayHaveWon(write: Write, shown: readonly Write[]): boolean {
    const overwritten = shown.filter((other) => write.knowledge.must.has(other.id));
    if (overwritten.length === 0) return true;
    if (!overwritten.some(mayHaveTwin)) return false;
    this.lateTwins++;
    return true;
  }

  #checkSurvival(key: string, writes: readonly Write[], live: readonly Write[]): void {
    for (const write of writes) {
      if (!this.#mustBeHeld(write) || this.#isHealed(write, live, writes, new Set())) continue;
      const what = write.isDelete ? "delete" : "put";
      this.accuse("lost", key, `${what} #${write.id} was acknowledged; held: ${listOf(live)}`);
    }
  }

  #checkWinner(key: string, writes: readonly Write[], live: readonly Write[]): void {
    if (live.length > 1) this.accuse("lww", key, `${live.length} versions held: ${listOf(live)}`);
    // A delete that was forgotten may have won over any of them, also over a later one: by a clock that ran ahead.
    if (live.length > 0 || writes.some(({ wasReaped }) => wasReaped)) return;
    const acknowledged = writes.find((write) => this.#mustBeHeld(write));
    if (acknowledged !== undefined) {
      this.accuse("lost", key, `#${acknowledged.id} was acknowledged and nothing is held`);
    }
  }

  /** Acknowledged, and nothing may have lost it. */
  #mustBeHeld(write: Write): boolean {
    // A delete without a context that found nothing has written nothing.
    const mayBeNothing = write.isDelete && write.isBlind;
    return write.outcome === "done" && !mayBeNothing && !this.#losses.atRisk(write);
  }

  /** What an acknowledged write certainly saw is gone for good. */
  #checkReturned(key: string, writes: readonly Write[], live: readonly Write[]): void {
    for (const later of writes) {
      if (later.outcome !== "done" || this.#losses.atRisk(later)) continue;
      for (const earlier of live) {
        if (!later.knowledge.must.has(earlier.id)) continue;
        if (this.#isForgotten(earlier)) this.lateTwins++;
        else if (this.#isExcused(earlier, later)) this.falseSiblings++;
        else {
          const what = later.isDelete ? "deleted by" : "overwritten by";
          this.accuse("returned", key, `#${earlier.id} was ${what} #${later.id} and is held`);
        }
      }
    }
  }

  /**
   * Whether an overwritten write may be back for good as the version of a retry that nobody could tell
   * of. Such a twin is withdrawn as soon as its state meets who knows that it was superseded, unless that
   * is forgotten with a disk or a power loss, or at a restart where segments are emptied early; where the
   * last write wins, it may have won; and where its coordinators read what it replaces, each attempt may have
   * replaced something else, so none is withdrawn for another (local-copy.ts; C9's seed 1456).
   */
  #isForgotten(earlier: Write): boolean {
    if (!earlier.hadBlindRetry) return false;
    if (earlier.policy === "lww" || earlier.isBlind || this.#losses.anySince(earlier.beganMs)) return true;
    return this.#restartsForget && this.#losses.crashedSince(earlier.beganMs);
  }

  /** Whether an overwritten value may be held beside what overwrote it. */
  #isExcused(earlier: Write, later: Write): boolean {
    if (later.knowledge.shown.has(earlier.id)) return this.#truncated() && !later.isDelete;
    if (this.#truncated()) return true;
    // It was covered by way of another write, whose state may be gone.
    return [...later.knowledge.must].some((id) => {
      const between = this.#history.byId(id);
      return between !== null && between.outcome === "done" && this.#losses.atRisk(between);
    });
  }

  /** Whether a write is held, or what replaced it is, or what replaced that. */
  #isHealed(
    write: Write,
    live: readonly Write[],
    writes: readonly Write[],
    visited: Set<Write>,
  ): boolean {
    if (isIn(write, live) || write.wasReaped) return true;
    visited.add(write);
    return writes.some((later) => {
      if (later.outcome === "refused" || visited.has(later)) return false;
      if (!mayCover(later, write)) return false;
      return this.#isHealed(later, live, writes, visited);
    });
  }

  /** The same for a read, which shows no tombstones: a delete that may have been there excuses. */
  #isAccounted(
    write: Write,
    shown: readonly Write[],
    writes: readonly Write[],
    visited: Set<Write>,
  ): boolean {
    if (write.isDelete || isIn(write, shown)) return true;
    visited.add(write);
    return writes.some((later) => {
      if (later.outcome === "refused" || visited.has(later)) return false;
      if (!mayCover(later, write)) return false;
      return this.#isAccounted(later, shown, writes, visited);
    });
  }
}

/** Whether a write is among these or certainly covered by one of them. */
function isIn(write: Write, shown: readonly Write[]): boolean {
  return shown.some((other) => other === write || other.knowledge.must.has(write.id));
}

function listOf(writes: readonly Write[]): string {
  if (writes.length === 0) return "nothing";
  return writes.map((write) => `#${write.id}${write.isDelete ? " (delete)" : ""}`).join(", ");
}
