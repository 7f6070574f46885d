/**
 * Up to where a log was synced, for all that its records tell.
 *
 *   ├ record ┼ record ┼ record ┤ ▒▒▒ ┼ record ┤ zeros
 *        whole once ────────────▲── may never have been whole
 *                               └ the greatest position that any record names as durable
 *
 * Each record carries the durable position of the moment at which it was written. The last segment
 * with records holds the greatest one. What does not read before it is damage; after it, a tail that
 * the machine lost before a sync.
 */

import type { SegmentScan } from "./segment-scan.ts";

export class DurableBoundary {
  /** The first place that is not durable. 0, 0: nothing is known to be. */
  segment: number;
  offset: number;

  constructor() {
    this.segment = 0;
    this.offset = 0;
  }

  /** Nothing is known. */
  clear(): void {
    this.segment = 0;
    this.offset = 0;
  }

  /** Whether the byte there was synced. */
  covers(segment: number, offset: number): boolean {
    if (segment !== this.segment) return segment < this.segment;
    return offset < this.offset;
  }

  /** All before this place is durable. */
  take(segment: number, offset: number): void {
    if (this.covers(segment, offset)) return;
    this.segment = segment;
    this.offset = offset;
  }

  /**
   * Takes the greatest position that the records of the opened segment name, from `at` on; false
   * where there are none. @throws DiskError, NewerFormatError
   */
  readFrom(scan: SegmentScan, at = 0): boolean {
    let isFound = false;
    while (at >= 0) {
      if (!scan.isRecord(at)) {
        at = scan.nextRecord(at + 1);
        continue;
      }
      isFound = true;
      const { durableSegment, durableOffset } = scan.header;
      this.take(durableSegment, durableOffset);
      at += scan.header.length;
    }
    return isFound;
  }
}
