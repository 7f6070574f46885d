/**
 * The actor of a store and its counter: who makes versions here, and that no dot is made twice.
 *
 *   counters   1 ······ 65,536 │ 65,537 ···· 131,072 │
 *                        issued ▲                    └ reserved end: on disk and synced before use
 *
 * An actor is 64 random bits. Counters rise per store and come in blocks: the end of a block is
 * durable before its first counter is given away, so after `kill -9` counting goes on behind the
 * reserved end. What that cannot cover is a store that lost part of its tail: it may have forgotten
 * versions of its own that others still know. So the same actor goes on only if nothing can be
 * lost:
 *
 *   stopped cleanly                          same actor, exactly the next counter
 *   the same boot of the kernel (kill -9)    same actor, behind the reserved end
 *   anything else, no readable file, or
 *   records that are lost with their names   a new actor
 *
 * A directory that is restored from a copy must not keep this file: the copy's counters were
 * issued. The file also keeps an upper bound of the hybrid clock's stamps, so that they rise across
 * restarts even if the date went back a little. Bytes: storage/FORMAT.md.
 *
 * Kulkarni et al., Logical Physical Clocks, 2014 (the stamp); riak_kv #679 (why actors must be
 * new).
 */

import { readU16, readU32, readU48, writeU16, writeU32, writeU48 } from "../core/bytes.ts";
import { crc32c } from "../core/crc32c.ts";
import { COUNTER_BLOCK, COUNTER_MAX } from "../core/limits.ts";
import { type Disk, DiskError, readFile, replaceFile } from "./disk.ts";

export const ACTOR_FILE = "actor";
const FILE_BYTES = 116;
const MARK0 = 0x6f6c6168;
const MARK1 = 0x726f7463;
const FORMAT_VERSION = 1;
const FLAGS_AT = 9;
const CLEAN_STOP = 1;
const LOSS_UNRECORDED = 2;
const ACTOR_AT = 12;
const COUNTER_AT = 20;
const STAMP_LOGICAL_AT = 26;
const STAMP_MS_AT = 28;
const BOOT_ID_LENGTH_AT = 34;
const BOOT_ID_AT = 48;
const BOOT_ID_BYTES_MAX = 64;
const CHECKSUM_AT = 112;
const ACTOR_BYTES = 8;
/**
 * The stamp bound is written this far ahead: one small synced write per so much time of writing.
 */
const STAMP_AHEAD_MS = 10_000;

export interface ActorOptions {
  readonly disk: Disk;
  /** Names this run of the kernel. At most 64 bytes count. */
  readonly bootId: string;
  /** Fills with random bytes. */
  readonly fill: (bytes: Uint8Array) => void;
  /** False: always a new actor (an engine that forgets at its end, a log that lost records with their names). */
  readonly isKept: boolean;
}

/**
 * Reads or makes the store's actor, and reserves its first block.
 * @throws DiskError; where the file is of a newer format: code "EINVAL"
 */
export function openActor(options: ActorOptions): Actor {
  const bytes = readFile(options.disk, ACTOR_FILE);
  const stored = bytes !== null && isIntact(bytes) ? bytes : null;
  if (stored !== null && stored[8] !== FORMAT_VERSION) {
    const problem = `Cannot read ${ACTOR_FILE}: it has format ${
      stored[8]
    }, this program knows up to 1`;
    throw new DiskError("EINVAL", problem);
  }
  return new Actor(options, stored);
}

export class Actor {
  /** The 8 bytes that stand in each dot. */
  readonly bytes: Uint8Array;
  /** Drawn at this start: the store may have lost versions that it made as its actor before. */
  readonly isNew: boolean;
  /**
   * The store may have lost part of its tail, now or at a start whose process died before it called
   * lossRecorded(): the replica is partial. Also true for a store that is new.
   */
  readonly mayHaveLost: boolean;
  /** No stamp that was ever issued here is greater. 0, 0 for a new store. */
  readonly stampMs: number;
  readonly stampLogical: number;
  readonly #disk: Disk;
  readonly #file: Uint8Array;
  #flags: number;
  #next: number;
  #reservedEnd: number;
  #stampBoundMs: number;

