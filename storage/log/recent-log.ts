/**
 * What the log tells of the recent past, where a snapshot of the index has saved the reading of it.
 *
 *   segment 1 │ segment 2 │ segment 3 │ segment 4 ─ snapshot ─ tail
 *     old         old       ├─ read for the history ─┤         ├─ read for the index
 *
 * The records are in the index already, so they are entered into a map of their own: what replaced
 * what shows there as it did in the log. A set that was replaced and is of interest is recent itself,
 * and so is the segment that holds it: older ones are not missed.
 */

import { HistoryTeller, type LogHistory } from "./log-history.ts";
import { RecordMap } from "./record-map.ts";
import { RecordReplay } from "./record-replay.ts";
import { Segment } from "./segment.ts";
import { SegmentScan } from "./segment-scan.ts";

/**
 * Tells the history what the recent segments hold before `startOf` each, where the tail begins.
 * @param last the segment that the snapshot ends in: a note in it may have no stamp behind it yet
 * @throws DiskError
 */
export function retell(
  history: LogHistory,
  segments: readonly Segment[],
  last: number,
  treeKey: Int32Array,
  startOf: (segment: Segment) => number,
): void {
  const scan = new SegmentScan();
  const recent = new RecordMap(0, treeKey);
  const teller = new HistoryTeller(history, recent, scan);
  for (const segment of segments) teller.takeNewest(segment.newestMs);
  const replay = new RecordReplay(recent, scan, () => {}, teller);
  for (const segment of segments) {
    const { newestMs, number } = segment;
    // Without a stamp nobody knows how old it is.
    const isRecent = newestMs === 0 || newestMs >= teller.recentMs || number === last;
    if (isRecent) enterUpTo(startOf(segment), segment, recent, replay, scan);
  }
}

function enterUpTo(
  end: number,
  segment: Segment,
  recent: RecordMap,
  replay: RecordReplay,
  scan: SegmentScan,
): void {
  // With accounts of its own: those of the log stay as they are.
  const copy = new Segment(segment.number, segment.file);
  copy.end = end;
  recent.addSegment(copy);
  scan.open(segment.file, segment.number);
  let at = 0;
  while (at >= 0 && at < end) {
    if (scan.isRecord(at)) {
      const { length } = scan.header;
      replay.enter(copy);
      at += length;
    } else at = scan.nextRecord(at + 1);
  }
}
