/**
 * A set as it travels. What is small goes along; a large payload never does: it stands as "not here", and
 * goes a slice at a time (body-push.ts, body-pull.ts), before the set or after it.
 */

import { setLength, type WireSet } from "../../core/replica-frames.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { isLarge, smallBytes } from "../../storage/large-payload.ts";

export function onWire(set: VersionSet): WireSet {
  const { head, payloads } = set;
  for (let index = 0; index < payloads.length; index++) {
    if (isLarge(payloads[index])) return { head, payloads: payloads.map(smallBytes) };
  }
  // Safe: none of its payloads is large.
  return set as WireSet;
}

/** The set with as many bodies as fit in so many bytes, at least the first; the others are asked for one by one. */
export function fitting(whole: VersionSet, bytesMax: number): WireSet {
  const set = onWire(whole);
  let length = setLength(set);
  if (length <= bytesMax) return set;
  const payloads = [...set.payloads];
  for (let index = payloads.length - 1; index > 0; index--) {
    if (length <= bytesMax) break;
    length -= payloads[index]?.length ?? 0;
    payloads[index] = null;
  }
  return { head: set.head, payloads };
}
