/**
 * What an append-only log remembers besides what is held now: where one record of a name follows
 * another, what the later one replaced; and the notes about names.
 *
 *   … a: {x, y} … b: {z} … a: {y, w} … note about b …
 *                          └ replaced({x, y}, {y, w})
 *
 * Only what is recent is told, by the stamps in the later head: so that the opening of a long log
 * does not read each record twice. Recent is what lies close to the newest stamp of the log, or to
 * the present where that is earlier: a clock that is wrong makes nothing old.
 */

import { stampMs } from "../../core/clock-entry.ts";
import { isWellFormedHead, newestStamp } from "../../core/version-set.ts";
import { HEADER_BYTES, KIND_OBJECT } from "./record.ts";
import type { RecordMap } from "./record-map.ts";
import type { Segment } from "./segment.ts";
import type { SegmentScan } from "./segment-scan.ts";

/** Who wants to know what the log tells of the recent past. `position0`: of the name. */
export interface LogHistory {
  /** The present, milliseconds since 1970. */
  readonly nowMs: number;
  /** Heads with a stamp of the last so many milliseconds are recent. */
  readonly reachMs: number;
  /** A head took the place of another one of the same name. Views, no copies. */
  replaced(position0: number, before: Uint8Array, after: Uint8Array): void;
  /** A note (Engine.note) is in the log, however old. A view, no copy. */
  noted(position0: number, note: Uint8Array): void;
  /** What was held of a name was removed; told of recent ones at least. */
  removed(position0: number): void;
}

/** Tells a history what is found while the log is read. */
export class HistoryTeller {
  readonly #history: LogHistory;
  readonly #map: RecordMap;
  readonly #scan: SegmentScan;
  #newestMs: number;

  constructor(history: LogHistory, map: RecordMap, scan: SegmentScan) {
    this.#history = history;
    this.#map = map;
    this.#scan = scan;
    this.#newestMs = 0;
  }

  /** Takes the newest stamp of the opened segment, which is the log's last. @throws DiskError */
  readNewest(): void {
    const scan = this.#scan;
    let at = scan.isRecord(0) ? 0 : scan.nextRecord(1);
    while (at >= 0) {
      this.#newestMs = Math.max(this.#newestMs, this.#stampMsOfRecord());
      const end = at + scan.header.length;
      at = scan.isRecord(end) ? end : scan.nextRecord(end + 1);
    }
  }

  /** The log has a stamp as new as this. */
  takeNewest(stampMs: number): void {
    this.#newestMs = Math.max(this.#newestMs, stampMs);
  }

  /** What has a stamp from here on is recent, milliseconds since 1970. */
  get recentMs(): number {
    const { nowMs, reachMs } = this.#history;
    return Math.min(nowMs, this.#newestMs) - reachMs;
  }

  /** Takes the stamp of the scan's record for its segment. @throws DiskError */
  stamp(segment: Segment): void {
    segment.newestMs = Math.max(segment.newestMs, this.#stampMsOfRecord());
  }

  /** The record under the map's cursor is about to be replaced by the scan's. @throws DiskError */
  replaced(): void {
    if (this.#stampMsOfRecord() < this.recentMs) return;
    const { reader, segment, offset, length } = this.#map;
    if (reader.peek(segment, offset, length, null) !== "found") return;
    this.#history.replaced(this.#scan.header.position0, reader.head, this.#headOfRecord());
  }

  /** The scan's record is a note. @throws DiskError */
  noted(): void {
    const { header } = this.#scan;
    if (!this.#scan.isContentWhole(header.offset)) return;
    this.#history.noted(header.position0, this.#headOfRecord());
  }

  /** The scan's record is a removal. */
  removed(): void {
    this.#history.removed(this.#scan.header.position0);
  }

  /** The head, or the note, of the scan's record. */
  #headOfRecord(): Uint8Array {
    const { offset, nameLength, headLength } = this.#scan.header;
    const start = HEADER_BYTES + nameLength;
    const index = this.#scan.load(offset, start + headLength);
    return this.#scan.bytes.subarray(index + start, index + start + headLength);
  }

  /** The newest stamp in its head; 0 where there is none. */
  #stampMsOfRecord(): number {
    if (this.#scan.header.kind !== KIND_OBJECT) return 0;
    const head = this.#headOfRecord();
    return isWellFormedHead(head, 0, head.length) ? newestMsOf(head) : 0;
  }
}

/** The newest stamp in a head, milliseconds since 1970; 0 where there is none. */
export function newestMsOf(head: Uint8Array): number {
  const stamp = newestStamp(head, 0);
  return stamp < 0 ? 0 : stampMs(head, stamp);
}
