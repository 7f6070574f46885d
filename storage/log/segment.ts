/**
 * One file of the log, `objects/00000001.log`, and what is known of it in memory.
 *
 *   0                                        end                        size
 *   ┌─────────┬────────┬──────┬──────┬───────┬───────────────────────────┐
 *   │ segment │ record │ …    │      │       │ zeros, written in advance │
 *   └─────────┴────────┴──────┴──────┴───────┴───────────────────────────┘
 *
 * `staged` counts the last bytes before `end` that the file does not have yet: what the writer still
 * holds for one write of several records.
 *
 * `live` counts the bytes of records that the index reaches; a segment without any may be deleted
 * if what its records forgot or replaced cannot come back by that (see isDeletable).
 */

import type { DiskFile } from "../disk.ts";

const SUFFIX = ".log";
const DIGITS = 8;

export class Segment {
  readonly number: number;
  readonly file: DiskFile;
  /** Bytes of records: where the next one goes. */
  end: number;
  /** Zeros were written up to here in advance; 0 for a segment that grows with its records. */
  preallocated: number;
  staged: number;
  live: number;
  /** Bytes of remove records in it that something older may still need. */
  removeBytes: number;
  /** Where its last record begins. */
  last: number;
  /** Some object record in it refers to body records. */
  hasBodies: boolean;
  /** The newest stamp in a head in it, milliseconds since 1970; notes count as the next one. */
  newestMs: number;
  /** The index snapshot needs the file: it goes when the next one is there. */
  isPinned: boolean;
  /** Who reads, or still writes, a large payload in it: the file stays as long as there is anybody. */
  holds: number;
  /** Something was written that no sync that has begun covers. */
  unsynced: boolean;
  /** When it was first seen to be no longer written to, on compaction's clock; −1: not yet. */
  sealedMs: number;

  constructor(number: number, file: DiskFile) {
    this.number = number;
    this.file = file;
    this.end = 0;
    this.preallocated = 0;
    this.staged = 0;
    this.live = 0;
    this.removeBytes = 0;
    this.last = 0;
    this.hasBodies = false;
    this.newestMs = 0;
    this.isPinned = false;
    this.holds = 0;
    this.unsynced = false;
    this.sealedMs = -1;
  }

  /** Forgets what its records told; the file stays. */
  clear(): void {
    this.end = 0;
    this.live = 0;
    this.removeBytes = 0;
    this.last = 0;
    this.hasBodies = false;
    this.newestMs = 0;
    this.isPinned = false;
  }
}

export function segmentPath(folder: string, number: number): string {
  return `${folder}/${String(number).padStart(DIGITS, "0")}${SUFFIX}`;
}

/** The number in a file's name, or 0 where it is none of ours. */
export function segmentNumber(fileName: string): number {
  if (!fileName.endsWith(SUFFIX)) return 0;
  const digits = fileName.slice(0, -SUFFIX.length);
  const number = Number(digits);
  return digits.length >= DIGITS && Number.isSafeInteger(number) && number > 0 ? number : 0;
}

/**
 * Whether a segment's file can go: nothing in it is reachable or held, the index snapshot does not need
 * it, and it holds no remove record that an older segment may still need (without it, what it forgot
 * would come back at the next start).
 */
export function isDeletable(segment: Segment, isOldest: boolean): boolean {
  if (segment.holds > 0) return false;
  return segment.live === 0 && !segment.isPinned && (isOldest || segment.removeBytes === 0);
}
