/**
 * Which segment is worth emptying, if any.
 *
 *   ██ live   ▓▓ removes that older segments may need   ░░ dead
 *   1 ███████░░   2 ██░░░░░░░ ◀ most dead bytes   3 ▓▓▓▓▓▓▓░░   4 █████ (written to)
 *
 * The most dead bytes, where they are a good part of the file: what has to be moved is then less
 * than what comes back, and the store takes at most 1 / (1 − ratio) times its live bytes. Where writes
 * are refused for want of room, or will be soon, a much smaller part is worth it.
 *
 * A remove record counts as live, or a file full of them would be moved for ever, except in the
 * oldest segment, where nothing older is left that could come back. So removes alone never make a
 * file worth emptying; where they have become a quarter of the log, the oldest segment is emptied
 * whatever it holds, and the next oldest after it, until those that hold removes are the oldest.
 */

import { HEADER_BYTES } from "./record.ts";
import type { Segment } from "./segment.ts";

/** Of the ratio: from there on removes are worth the moving of what is older than they are. */
const REMOVES_PART = 0.5;

export interface ChoiceRules {
  /** Dead bytes over all bytes of a segment, from which on it is emptied; above 0, below 1. */
  readonly deadRatioMin: number;
  /** The same while room is short; not more. */
  readonly deadRatioShort: number;
  /** Fewer dead bytes are not worth a pass. */
  readonly deadBytesMin: number;
}

/** What may be written. */
export interface Room {
  /** Bytes, before anything comes back. */
  readonly bytes: number;
  /** Whether writes are refused for want of room, or will be soon. */
  readonly isShort: boolean;
}

/** Bytes that emptying a segment has to write again. */
export function bytesToMove(segment: Segment, isOldest: boolean): number {
  return segment.live + (isOldest ? 0 : segment.removeBytes);
}

/**
 * The segment to empty next, or null.
 *
 * @param segments in order; the last one is written to and never chosen
 * @param isReady whether a segment may be chosen now
 */
export function chooseSegment(
  segments: readonly Segment[],
  rules: ChoiceRules,
  room: Room,
  isReady: (segment: Segment) => boolean,
): Segment | null {
  const ratioMin = room.isShort ? rules.deadRatioShort : rules.deadRatioMin;
  let best: Segment | null = null;
  let bestBytes = Math.max(0, rules.deadBytesMin - 1);
  for (let index = 0; index + 1 < segments.length; index++) {
    const segment = segments[index];
    const move = bytesToMove(segment, index === 0);
    const dead = segment.end - HEADER_BYTES - move;
    if (dead <= bestBytes || dead < ratioMin * segment.end) continue;
    if (move > room.bytes || !isReady(segment)) continue;
    best = segment;
    bestBytes = dead;
  }
  return best ?? chooseOldest(segments, rules, ratioMin, room.bytes, isReady);
}

function chooseOldest(
  segments: readonly Segment[],
  rules: ChoiceRules,
  ratioMin: number,
  roomBytes: number,
  isReady: (segment: Segment) => boolean,
): Segment | null {
  if (segments.length < 2) return null;
  let total = 0;
  let removes = 0;
  for (let index = 0; index < segments.length; index++) {
    total += segments[index].end;
    if (index > 0) removes += segments[index].removeBytes;
  }
  if (removes < rules.deadBytesMin) return null;
  if (removes < Math.min(rules.deadRatioMin * REMOVES_PART, ratioMin) * total) return null;
  const oldest = segments[0];
  return bytesToMove(oldest, true) <= roomBytes && isReady(oldest) ? oldest : null;
}
