/**
 * What several replicas' runs of a bucket say together, name by name.
 *
 *   A   k1 d7 ──  k2 d3 ever  k4 d9 ever        k1   one digest, a value ─────────► shown
 *   B   k1 d7 ──  k2 d5 ──    k3 d1 ever        k2   two digests, some value ─────► unsure: merge the heads
 *                                               k3   held by one: its own state ──► shown
 *
 * Equal digests are equal sets. Sets without any value merge to one without any. Only where sets differ
 * and one of them shows a value do their heads have to be seen.
 */

import { compareBytes } from "../../core/bytes.ts";
import type { BucketRun, RunEntry } from "../../core/bucket-run.ts";
import { comparePlaces, type RingPlace } from "../../core/ring-place.ts";
import type { Member } from "../membership/member.ts";

export interface MemberRun {
  readonly member: Member;
  readonly run: BucketRun;
}

/** One name, with what each replica holds of it. */
export interface ListedName {
  readonly place: RingPlace;
  readonly key: Uint8Array;
  readonly held: { readonly member: Member; readonly entry: RunEntry }[];
}

export type Verdict = "shown" | "hidden" | "unsure";

/**
 * All names up to `covered`, in the order of places.
 * @param counts whether a member is asked for the partition of a place
 */
export function mergeRuns(
  runs: readonly MemberRun[],
  covered: RingPlace,
  counts: (member: Member, position0: number) => boolean,
): ListedName[] {
  const all: { readonly member: Member; readonly entry: RunEntry }[] = [];
  for (const { member, run } of runs) {
    for (const entry of run.entries) {
      if (comparePlaces(entry.place, covered) > 0) break;
      if (counts(member, entry.place.position0)) all.push({ member, entry });
    }
  }
  all.sort((left, right) => compareEntries(left.entry, right.entry));
  const names: ListedName[] = [];
  for (const one of all) {
    const last = names[names.length - 1];
    if (last !== undefined && compareEntries(last.held[0].entry, one.entry) === 0) last.held.push(one);
    else names.push({ place: one.entry.place, key: one.entry.key, held: [one] });
  }
  return names;
}

function compareEntries(left: RunEntry, right: RunEntry): number {
  const order = comparePlaces(left.place, right.place);
  if (order !== 0) return order;
  const shorter = Math.min(left.key.length, right.key.length);
  return compareBytes(left.key, 0, right.key, 0, shorter) || left.key.length - right.key.length;
}

export function verdictOf({ held }: ListedName, nowMs: number): Verdict {
  const shows = held.some(({ entry }) => entry.untilMs > nowMs);
  if (!shows) return "hidden";
  const [{ entry: first }] = held;
  const isOne = held.every(({ entry }) => {
    return entry.digest0 === first.digest0 && entry.digest1 === first.digest1;
  });
  return isOne ? "shown" : "unsure";
}