  /** @param stored the intact file, or null; see openActor() */
  constructor(options: ActorOptions, stored: Uint8Array | null) {
    const bootId = new TextEncoder().encode(options.bootId).subarray(0, BOOT_ID_BYTES_MAX);
    const isClean = stored !== null && (stored[FLAGS_AT] & CLEAN_STOP) !== 0;
    const isSafe = stored !== null && (isClean || hasBootId(stored, bootId));
    this.isNew = !options.isKept || !isSafe;
    const isUnrecorded = stored !== null && (stored[FLAGS_AT] & LOSS_UNRECORDED) !== 0;
    this.mayHaveLost = this.isNew || isUnrecorded;
    this.#flags = this.mayHaveLost ? LOSS_UNRECORDED : 0;
    this.bytes = new Uint8Array(ACTOR_BYTES);
    if (this.isNew || stored === null) options.fill(this.bytes);
    else this.bytes.set(stored.subarray(ACTOR_AT, ACTOR_AT + ACTOR_BYTES));
    this.stampMs = stored === null ? 0 : readU48(stored, STAMP_MS_AT);
    this.stampLogical = stored === null ? 0 : readU16(stored, STAMP_LOGICAL_AT);
    this.#disk = options.disk;
    this.#file = new Uint8Array(FILE_BYTES);
    this.#next = this.isNew || stored === null ? 1 : readU48(stored, COUNTER_AT);
    this.#reservedEnd = this.#next;
    this.#stampBoundMs = this.stampMs;
    this.#encodeFixed(bootId);
    this.#reserve();
  }

  /**
   * The next counter, 1 to 2^48 - 1, never given before. @throws DiskError: then none may be used
   */
  nextCounter(): number {
    if (this.#next >= this.#reservedEnd) this.#reserve();
    return this.#next++;
  }

  /**
   * Makes sure that stamps up to this time may be issued: to be called before. @throws DiskError
   */
  coverStamp(stampMs: number): void {
    if (stampMs < this.#stampBoundMs) return;
    this.#write(this.#reservedEnd, stampMs + STAMP_AHEAD_MS, 0, 0);
    this.#stampBoundMs = stampMs + STAMP_AHEAD_MS;
  }

  /** To be called when it is on disk elsewhere that the replica is partial. @throws DiskError */
  lossRecorded(): void {
    if (this.#flags === 0) return;
    this.#flags = 0;
    this.#write(this.#reservedEnd, this.#stampBoundMs, this.stampLogical, 0);
  }

  /**
   * Marks a clean stop. REQUIRES: both engines were closed with all durable, and nothing is issued
   * after. @param stampMs, stampLogical the last stamp that was issued @throws DiskError
   */
  close(stampMs: number, stampLogical: number): void {
    this.#write(this.#next, stampMs, stampLogical, CLEAN_STOP);
    this.#reservedEnd = this.#next;
  }

  #reserve(): void {
    const end = this.#next + COUNTER_BLOCK;
    if (end > COUNTER_MAX) throw new Error(`Actor has used up its ${COUNTER_MAX} counters`);
    this.#write(end, this.#stampBoundMs, this.stampLogical, 0);
    this.#reservedEnd = end;
  }

  /** The parts of the file that stay the same for this life. */
  #encodeFixed(bootId: Uint8Array): void {
    const file = this.#file;
    writeU32(file, 0, MARK0);
    writeU32(file, 4, MARK1);
    file[8] = FORMAT_VERSION;
    file.set(this.bytes, ACTOR_AT);
    file[BOOT_ID_LENGTH_AT] = bootId.length;
    file.set(bootId, BOOT_ID_AT);
  }

  #write(counter: number, stampMs: number, stampLogical: number, flags: number): void {
    const file = this.#file;
    file[FLAGS_AT] = flags | this.#flags;
    writeU48(file, COUNTER_AT, counter);
    writeU16(file, STAMP_LOGICAL_AT, stampLogical);
    writeU48(file, STAMP_MS_AT, stampMs);
    writeU32(file, CHECKSUM_AT, crc32c(file, 0, CHECKSUM_AT));
    replaceFile(this.#disk, ACTOR_FILE, file);
  }
}

/** Whether the checksum holds; what a newer format keeps behind it is not asked. */
function isIntact(bytes: Uint8Array): boolean {
  if (bytes.length < FILE_BYTES) return false;
  if (readU32(bytes, 0) !== MARK0 || readU32(bytes, 4) !== MARK1) return false;
  return readU32(bytes, CHECKSUM_AT) === crc32c(bytes, 0, CHECKSUM_AT);
}

function hasBootId(stored: Uint8Array, bootId: Uint8Array): boolean {
  if (stored[BOOT_ID_LENGTH_AT] !== bootId.length) return false;
  for (let index = 0; index < bootId.length; index++) {
    if (stored[BOOT_ID_AT + index] !== bootId[index]) return false;
  }
  return true;
}
