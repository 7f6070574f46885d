/**
 * The settings of a node and their defaults: what a founder decides for the cluster, what a node says of
 * itself, and how much it may take of its machine. Where they come from: server/cli/settings.ts.
 */

import {
  CLOCK_ENTRIES_MAX_DEFAULT,
  PARTITIONS_DEFAULT,
  REPLICAS_DEFAULT,
  REQUEST_ID_KEPT_MS,
  SKEW_MS_MAX_DEFAULT,
  SLICE_BYTES,
  STREAM_BYTES_MIN,
  SYNC_INTERVAL_MS_DEFAULT,
  VALUE_BYTES_MAX_DEFAULT,
} from "../core/limits.ts";
import { COLD_MS_DEFAULT } from "../storage/log/compaction.ts";
import { SEGMENT_BYTES_DEFAULT } from "../storage/log/log-engine.ts";
import { SNAPSHOT_BYTES_DEFAULT } from "../storage/log/snapshots.ts";
import type { QuorumDefaults } from "./coordination/store.ts";
import type { AntiEntropyTimes } from "./replication/anti-entropy.ts";
import type { TransferSizes } from "./replication/replication-parts.ts";
import { CHUNK_ENTRIES_DEFAULT } from "./replication/transfer-chunk.ts";
import { TRANSFER_ENTRIES_MIN_DEFAULT } from "./replication/transfers.ts";

export interface NodeConfig {
  /** Unique in the cluster. */
  readonly name: string;
  /** host:port to listen on for peers; port 0: a free one. */
  readonly tcp: string;
  /** host:port that peers dial; "": as bound. */
  readonly advertise: string;
  /** Where clients are served, host:port; where they reach this node, a URL, when it is told to others. Not used here. */
  readonly http: string;
  /** TCP addresses of seeds; empty, or this node's own alone: found a cluster. */
  readonly join: readonly string[];
  /** Whether an administrator lets this node in. */
  readonly joinStaged: boolean;
  /** The cluster's; null: nobody is asked who he is. */
  readonly secret: Uint8Array | null;
  readonly zone: string;
  readonly capacity: number;
  readonly engine: "log" | "memory";
  /** Q and N; used by a founder only. */
  readonly partitions: number;
  readonly replicas: number;
  readonly defaults: QuorumDefaults;
  readonly maxValueBytes: number;
  readonly clockEntriesMax: number;
  readonly maxSkewMs: number;
  readonly syncIntervalMs: number;
  /** Bytes of hints that are kept for others; beyond, they are refused. */
  readonly hintsBytesMax: number;
  /** Writes are refused while the file system has fewer free bytes. */
  readonly freeBytesMin: number;
  /** Nothing that grows is taken from seven eighths of so many bytes of memory on; 0: no bound. */
  readonly memoryBytesMax: number;
  /** Requests that may wait for their answer at one time; further ones are refused. */
  readonly requestsMax: number;
  /** Connections that are accepted from others at one time. */
  readonly peerConnectionsMax: number;
  /** What is held is read and checked at this pace, once a day at most; 0: never. */
  readonly scrubBytesPerSecond: number;
  /** Work in the background yields while more than one in a hundred requests takes longer. */
  readonly foregroundP99Ms: number;
  /** How often, and in which hours, replicas are compared while all is well. */
  readonly antiEntropy: AntiEntropyTimes;
  /** Tombstones and what has expired go so long after their time at the earliest; looked for so often. */
  readonly reapAfterMs: number;
  readonly reapIntervalMs: number;
  /** Entries of a chunk, and of the smallest partition that comes to a new owner in chunks. */
  readonly transfer: TransferSizes;
  /** Payloads of more bytes are streamed, in slices of so many; equal at all nodes. */
  readonly streamBytesMin: number;
  readonly sliceBytes: number;
  /** Size of the log engine's segment files. */
  readonly segmentBytes: number;
  /** Segments are compacted so long after they were written to last, at the earliest. */
  readonly compactionColdMs: number;
  /** Bytes of log after which the index is written to disk for the next start; 0: never. */
  readonly snapshotBytes: number;
}

export const nodeConfigDefaults: NodeConfig = {
  name: "",
  tcp: "127.0.0.1:7071",
  advertise: "",
  http: "127.0.0.1:7070",
  join: [],
  joinStaged: false,
  secret: null,
  zone: "",
  capacity: 1,
  engine: "log",
  partitions: PARTITIONS_DEFAULT,
  replicas: REPLICAS_DEFAULT,
  defaults: { r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0 },
  maxValueBytes: VALUE_BYTES_MAX_DEFAULT,
  clockEntriesMax: CLOCK_ENTRIES_MAX_DEFAULT,
  maxSkewMs: SKEW_MS_MAX_DEFAULT,
  syncIntervalMs: SYNC_INTERVAL_MS_DEFAULT,
  hintsBytesMax: 16 * 2 ** 30,
  freeBytesMin: 256 * 2 ** 20,
  memoryBytesMax: 0,
  requestsMax: 4_096,
  peerConnectionsMax: 10_000,
  scrubBytesPerSecond: 2 ** 20,
  foregroundP99Ms: 10,
  antiEntropy: { intervalMs: 10_000, fromHour: 0, toHour: 0 },
  reapAfterMs: REQUEST_ID_KEPT_MS,
  reapIntervalMs: 60_000,
  transfer: { chunkEntries: CHUNK_ENTRIES_DEFAULT, entriesMin: TRANSFER_ENTRIES_MIN_DEFAULT },
  streamBytesMin: STREAM_BYTES_MIN,
  sliceBytes: SLICE_BYTES,
  segmentBytes: SEGMENT_BYTES_DEFAULT,
  compactionColdMs: COLD_MS_DEFAULT,
  snapshotBytes: SNAPSHOT_BYTES_DEFAULT,
};
