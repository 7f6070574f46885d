/**
 * What all connections of one node share: ports, pooled buffers, timeouts, the end-of-turn flush,
 * limits and counters. Made once by Peers.
 */

import { FRAME_BYTES_MAX } from "../../core/frame.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Network } from "../ports/network.ts";
import type { Random } from "../ports/random.ts";
import { BufferPool } from "./buffer-pool.ts";
import { TimerWheel } from "./timer-wheel.ts";

export interface WirePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
}

/** Limits of the wire. Sizes in bytes, times in milliseconds. */
export interface WireLimits {
  /** The largest frame that is sent or accepted, length field and all. */
  readonly frameBytesMax: number;
  /** Bytes that wait on a connection from which on no further request is accepted. */
  readonly outBytesMax: number;
  /** Bytes that wait for one link while it is being made. */
  readonly waitBytesMax: number;
  /** Bytes of replies that wait for a reader from which on nothing more is read from it. */
  readonly replyBytesPause: number;
  /** Bytes of replies that wait for a reader from which on it is cut off. */
  readonly replyBytesMax: number;
  /**
   * A reader that takes nothing for this long, while reading is paused for its sake, is cut off.
   */
  readonly stallMs: number;
  /** Requests without an answer on one link. */
  readonly inFlightMax: number;
  /** Accepted connections at one time. */
  readonly connectionsMax: number;
  /** From dialling or accepting to the end of the handshake. */
  readonly handshakeMs: number;
}

export const wireLimitDefaults: WireLimits = {
  frameBytesMax: FRAME_BYTES_MAX,
  outBytesMax: 16 << 20,
  waitBytesMax: 4 << 20,
  replyBytesPause: 4 << 20,
  replyBytesMax: 128 << 20,
  stallMs: 30_000,
  inFlightMax: 32_768,
  connectionsMax: 10_000,
  handshakeMs: 5_000,
};

/** What happened on this node's connections since its start. */
export interface WireCounters {
  dialled: number;
  accepted: number;
  /** Connections turned away because there were too many. */
  turnedAway: number;
  handshakesRefused: number;
  /** Streams closed for bytes that are no frame, or a frame that has no place there. */
  malformed: number;
  /** Readers cut off because they did not read. */
  stalled: number;
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Replies that came after their request had ended. */
  repliesLate: number;
  /** Requests that came again on their connection, and were not served again. */
  repeated: number;
}

function newCounters(): WireCounters {
  return {
    dialled: 0,
    accepted: 0,
    turnedAway: 0,
    handshakesRefused: 0,
    malformed: 0,
    stalled: 0,
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    repliesLate: 0,
    repeated: 0,
  };
}

/** What has bytes to send at the end of the turn. */
export interface Flushable {
  flush(): void;
}

export class Wiring {
  readonly ports: WirePorts;
  readonly limits: WireLimits;
  readonly pool = new BufferPool();
  readonly wheel: TimerWheel;
  readonly counters: WireCounters = newCounters();
  /** Asked before frames leave, which may acknowledge writes; false: they must not. */
  maySend: () => boolean = () => true;
  #waiting: Flushable[] = [];
  #spare: Flushable[] = [];
  readonly #onTurnEnd = (): void => this.#flushAll();

  constructor(ports: WirePorts, limits: WireLimits) {
    this.ports = ports;
    this.limits = limits;
    this.wheel = new TimerWheel(ports.clock);
  }

  /** Calls `flush` once at the end of this turn. REQUIRES: the caller asks once a turn. */
  flushSoon(connection: Flushable): void {
    this.#waiting.push(connection);
    if (this.#waiting.length === 1) this.ports.clock.soon(this.#onTurnEnd);
  }

  #flushAll(): void {
    const batch = this.#waiting;
    this.#waiting = this.#spare;
    for (const connection of batch) connection.flush();
    batch.length = 0;
    this.#spare = batch;
  }
}
