/**
 * The contract that every engine keeps: one node's copy of many objects.
 *
 * An engine maps a name to a *version set*: a packed head (core/version-set: dots, clock, lengths)
 * and one payload a version (core/payload: metadata and value). It knows nothing of quorums, peers
 * or time; it never merges. What it promises:
 *
 *   ENSURES  after write() returned "done" the set has been handed to the kernel: the death of the
 *            process loses nothing of it, and the next read sees it whole
 *   ENSURES  after sync() called back with true, all that was written before it was called is
 *            durable
 *   ENSURES  a read never gives a byte that fails its checksum, and never another name's set, even
 *            for names with one MD5; damage is answered as damage and never as "absent"
 *   ENSURES  after a crash the state is a prefix of what was written that holds all that was synced
 *
 * The index is ordered by ring position, so that a partition is enumerated without touching others.
 * Conformance suite: test/storage/engine-suite.ts; formats: storage/FORMAT.md.
 */

import type { MerkleTree } from "../core/merkle-tree.ts";
import type { ObjectName } from "../core/object-name.ts";
import type { Room } from "./disk.ts";
import type { LargePayload, Payload } from "./large-payload.ts";

/**
 * A version set in memory. `head` is the packed head; payloads[i] belongs to version i of the head.
 * A null payload means, in what an engine is given: "keep the one that is stored for this name
 * under the same dot"; in what travels between nodes: "not in this message"; an engine never
 * answers one unless it was asked for the head alone.
 */
export interface VersionSet {
  readonly head: Uint8Array;
  readonly payloads: (Payload | null)[];
}

export type ReadOutcome =
  | { readonly status: "found"; readonly set: VersionSet }
  | { readonly status: "absent" }
  /** The record is there and its bytes are not: repair it from another replica. */
  | { readonly status: "damaged"; readonly detail: string }
  /** The disk does not answer. */
  | { readonly status: "failed"; readonly detail: string };

/**
 * done; or refused: nothing was written (full: 507; sealed: the disk has failed before, and the engine
 * takes no more writes); or the disk failed now: the write is not seen by reads but may be found at the
 * next start.
 */
export type WriteOutcome =
  | { readonly status: "done" }
  | { readonly status: "gone"; readonly detail: string }
  | { readonly status: "full"; readonly of: Room; readonly detail: string }
  | { readonly status: "sealed"; readonly detail: string }
  | { readonly status: "failed"; readonly detail: string };

/**
 * A large payload on its way in. What it has taken lies in the engine already, and counts for nothing
 * until a set that refers to it is written. Whoever begins one drops it in the end, whatever became of
 * it: what a set refers to stays.
 */
export interface Stage {
  /** Bytes that have come so far, and their crc32c. */
  readonly length: number;
  readonly checksum: number;
  /** Takes source[start, end). What is not "done" is the end of it. */
  append(source: Uint8Array, start: number, end: number): WriteOutcome;
  /** Nothing more comes: the payload, or why there is none. */
  finish(): { readonly status: "staged"; readonly payload: LargePayload } | WriteOutcome;
  drop(): void;
}

/** One index entry, as scan() shows it. The object is reused: copy what is kept. */
export interface IndexEntry {
  /** The first two words of the ring position. */
  position0: number;
  position1: number;
  /** The name's tag (core/object-name): with the position it all but identifies the name. */
  tag: number;
  /** Digest of the head: equal sets have equal digests. */
  digest0: number;
  digest1: number;
}

/**
 * Which entry readEntry() means. The digests matter only where two names share position and tag:
 * they pick one of them. An entry whose set was replaced meanwhile is found all the same.
 */
export interface EntryKey {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
  readonly digest0?: number;
  readonly digest1?: number;
}

/** What readEntryHead() finds: a name and its packed head, for the caller to keep. */
export type EntryOutcome =
  | { readonly status: "found"; readonly name: Uint8Array; readonly head: Uint8Array }
  | Exclude<ReadOutcome, { readonly status: "found" }>;

export interface EngineStats {
  readonly objects: number;
  /**
   * Bytes on disk (log) or of values (memory) that are reachable from the index, and all of them.
   */
  readonly liveBytes: number;
  readonly totalBytes: number;
  /** Records whose checksum failed since the start. */
  readonly damaged: number;
  readonly indexBytes: number;
  /** Since the start: bytes of deleted files, segments that compaction emptied, bytes it wrote. */
  readonly bytesFreed: number;
  readonly segmentsCompacted: number;
  readonly bytesMoved: number;
}

export interface WriteLabels {
  /** The number of the layout that the writer acted under. */
  readonly layout: number;
  /** The reaping round of the name's partition. */
  readonly round: number;
}

export interface Engine {
  /**
   * The digest of the head held for a name, from the index alone: writes two words to
   * target[targetIndex..] and returns true, or false where nothing is held. It may be the digest of
   * another name with the same position and tag; digests name dots, which are unique, so such a
   * digest never equals a wrong set's.
   */
  digestInto(name: ObjectName, target: Uint32Array, targetIndex: number): boolean;

