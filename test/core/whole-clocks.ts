/** The functions of core/vector-clock over whole arrays, as tests want to call them. */

import { ENTRY_BYTES } from "../../core/clock-entry.ts";
import { clockDescends, clockMergeInto } from "../../core/vector-clock.ts";

export function countOf(clock: Uint8Array): number {
  return clock.length / ENTRY_BYTES;
}

export function merged(left: Uint8Array, right: Uint8Array): Uint8Array {
  const target = new Uint8Array(left.length + right.length);
  const count = clockMergeInto(left, 0, countOf(left), right, 0, countOf(right), target, 0);
  return target.slice(0, count * ENTRY_BYTES);
}

export function descends(left: Uint8Array, right: Uint8Array): boolean {
  return clockDescends(left, 0, countOf(left), right, 0, countOf(right));
}
