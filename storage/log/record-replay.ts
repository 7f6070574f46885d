/**
 * Enters the records of a log into a map, one after the other as they lie: the last one of a name
 * wins, a remove record forgets. Recovery makes its index by it, verification tells by it what is
 * live; both judge by themselves which places are records at all.
 *
 * Names are compared where records can be read. Where content is damaged the key stands for the name,
 * and what cannot be told by it is reported: a set may have been taken for another.
 */

import type { HistoryTeller } from "./log-history.ts";
import {
  HEADER_BYTES,
  KIND_NOTE,
  KIND_OBJECT,
  KIND_REMOVE,
  type RecordHeader,
} from "./record.ts";
import type { RecordMap } from "./record-map.ts";
import type { Segment } from "./segment.ts";
import type { SegmentScan } from "./segment-scan.ts";

export class RecordReplay {
  readonly #map: RecordMap;
  readonly #scan: SegmentScan;
  readonly #untold: (segment: Segment, offset: number, bytes: number) => void;
  readonly #teller: HistoryTeller | null;

  /**
   * @param untold is told of a record whose name would have mattered and cannot be read
   * @param teller tells what was replaced, and of notes
   */
  constructor(
    map: RecordMap,
    scan: SegmentScan,
    untold: (segment: Segment, offset: number, bytes: number) => void,
    teller: HistoryTeller | null = null,
  ) {
    this.#map = map;
    this.#scan = scan;
    this.#untold = untold;
    this.#teller = teller;
  }

  /** Enters the record whose header the scan holds. @throws DiskError */
  enter(segment: Segment): void {
    const { header } = this.#scan;
    if (header.kind === KIND_OBJECT) {
      const isKnown = this.#findObject(segment, header);
      if (isKnown) this.#teller?.replaced();
      this.#map.put(header, isKnown);
    } else if (header.kind === KIND_REMOVE) {
      segment.removeBytes += header.length;
      if (this.#findRemoved(segment, header)) this.#map.forget();
      this.#teller?.removed();
    } else if (header.kind === KIND_NOTE) {
      this.#teller?.noted();
    }
  }

  /** Puts the map's cursor on what is held for the name of the object record at hand. */
  #findObject(segment: Segment, header: RecordHeader): boolean {
    const { position0, position1, tag, offset, length } = header;
    const { index } = this.#map;
    if (!index.seek(position0, position1, tag)) return false;
    if (this.#scan.isContentWhole(offset)) {
      return this.#map.find(position0, position1, tag, this.#nameAt(header));
    }
    // Its name cannot be compared. Nearly always it is the one with this key; where two names share
    // a key, the other one's entry may be replaced, and the replica has to be compared with others.
    if (index.next()) this.#untold(segment, offset, length);
    return index.seek(position0, position1, tag);
  }

  /** The same for a remove record: the digests of what was removed find it without its name. */
  #findRemoved(segment: Segment, header: RecordHeader): boolean {
    const { position0, position1, tag, offset, length } = header;
    if (!this.#map.index.seek(position0, position1, tag)) return false;
    do {
      if (this.#map.hasDigest(header.digest0, header.digest1)) return true;
    } while (this.#map.index.next());
    // What it removed was lost to damage; an older set of that name must not come back for it.
    if (this.#scan.isContentWhole(offset)) {
      return this.#map.find(position0, position1, tag, this.#nameAt(header));
    }
    this.#untold(segment, offset, length);
    return false;
  }

  #nameAt(header: RecordHeader): Uint8Array {
    const { offset, nameLength } = header;
    const start = this.#scan.load(offset, HEADER_BYTES + nameLength) + HEADER_BYTES;
    return this.#scan.bytes.subarray(start, start + nameLength);
  }
}
