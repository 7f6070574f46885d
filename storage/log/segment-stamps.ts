/**
 * The newest stamp in each segment, kept while records are written: what tells, at a start from a
 * snapshot of the index, which segments speak of the recent past (see recent-log).
 *
 *   segment 7: a 12:00:01 │ b 12:00:09 │ note │      segment 8: c 12:00:15
 *   newest:    12:00:15, of the head that follows the note    12:00:15
 */

import { newestMsOf } from "./log-history.ts";
import type { Segment } from "./segment.ts";

export class SegmentStamps {
  /** Has a note that no stamp has followed yet. */
  #noted: Segment | null = null;

  /** A set with this head was written. */
  written(segment: Segment | null, head: Uint8Array): void {
    const newestMs = newestMsOf(head);
    if (segment !== null && newestMs > segment.newestMs) segment.newestMs = newestMs;
    if (this.#noted !== null) this.#endNote(newestMs);
  }

  /** A note was written. It bears no stamp: it is no younger than the next head. */
  noted(segment: Segment | null): void {
    this.#noted = segment;
  }

  #endNote(newestMs: number): void {
    const segment = this.#noted;
    this.#noted = null;
    if (segment !== null) segment.newestMs = Math.max(segment.newestMs, newestMs);
  }
}
