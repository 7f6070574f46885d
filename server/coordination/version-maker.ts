/**
 * A coordinator's new version, ready to be put on top of whatever is held when its turn comes: the dot,
 * the stamp above all that it saw, and the checks that only the held set allows.
 *
 * A request id that is here already, live or superseded, makes no second version: the write happened,
 * and what is held is what is sent on.
 */

import { crc32c } from "../../core/crc32c.ts";
import type { HybridClock } from "../../core/hybrid-clock.ts";
import { SIBLINGS_MAX } from "../../core/limits.ts";
import type { ObjectName } from "../../core/object-name.ts";
import { clockNewestStamp } from "../../core/vector-clock.ts";
import { writeIndex } from "../../core/version-rules.ts";
import {
  POLICY_LWW,
  POLICY_SIBLINGS,
  VERSION_BYTES,
  newestStamp,
  versionCount,
  versionOffset,
  writeVersion,
} from "../../core/version-set.ts";
import { isLarge, type Payload } from "../../storage/large-payload.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventMaker, NewVersion } from "../replication/event.ts";
import type { SupersededRequests } from "../replication/superseded.ts";
import type { AskedWrite } from "./asked-write.ts";
import type { ContextClock } from "./context-clock.ts";

/** Where dots come from: an actor of this store and its counter (storage/actor). */
export interface Dots {
  readonly actor: Uint8Array;
  /** A counter that was never given out before, reserved on disk. @throws DiskError */
  nextCounter(): number;
  /** Makes sure that a stamp of this time may be issued. @throws DiskError */
  coverStamp(ms: number): void;
}

export interface MakerParts {
  readonly clock: Clock;
  readonly hybridClock: HybridClock;
  readonly dots: Dots;
  readonly superseded: SupersededRequests;
  readonly clockEntriesMax: number;
}

export interface VersionPlan {
  readonly context: ContextClock;
  readonly requestId: Uint8Array;
  readonly isTombstone: boolean;
  readonly isLastWriteWins: boolean;
  /** The context is not the client's: it was read for this attempt. */
  readonly isContextRead: boolean;
  readonly payload: Payload;
  readonly metaLength: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expiryMs: number;
  /** Has observed the stamps that others hold: the version's is above them. */
  readonly seen: HybridClock;
  /**
   * Of a last write that comes late: when its request was drawn; null: it is stamped by the present. A
   * retry whose first attempt nobody reachable knows of must not win over what was written elsewhere
   * in between, so its stamp is this or just above what was seen.
   */
  readonly lateMs: number | null;
  readonly dotAsPair: boolean;
}

export class VersionMaker implements EventMaker {
  readonly context: Uint8Array;
  readonly contextCount: number;
  readonly dotAsPair: boolean;
  readonly clockEntriesMax: number;
  /** The entry that was made, or that of the twin that is here; all zero where it was superseded. */
  entry: Uint8Array = new Uint8Array(VERSION_BYTES);
  /** The write had happened already, and what it wrote was superseded since. */
  isSuperseded = false;
  readonly #parts: MakerParts;
  readonly #plan: VersionPlan;
  readonly #checksum: number;

  constructor(parts: MakerParts, plan: VersionPlan) {
    this.#parts = parts;
    this.#plan = plan;
    this.context = plan.context.entries;
    this.contextCount = plan.context.count;
    this.dotAsPair = plan.dotAsPair;
    this.clockEntriesMax = parts.clockEntriesMax;
    const { payload } = plan;
    this.#checksum = isLarge(payload) ? payload.checksum : crc32c(payload, 0, payload.length, 0);
  }

  /** What tells this write from others. */
  get write(): AskedWrite {
    return { requestId: this.#plan.requestId, checksum: this.#checksum };
  }

  /** Whether the write's version is live in a head; `entry` is that one then. */
  isMadeIn(head: Uint8Array): boolean {
    const twin = writeIndex(head, 0, this.#plan.requestId, 0, this.#checksum);
    if (twin < 0) return false;
    const offset = versionOffset(0, twin);
    this.entry = head.slice(offset, offset + VERSION_BYTES);
    return true;
  }

  make(name: ObjectName, head: Uint8Array): NewVersion | null {
    const { requestId, payload } = this.#plan;
    if (this.isMadeIn(head)) return null;
    const { superseded, clock } = this.#parts;
    const position0 = name.position0;
    if (superseded.has(requestId, 0, this.#checksum, position0, clock.elapsedMs())) {
      this.isSuperseded = true;
      return null;
    }
    this.#writeEntry(head);
    return { entry: this.entry, payload };
  }

  check(head: Uint8Array): string {
    const count = versionCount(head, 0);
    if (count <= SIBLINGS_MAX) return "";
    return (
      `The object has ${count - 1} siblings already and the limit is ${SIBLINGS_MAX}: ` +
      "read it, and write once with the context that the read gives"
    );
  }

  /**
   * A stamp above all that is held, or was seen. One that lies further ahead than the store's clock may follow
   * stays with this name: a later stamp is made for it alone.
   */
  #drawStamp(head: Uint8Array): HybridClock {
    const { hybridClock, clock, dots } = this.#parts;
    const { seen, lateMs, context } = this.#plan;
    const { entries, count } = context;
    seen.observeAt(head, newestStamp(head, 0));
    seen.observeAt(entries, count === 0 ? -1 : clockNewestStamp(entries, 0, count));
    const nowMs = clock.nowMs();
    if (lateMs !== null || !hybridClock.mayFollow(seen.ms, nowMs)) {
      seen.next(lateMs ?? nowMs);
      return seen;
    }
    hybridClock.observe(seen.ms, seen.logical);
    hybridClock.next(nowMs);
    dots.coverStamp(hybridClock.ms);
    return hybridClock;
  }

  #writeEntry(head: Uint8Array): void {
    const { dots } = this.#parts;
    const plan = this.#plan;
    const stamp = this.#drawStamp(head);
    writeVersion(this.entry, 0, {
      actor: dots.actor,
      counter: dots.nextCounter(),
      policy: plan.isLastWriteWins ? POLICY_LWW : POLICY_SIBLINGS,
      tombstone: plan.isTombstone,
      contextRead: plan.isContextRead,
      stampMs: stamp.ms,
      stampLogical: stamp.logical,
      expiryMs: plan.expiryMs,
      requestId: plan.requestId,
      metaLength: plan.metaLength,
      bodyLength: plan.payload.length - plan.metaLength,
      checksum: this.#checksum,
    });
  }
}
