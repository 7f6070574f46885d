/**
 * Which peers this node can do work with: its own opinion, from its own traffic, told to nobody.
 *
 *             unreachable, closed, or 3 timeouts in a row
 *   healthy ──────────────────────────────────────────────► suspected
 *      ▲       1 s without traffic: PING                        │ PING after 100 ms, 200, 400 … 5 s
 *      └────────────────────────────────────────────────────────┘
 *                     any answer to a request of ours
 *
 * One that says that it is stopping (farewell.ts) is suspected at once, and heeded again when its connection
 * has broken, or it has not after all.
 *
 * Only answers to own requests count, as what comes in says nothing about what goes out: in a
 * one-way partition A suspects B, B may not suspect A, and C neither. A peer that is quiet is
 * pinged, so that a half-open connection or a silent death is seen without a user's request having
 * to wait for it. Slowness alone is no failure as long as answers come within their timeouts.
 *
 * What it costs: at rest everyone pings everyone, as a silent death is to be seen by each. A ping and its answer
 * are 16 bytes each, so of 200 nodes each sends 199 pings and 199 answers a second: some 400 small frames and
 * 6 KB of them out, and as many in (about 22 KB with the headers of TCP and IP). It falls as the load grows:
 * any answer within the last second spares the ping.
 *
 * Paper 4.8.3: a purely local notion of failure detection is sufficient.
 */

import { KIND_PING } from "../../core/frame.ts";
import type { Timer } from "../ports/clock.ts";
import type { Ports } from "../ports/ports.ts";
import type { FailureReason, Peer, ReplyHandler } from "../wire/peers.ts";
import type { Member } from "./member.ts";

/** Timeouts in a row after which a peer is suspected. */
export const TIMEOUTS_MAX = 3;
/** A request that gave the peer less time than this says nothing when it times out. */
export const TIMEOUT_COUNTED_MS_MIN = 200;
/** A healthy peer is pinged when it answered nothing for this long. */
export const IDLE_MS = 1_000;
export const PING_TIMEOUT_MS = 500;
/** Pauses between probes of a suspected peer; a quarter of each is random. */
export const PROBE_MS_MIN = 100;
export const PROBE_MS_MAX = 5_000;
/** Who said that it stops and is still there after so long has thought better of it. */
export const LEAVING_MS_MAX = 30_000;

export interface FailureDetectorHooks {
  onSuspected(member: Member, reason: string): void;
  onRecovered(member: Member): void;
}

export class FailureDetector {
  readonly #ports: Ports;
  readonly #hooks: FailureDetectorHooks;
  readonly #watches = new Map<string, Watch>();

  constructor(ports: Ports, hooks: FailureDetectorHooks) {
    this.#ports = ports;
    this.#hooks = hooks;
  }

  /** Watches exactly these members. */
  watch(members: readonly Member[]): void {
    const wanted = new Set(members.map((member) => member.id));
    for (const [id, watch] of this.#watches) {
      if (wanted.has(id)) continue;
      watch.stop();
      this.#watches.delete(id);
    }
    for (const member of members) {
      if (member.peer === null || this.#watches.has(member.id)) continue;
      this.#watches.set(member.id, new Watch(this.#ports, this.#hooks, member, member.peer));
    }
  }

  /** A request to a peer ended (Peers.onOutcome). */
  ended(peer: Peer, ok: boolean, reason: "" | FailureReason, elapsedMs: number): void {
    const watch = this.#watches.get(peer.id);
    if (watch === undefined) return;
    if (ok) watch.answered();
    else watch.failed(reason, elapsedMs);
  }

  /** The connection to a peer broke while nothing was asked (Peers.onDisconnected). */
  disconnected(peer: Peer): void {
    this.#watches.get(peer.id)?.disconnected();
  }

  /** A member has said that it is stopping. */
  leaves(id: string): void {
    this.#watches.get(id)?.leaves();
  }

  stop(): void {
    this.watch([]);
  }
}

/** One peer under watch; it has one timer: the next ping. */
class Watch {
  readonly #pingHandler: ReplyHandler = {
    replied: () => {
      this.#pinging = false;
    },
    failed: () => {
      this.#pinging = false;
    },
  };
  readonly #ports: Ports;
  readonly #hooks: FailureDetectorHooks;
  readonly #member: Member;
  readonly #peer: Peer;
  #timer: Timer;
  #answeredAtMs: number;
  #timeouts = 0;
  #probeMs = PROBE_MS_MIN;
  #pinging = false;
  /** Until then nothing that it answers says that work can be done with it. */
  #leavingUntilMs = 0;

  constructor(ports: Ports, hooks: FailureDetectorHooks, member: Member, peer: Peer) {
    this.#ports = ports;
    this.#hooks = hooks;
    this.#member = member;
    this.#peer = peer;
    this.#answeredAtMs = ports.clock.elapsedMs();
    this.#timer = this.#after(IDLE_MS);
  }

  stop(): void {
    this.#timer.cancel();
  }

  answered(): void {
    this.#answeredAtMs = this.#ports.clock.elapsedMs();
    this.#timeouts = 0;
    if (this.#peer.healthy || this.#answeredAtMs < this.#leavingUntilMs) return;
    this.#peer.healthy = true;
    this.#probeMs = PROBE_MS_MIN;
    this.#again(IDLE_MS);
    this.#hooks.onRecovered(this.#member);
  }

  failed(reason: "" | FailureReason, elapsedMs: number): void {
    if (reason === "timeout") {
      if (elapsedMs < TIMEOUT_COUNTED_MS_MIN) return;
      this.#timeouts++;
      if (this.#timeouts < TIMEOUTS_MAX) return;
    }
    if (!this.#peer.healthy) return;
    this.#peer.healthy = false;
    this.#probeMs = PROBE_MS_MIN;
    this.#again(this.#nextProbeMs());
    this.#hooks.onSuspected(this.#member, reason);
  }

  /** It is about to stop: as good as gone, though it still answers. */
  leaves(): void {
    this.#leavingUntilMs = this.#ports.clock.elapsedMs() + LEAVING_MS_MAX;
    this.failed("closed", 0);
  }

  /** A broken connection may be the first sign of a death: find out now, not when a user asks. */
  disconnected(): void {
    this.#leavingUntilMs = 0;
    if (this.#peer.healthy) this.#ping();
  }

  #due(): void {
    if (this.#peer.healthy) {
      const quietMs = this.#ports.clock.elapsedMs() - this.#answeredAtMs;
      if (quietMs >= IDLE_MS) this.#ping();
      this.#again(quietMs >= IDLE_MS ? PING_TIMEOUT_MS : IDLE_MS - quietMs);
      return;
    }
    this.#ping();
    this.#again(this.#nextProbeMs());
  }

  /** Asks for a sign of life; how that ends is told to `answered` or `failed` like all requests. */
  #ping(): void {
    if (this.#pinging) return;
    const handler = this.#pingHandler;
    const offset = this.#peer.request(KIND_PING, 0, 0, 0, PING_TIMEOUT_MS, handler, 0);
    this.#pinging = offset >= 0;
  }

  #nextProbeMs(): number {
    const quarter = Math.floor(this.#probeMs / 4);
    const pauseMs = this.#probeMs - quarter + this.#ports.random.below(quarter + 1);
    this.#probeMs = Math.min(2 * this.#probeMs, PROBE_MS_MAX);
    return pauseMs;
  }

  #again(delayMs: number): void {
    this.#timer.cancel();
    this.#timer = this.#after(delayMs);
  }

  #after(delayMs: number): Timer {
    return this.#ports.clock.after(delayMs, () => this.#due());
  }
}
