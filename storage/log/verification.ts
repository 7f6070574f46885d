/**
 * Reads a whole log and checks every byte that has a checksum, without changing anything: headers,
 * names and heads, payloads, and that each large payload is where its record says.
 *
 *   open ─► boundary ─► records, segment by segment ─► references of live objects ─► report
 *                       └── step(): some megabytes ──┘
 *
 * It goes by recovery's own rules (record-replay, durable-boundary), so that what it calls damage is
 * what a start would find or a read would answer, and what it calls a tail is what a start would cut
 * off. The log may be in use: records that are written meanwhile are part of the tail, and files that
 * compaction takes away stay readable since they are all opened first.
 */

import { payloadChecksum, versionOffset } from "../../core/version-set.ts";
import { type Disk, DiskError } from "../disk.ts";
import type { IndexEntry, VersionSet } from "../engine.ts";
import type { Payload } from "../large-payload.ts";
import { ChunkedPayload } from "./chunked-payload.ts";
import { DurableBoundary } from "./durable-boundary.ts";
import { HEADER_BYTES, KIND_BODY, KIND_CHUNKS, KIND_NOTE, KIND_OBJECT, KIND_SEGMENT } from "./record.ts";
import { PLACE_INLINE, PLACE_LOST, type RecordHeader } from "./record.ts";
import { RecordMap } from "./record-map.ts";
import { RecordReplay } from "./record-replay.ts";
import { Segment, segmentNumber, segmentPath } from "./segment.ts";
import { SegmentScan } from "./segment-scan.ts";

/** One step reads about so much. */
const STEP_BYTES = 4 << 20;
/** Damaged places beyond this many are counted, not listed. */
const DAMAGES_LISTED_MAX = 1000;
/** Objects are handed out in this many windows of the ring. */
const WINDOWS = 1 << 12;
/** A file that vanishes while all are opened: begin again, at most so often. */
const OPEN_ATTEMPTS = 100;
/** The map wants a ring cut in parts and a key; nothing here is compared by them. */
const PARTITION_BITS = 10;
const NO_KEY = new Int32Array(4);

export interface DamagedPlace {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
  readonly what: string;
  /** The object's name, where it can be told. */
  readonly name: Uint8Array | null;
  /** Whether an object that is held now is hit by it. */
  readonly hits: "live" | "dead" | "unknown";
}

/** An object that is held, and the round of its partition in which it was written. */
export interface VerifiedObject {
  readonly name: Uint8Array;
  readonly set: VersionSet;
  readonly round: number;
}

export interface VerificationReport {
  /** Files with records in them. */
  segments: number;
  records: number;
  /** Of all records. */
  bytes: number;
  /** Objects that are held, and object records that later ones have replaced. */
  liveObjects: number;
  deadObjects: number;
  damaged: number;
  /** The first thousand of them, in the order in which they were found. */
  damages: DamagedPlace[];
  /** Bytes behind the last sound record that were never synced: the next start cuts them off. */
  tailBytes: number;
}

/** Where a live object's payload lies that is a record of its own, or several. */
interface BodyPlace {
  readonly index: number;
  readonly place: number;
  readonly at: number;
  readonly bytes: number;
  /** Its chunks, where it is in chunks and their list can be read. */
  readonly chunked: Payload | null;
}

export class LogVerification {
  readonly report: VerificationReport;
  /** Bytes of files, and how many of them are behind us. */
  readonly bytesTotal: number;
  bytesDone: number;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #map: RecordMap;
  readonly #scan: SegmentScan;
  readonly #replay: RecordReplay;
  readonly #boundary: DurableBoundary;
  /** Segment number → where its records end at least. */
  readonly #ends: Map<number, number>;
  readonly #places: Map<string, DamagedPlace>;
  /** The segment at hand, and where to go on in it; -1: not begun. */
  #segment: number;
  #at: number;

  /** Opens all files. @throws DiskError, NewerFormatError */
  constructor(disk: Disk, folder: string) {
    this.report = {
      segments: 0,
      records: 0,
      bytes: 0,
      liveObjects: 0,
      deadObjects: 0,
      damaged: 0,
      damages: [],
      tailBytes: 0,
    };
    this.#disk = disk;
    this.#folder = folder;
    this.#map = new RecordMap(PARTITION_BITS, NO_KEY);
    this.#scan = new SegmentScan();
    // What replay cannot tell by a damaged record is part of that record's own damage.
    this.#replay = new RecordReplay(this.#map, this.#scan, () => {});
    this.#boundary = new DurableBoundary();
    this.#ends = new Map();
    this.#places = new Map();
    this.#segment = 0;
    this.#at = -1;
    this.bytesTotal = this.#open();
    this.bytesDone = 0;
    this.#readFrame();
  }

