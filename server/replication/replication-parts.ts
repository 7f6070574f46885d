/** What replication is put together from, handed over once at construction (server/node.ts). */

import type { Engine } from "../../storage/engine.ts";
import type { Background } from "../admission/background.ts";
import type { Membership } from "../membership/membership.ts";
import type { Ports } from "../ports/ports.ts";
import type { Peers } from "../wire/peers.ts";
import type { AntiEntropyTimes } from "./anti-entropy.ts";
import type { Counters } from "./counters.ts";
import type { HintRequests } from "./hint-requests.ts";
import type { SupersededRequests } from "./superseded.ts";

export interface ReplicationParts {
  readonly ports: Ports;
  /** What may go on beside requests. */
  readonly background: Background;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly objects: Engine;
  readonly hints: Engine;
  readonly counters: Counters;
  /** What is remembered of superseded writes, with what the logs told of them at the start. */
  readonly superseded: SupersededRequests;
  /** The same for what hints tell their owners. */
  readonly hintRequests: HintRequests;
  /** Q, which is known once this node is a member. */
  readonly partitions: number;
  /** Large payloads travel in slices of so many bytes. */
  readonly sliceBytes: number;
  /** Payloads of more bytes are large. */
  readonly streamBytesMin: number;
  /** Sets of more bytes than this do not fit a frame. */
  readonly setBytesMax: number;
  /** Entries of a chunk, and of the smallest partition that comes in chunks. */
  readonly transfer: TransferSizes;
  /** The pace at which what is held is read and checked; 0: it is not. */
  readonly scrubBytesPerSecond: number;
  /** This store's actor, for display. */
  readonly actorText: () => string;
  /** Whether what is in the index is not on the disk, and will never be: this node is no replica then. */
  readonly hasLostWrites: () => boolean;
  readonly antiEntropy: AntiEntropyTimes;
  /** Of tombstones: how old they are when they may go at the earliest, and how often they are looked for. */
  readonly reaping: ReapingTimes;
  /** Told of the head of each set that is forgotten here. */
  readonly onReaped: (head: Uint8Array) => void;
  /** Calls back when all requests that have begun have ended. */
  readonly drainRequests: (done: () => void) => void;
  /** Asked before the store forgets what may be dots of its own; true: whoever makes versions is another now. */
  readonly mayForgetDots: () => boolean;
}

export interface ReapingTimes {
  readonly afterMs: number;
  readonly intervalMs: number;
}

export interface TransferSizes {
  readonly chunkEntries: number;
  readonly entriesMin: number;
}
