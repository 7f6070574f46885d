/**
 * The judge of listings: what a listing that ended has to have, and must not have.
 *
 *   missing        a put was acknowledged before the listing began by more primaries than all less those
 *                  that each page asked, and nothing can have deleted it since: its key must be there
 *   twice          a key is in one page, once
 *   in error       a key is there only if some put may be live: one that was not refused, and that no
 *                  write which the listing must have met had seen and overwritten
 *
 * Whatever goes on meanwhile: writes, crashes, partitions, other layouts.
 */

import { type History, mayCover, mayHaveTwin, type Write } from "./history.ts";
import type { Losses } from "./losses.ts";
import type { Verdict } from "./oracle.ts";

/** A listing as its client saw it. */
export interface ListingSeen {
  /** The bucket and its slash. */
  readonly bucket: string;
  readonly beganMs: number;
  /** Names, as they were listed. */
  readonly names: readonly string[];
  /** Owners that answered for every part of it, at least. */
  readonly primaries: number;
}

export interface ListingContext {
  readonly history: History;
  readonly losses: Losses;
  readonly owners: number;
  accuse(verdict: Verdict, key: string, detail: string): void;
}

/** Judges a listing that was followed to its end. */
export function judgeListing(seen: ListingSeen, context: ListingContext): void {
  const listed = new Set<string>();
  for (const name of seen.names) {
    if (listed.has(name)) context.accuse("listed twice", name, listText(seen));
    listed.add(name);
    if (!mayBeListed(name, seen, context)) context.accuse("listed in error", name, listText(seen));
  }
  for (const name of context.history.keys()) {
    if (!name.startsWith(seen.bucket) || listed.has(name)) continue;
    const write = context.history.ofKey(name).find((one) => mustBeListed(one, seen, context));
    if (write === undefined) continue;
    context.accuse("missing in listing", name, `#${write.id} is there; ${listText(seen)}`);
  }
}

/** Whether a listing's owners and those that acknowledged a write before it have one in common. */
function isMet(write: Write, seen: ListingSeen, { losses, owners }: ListingContext): boolean {
  if (write.outcome !== "done" || write.endedMs >= seen.beganMs) return false;
  return write.primaries + seen.primaries > owners && !losses.anySince(write.beganMs);
}

function mustBeListed(write: Write, seen: ListingSeen, context: ListingContext): boolean {
  if (write.isDelete || !isMet(write, seen, context)) return false;
  const writes = context.history.ofKey(write.key);
  if (write.policy === "lww") {
    return !writes.some((other) => {
      return other.isDelete && other.outcome !== "refused" && !write.knowledge.must.has(other.id);
    });
  }
  return !mayBeDeleted(write, writes, new Set());
}

/** Whether some delete may have covered the write, or what covered it. */
function mayBeDeleted(write: Write, writes: readonly Write[], visited: Set<Write>): boolean {
  if (write.isDelete) return true;
  visited.add(write);
  return writes.some((later) => {
    if (later.outcome === "refused" || visited.has(later)) return false;
    const mayEnd = mayCover(later, write) || (later.isBlind && later.isDelete);
    return mayEnd && mayBeDeleted(later, writes, visited);
  });
}

function mayBeListed(name: string, seen: ListingSeen, context: ListingContext): boolean {
  const writes = context.history.ofKey(name);
  return writes.some((write) => {
    if (write.isDelete || (write.outcome === "refused" && !write.wasShown)) return false;
    if (mayHaveTwin(write)) return true;
    return !writes.some((later) => {
      return later.knowledge.must.has(write.id) && isMet(later, seen, context);
    });
  });
}

function listText({ beganMs, names, primaries }: ListingSeen): string {
  return `listing of ${names.length} names from ${beganMs.toFixed(0)} ms on, ${primaries} primaries`;
}