  /** Reads a set with its payloads; may call back before it returns. */
  read(name: ObjectName, done: (outcome: ReadOutcome) => void): void;

  /** Reads a head alone, without waiting: what reads, thinks and writes again is one step. */
  readHead(name: ObjectName): ReadOutcome;

  /**
   * Reads the set of an index entry whose name is not known (anti-entropy, hints); null: no longer
   * there.
   */
  readEntry(
    entry: EntryKey,
    done: (name: ObjectName | null, outcome: ReadOutcome) => void,
  ): void;

  /**
   * Replaces what is held for a name: read by all from then on, kept when the process dies from the
   * handing over on. Payloads are copied before it returns, but for a large one that was staged here for
   * this name: that one is referred to as it lies. "gone": a large payload could not be read any more,
   * and nothing was written.
   * REQUIRES: a null payload only where a version with the same dot is stored for the name.
   */
  write(name: ObjectName, set: VersionSet, labels: WriteLabels): WriteOutcome;

  /** Begins a large payload of a version of this name. */
  stage(name: ObjectName): Stage;

  /**
   * Forgets a name if what is held still has this digest; not a delete of the store (that is a
   * version).
   */
  remove(name: ObjectName, digest0: number, digest1: number): WriteOutcome;

  /**
   * Hands all that was written to the kernel, which keeps it when this process dies. It happens by
   * itself at the end of the turn, one call for all of a turn's writes; who tells another process
   * of a write does it before. False: it failed, what was written may not be acknowledged, and
   * nothing is written any more.
   */
  handOver(): boolean;

  /**
   * Calls back when all written so far is handed over (at once, or at the end of this turn), with
   * false where that failed.
   */
  handedOver(done: (isKept: boolean) => void): void;

  /**
   * Keeps a note about a name, which is no part of its set and cannot be read: it is shown once, to who
   * opens the engine again (LogHistory of the log engine; other engines forget it). Up to 4,096 bytes.
   */
  note(name: ObjectName, bytes: Uint8Array): WriteOutcome;

  /**
   * Calls back with true once all written so far is durable, with false if that can no longer be
   * said. May call back before it returns where nothing is left to be made durable.
   */
  sync(done: (durable: boolean) => void): void;

  /** Whether something was written that no sync has covered yet. */
  readonly unsynced: boolean;

  /**
   * Damaged places, found at the start, of which not even the names can be told: while this is not
   * 0, "absent" may be wrong and an old set may have come back (the replica is partial). 0: all is
   * told.
   */
  readonly lostNames: number;

  /**
   * Visits entries whose first position word lies in [from, to] (to inclusive, unsigned), in no
   * particular order, and stops early when `visit` returns false. REQUIRES: no write from inside
   * `visit`.
   */
  scan(from: number, to: number, visit: (entry: IndexEntry) => boolean): void;

  /**
   * Visits the entries of the buckets that share a tag (core/object-name), in the order of position
   * and tag, as scan() does; one call passes some 260,000 entries, two or three milliseconds. Gives
   * the first position word from which on it has not visited all: to + 1 where nothing is left, that
   * of the last entry where `visit` returned false. REQUIRES: no write from inside `visit`.
   */
  scanBucket(
    bucketTag: number,
    from: number,
    to: number,
    visit: (entry: IndexEntry) => boolean,
  ): number;

  /** Reads name and head of an index entry, without waiting and without a payload. */
  readEntryHead(entry: EntryKey): EntryOutcome;

  /**
   * The hash tree over all entries of a partition (of the partition bits given at opening): equal
   * roots mean equal contents. Kept up at each write; not for others to change.
   */
  tree(partition: number): MerkleTree;
  /** The key of the trees, for digests of parts that no tree has a node for. */
  readonly treeKey: Int32Array;

  stats(): EngineStats;

  /** Syncs and closes; calls back when the files are closed. */
  close(done: () => void): void;
}

export interface EngineOptions {
  /** Folder below the data directory: "objects", "hints". */
  readonly folder: string;
  /** log2 of the number of partitions: each has a tree. */
  readonly partitionBits: number;
  /** The key of the trees: merkleKey() of a secret that all members of the cluster share. */
  readonly treeKey: Int32Array;
  /** Refuse writes with "full" while the file system has fewer free bytes than this. */
  readonly freeBytesMin: number;
  /** Refuse writes with "full" beyond this many bytes on disk (hints); 0: no bound. */
  readonly totalBytesMax: number;
  /** Payloads of more bytes are large (large-payload.ts); default STREAM_BYTES_MIN. */
  readonly streamBytesMin?: number;
  /** Of such a payload so many bytes lie together; default SLICE_BYTES. */
  readonly sliceBytes?: number;
  /**
   * Asked before memory grows for good: by a name that was not held, in the memory engine by bytes as
   * well. "" where it may, else why not: the write is refused with "full". Deletes are never asked about.
   */
  readonly mayGrow?: () => string;
}