  /** Checks some more; false: all is checked and the report stands. @throws DiskError */
  step(): boolean {
    const segment = this.#map.segments[this.#segment];
    if (segment === undefined) return false;
    if (this.#at < 0) {
      this.#scan.open(segment.file, segment.number);
      this.#at = 0;
    }
    const before = this.#at;
    if (this.#readSome(segment)) {
      this.bytesDone += this.#at - before;
      return true;
    }
    this.bytesDone += this.#scan.size - before;
    if (segment.end > 0) this.report.segments++;
    this.#segment++;
    this.#at = -1;
    if (this.#segment < this.#map.segments.length) return true;
    this.#conclude();
    return false;
  }

  /** Bytes of records that held objects need. */
  get liveBytes(): number {
    return this.#map.liveBytes;
  }

  /**
   * Every object that is held, along the ring; those that cannot be read are left out, and the report
   * has them. REQUIRES: step() has answered false. @throws DiskError
   */
  *objects(): Generator<VerifiedObject> {
    const width = 2 ** 32 / WINDOWS;
    for (let window = 0; window < WINDOWS; window++) {
      const entries: IndexEntry[] = [];
      this.#map.index.scan(window * width, (window + 1) * width - 1, (entry) => {
        entries.push({ ...entry });
        return true;
      });
      for (const entry of entries) {
        const object = this.#read(entry);
        if (object !== null) yield object;
      }
    }
  }

  close(): void {
    for (const segment of this.#map.segments) segment.file.close();
  }

  #open(): number {
    for (let attempt = 1;; attempt++) {
      try {
        return this.#openAll();
      } catch (error) {
        const isGone = error instanceof DiskError && error.code === "ENOENT";
        for (const segment of [...this.#map.segments]) {
          segment.file.close();
          this.#map.dropSegment(segment);
        }
        if (!isGone || attempt === OPEN_ATTEMPTS) throw error;
      }
    }
  }

  #openAll(): number {
    const numbers = this.#disk.list(this.#folder).map(segmentNumber).filter((one) => one > 0);
    let bytes = 0;
    for (const number of numbers.sort((left, right) => left - right)) {
      const file = this.#disk.open(segmentPath(this.#folder, number));
      this.#map.addSegment(new Segment(number, file));
      bytes += file.size();
    }
    return bytes;
  }

  /** What the log says of itself as a whole: where its segments end, up to where it is synced. */
  #readFrame(): void {
    const scan = this.#scan;
    for (const segment of this.#map.segments) {
      scan.open(segment.file, segment.number);
      if (!scan.isRecord(0) || scan.header.kind !== KIND_SEGMENT) continue;
      this.#ends.set(scan.header.digest0, scan.header.digest1);
    }
    for (const segment of [...this.#map.segments].reverse()) {
      scan.open(segment.file, segment.number);
      if (this.#boundary.readFrom(scan)) return;
    }
  }

  /** Goes on in a segment; false at its end. */
  #readSome(segment: Segment): boolean {
    const stop = this.#at + STEP_BYTES;
    while (this.#at < stop) {
      const at = this.#at;
      const end = this.#scan.isRecord(at) ? this.#readRecord(segment) : this.#readGap(segment);
      if (end <= at) return false;
      this.#at = end;
    }
    return true;
  }

  /** The record at hand; returns where it ends, or 0 where the log ends before it. */
  #readRecord(segment: Segment): number {
    const scan = this.#scan;
    const { header } = scan;
    const at = header.offset;
    const isContentWhole = scan.isContentWhole(at);
    const isWhole = isContentWhole && scan.isWhole(at);
    if (!isWhole && !this.#boundary.covers(segment.number, at)) return this.#endAt(at);
    const name = isContentWhole && header.nameLength > 0 ? this.#nameOf(header) : null;
    this.report.records++;
    this.report.bytes += header.length;
    if (header.kind === KIND_OBJECT) this.report.deadObjects++;
    const end = at + header.length;
    segment.end = end;
    if (!isWhole) {
      const what = isContentWhole ? "its payload" : "its content";
      // Who is hit by an object's or a body's record is found out once all is read; a note hits nobody.
      const { kind } = header;
      const isTold = kind === KIND_OBJECT || kind === KIND_NOTE ||
        kind === KIND_BODY || kind === KIND_CHUNKS;
      const hits = isTold ? "dead" : "unknown";
      this.#damaged(segment.number, at, header.length, `${what} fails its checksum`, name, hits);
    }
    this.#replay.enter(segment);
    return end;
  }

  /** No record lies at the place at hand: damage, the tail, or nothing more. */
  #readGap(segment: Segment): number {
    const at = this.#at;
    const next = this.#scan.nextRecord(at + 1);
    const least = this.#ends.get(segment.number) ?? 0;
    const end = next >= 0 ? next : Math.max(this.#scan.contentEnd(at), least);
    if (end <= at) return 0;
    if (!this.#boundary.covers(segment.number, at)) return this.#endAt(at);
    this.#damaged(segment.number, at, end - at, "no record can be read there", null, "unknown");
    return end;
  }

  /** The log ends here: what follows, in later files too, was never synced. */
  #endAt(at: number): number {
    const { segments } = this.#map;
    this.report.tailBytes += this.#scan.contentEnd(at) - at;
    for (const later of segments.slice(this.#segment + 1)) {
      this.#scan.open(later.file, later.number);
      this.report.tailBytes += this.#scan.contentEnd(0);
      this.bytesDone += this.#scan.size;
    }
    for (const later of segments.slice(this.#segment + 1)) {
      later.file.close();
      this.#map.dropSegment(later);
    }
    return 0;
  }

  #nameOf(header: RecordHeader): Uint8Array {
    const { offset, nameLength } = header;
    const start = this.#scan.load(offset, HEADER_BYTES + nameLength) + HEADER_BYTES;
    return this.#scan.bytes.slice(start, start + nameLength);
  }

  #damaged(
    segment: number,
    offset: number,
    bytes: number,
    what: string,
    name: Uint8Array | null,
    hits: DamagedPlace["hits"],
  ): void {
    this.report.damaged++;
    if (this.#places.size >= DAMAGES_LISTED_MAX) return;
    this.#places.set(placeKey(segment, offset), { segment, offset, bytes, what, name, hits });
  }

  /** Now it is known which records are live: what they refer to, and what damage hits them. */
  #conclude(): void {
    const { index } = this.#map;
    this.report.liveObjects = index.count;
    this.report.deadObjects -= index.count;
    index.scan(0, 0xffffffff, (entry) => {
      if (this.#seek(entry)) this.#checkLive();
      return true;
    });
    this.report.damages = [...this.#places.values()];
  }

  #read(entry: IndexEntry): VerifiedObject | null {
    if (!this.#seek(entry)) return null;
    const { segment, offset, length, reader } = this.#map;
    if (reader.peek(segment, offset, length, null) !== "found") return null;
    const payloads: Payload[] = [];
    for (let index = 0; index < reader.versions; index++) {
      const payload = reader.payload(index);
      if (payload === null || (payload instanceof ChunkedPayload && !isSound(payload))) return null;
      payloads.push(payload);
    }
    const { round } = reader.header;
    return { name: reader.name.slice(), set: { head: reader.head.slice(), payloads }, round };
  }

  /** Puts the map's cursor on an entry. */
  #seek(entry: IndexEntry): boolean {
    const { index } = this.#map;
    if (!index.seek(entry.position0, entry.position1, entry.tag)) return false;
    while (!this.#map.hasDigest(entry.digest0, entry.digest1)) if (!index.next()) return false;
    return true;
  }

  /** The live record under the map's cursor. */
  #checkLive(): void {
    const { segment, offset, length, reader, hasBodies } = this.#map;
    this.#hits(segment, offset, null);
    if (!hasBodies || reader.peek(segment, offset, length, null) !== "found") return;
    const name = reader.name.slice();
    const head = reader.head.slice();
    const bodies: BodyPlace[] = [];
    for (let index = 0; index < reader.versions; index++) {
      const place = reader.placeSegment(index);
      const bytes = reader.lengthOf(index);
      if (place === PLACE_INLINE || bytes === 0) continue;
      const chunked = reader.isChunked(index) ? reader.payload(index) : null;
      bodies.push({ index, place, at: reader.placeOffset(index), bytes, chunked });
    }
    for (const body of bodies) {
      const wanted = payloadChecksum(head, versionOffset(0, body.index));
      const isThere = body.chunked instanceof ChunkedPayload
        ? this.#areChunksThere(body.chunked, name)
        : this.#isBodyThere(body, name, wanted);
      if (isThere) this.#hits(body.place, body.at, name);
      else if (!this.#hits(body.place, body.at, name)) {
        const what = `payload ${body.index} of ${body.bytes} bytes is not where its record says`;
        this.#damaged(segment, offset, length, what, name, "live");
      }
    }
  }

  #isBodyThere({ place, at }: BodyPlace, name: Uint8Array, wanted: number): boolean {
    const { reader } = this.#map;
    return place !== PLACE_LOST && reader.hasName(place, at, name) &&
      reader.header.kind === KIND_BODY && reader.header.digest0 === wanted;
  }

  /** Marks chunks that are damaged; false where one is missing and not known as damaged. */
  #areChunksThere(payload: ChunkedPayload, name: Uint8Array): boolean {
    const { list } = payload;
    let areThere = true;
    for (let chunk = 0; chunk < list.count; chunk++) {
      const isHit = this.#hits(list.places[chunk * 2], list.places[chunk * 2 + 1], name);
      if (!isHit && !payload.isChunkThere(chunk)) areThere = false;
    }
    return areThere;
  }

  /** Marks damage at a place as hitting a live object; false where none is known there. */
  #hits(segment: number, offset: number, name: Uint8Array | null): boolean {
    const key = placeKey(segment, offset);
    const damage = this.#places.get(key);
    if (damage === undefined) return false;
    this.#places.set(key, { ...damage, name: damage.name ?? name, hits: "live" });
    return true;
  }
}

/** Whether all of a large payload can be read: nobody has looked at its chunks together so far. */
function isSound(payload: ChunkedPayload): boolean {
  const { count, chunkBytes } = payload.list;
  const bytes = new Uint8Array(Math.min(chunkBytes, payload.length));
  for (let chunk = 0; chunk < count; chunk++) {
    if (payload.readChunk(chunk, bytes, 0) !== "read") return false;
  }
  return true;
}

function placeKey(segment: number, offset: number): string {
  return `${segment}:${offset}`;
}
