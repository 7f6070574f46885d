/**
 * Which content coding an answer gets (RFC 9110, 12.5.3).
 *
 *   gzip, br                  what the client likes best, of equals what costs the node least
 *   *                         gzip, which everybody knows
 *   gzip;q=0, identity;q=1    not that one; and none at all where identity is liked better
 */

import { COMPRESSIBLE_CONTENT_TYPE_REGEX } from "hono/utils/compress";
import { type Coding, CODINGS } from "../ports/compression.ts";
import { readQualities } from "./quality.ts";

/** What hono's list leaves out and is a store's daily bread. */
const MORE_COMPRESSIBLE = /^\s*application\/(cbor|yaml|x-yaml|ndjson|x-ndjson|jsonl)\s*(;|$)/i;

/** Whether content of this type becomes smaller; what is compressed in itself does not. */
export function isCompressible(contentType: string): boolean {
  return COMPRESSIBLE_CONTENT_TYPE_REGEX.test(contentType) || MORE_COMPRESSIBLE.test(contentType);
}

/** The coding for a client with this Accept-Encoding; null: as it is. */
export function chooseCoding(header: string, available: readonly Coding[] = CODINGS): Coding | null {
  const qualities = new Map(readQualities(header));
  let best: Coding | null = null;
  let bestQuality = 0;
  for (const coding of available) {
    const quality = qualityOf(qualities, coding);
    if (quality <= bestQuality) continue;
    best = coding;
    bestQuality = quality;
  }
  return bestQuality >= (qualities.get("identity") ?? 0) ? best : null;
}

/** The codings that a client takes, by its Accept-Encoding. */
export function acceptedCodings(header: string | null): readonly Coding[] {
  if (header === null) return [];
  const qualities = new Map(readQualities(header));
  return CODINGS.filter((coding) => qualityOf(qualities, coding) > 0);
}

function qualityOf(qualities: ReadonlyMap<string, number>, coding: Coding): number {
  if (coding !== "gzip") return qualities.get(coding) ?? 0;
  return qualities.get("gzip") ?? qualities.get("x-gzip") ?? qualities.get("*") ?? 0;
}
