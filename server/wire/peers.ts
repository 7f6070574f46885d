/**
 * The node's links to other nodes, and the door for those who link to it.
 *
 *   peer(id, address)     ── the one link to that member, dialled on demand ──►
 *   connectTo(address)    ── a link to whoever is there: seeds, joining     ──►
 *   listen(address)       ◄── links that others dialled: handshake, then onRequest / onMessage
 *
 * One link a pair and direction: requests go out on the link that this node dialled, replies come
 * back on it. So each side judges by itself whether it reaches the other, and a cut in one
 * direction shows.
 *
 * Requests may be delivered twice, or delivered and never answered: handlers are idempotent.
 * server/PROTOCOL.md says what is on the wire.
 */

import type { Listener, Socket, SocketHandler } from "../ports/network.ts";
import { AcceptedLink, type AcceptedLinkOwner } from "./accepted-link.ts";
import type { LocalIdentity, PeerIdentity, Permission, Refusal, Role } from "./handshake.ts";
import { Peer, type PeerOwner } from "./peer.ts";
import type { FailureReason } from "./reply-handler.ts";
import { type MessageHandler, type RequestHandler, Services } from "./services.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import {
  type WireCounters,
  wireLimitDefaults,
  type WireLimits,
  type WirePorts,
  Wiring,
} from "./wiring.ts";

export type { CallDone } from "./calls.ts";
export type { Connection } from "./connection.ts";
export type { LocalIdentity, PeerIdentity, Permission, Refusal, Role } from "./handshake.ts";
export { Peer } from "./peer.ts";
export type { FailureReason, ReplyHandler } from "./reply-handler.ts";
export type { MessageHandler, RequestHandler } from "./services.ts";
export type { WireLimits, WirePorts } from "./wiring.ts";

/** How often the operator hears that there are too many connections. */
const TURNED_AWAY_TOLD_EVERY_MS = 10_000;

export interface PeersOptions {
  readonly limits?: Partial<WireLimits>;
  /** "" where this node may come in, else the sentence that it is refused with (a removed node). */
  readonly admit?: (identity: PeerIdentity) => string;
  /** What a client's token allows, where the cluster has a secret; null: it is none of this cluster's. */
  readonly permit?: (token: string) => Permission | null;
}

export class Peers implements PeerOwner, AcceptedLinkOwner {
  readonly wiring: Wiring;
  readonly identity: LocalIdentity;
  readonly services = new Services();
  /** Told of each ended request on a link to a member, before its handler is. */
  onOutcome:
    | ((peer: Peer, ok: boolean, reason: "" | FailureReason, elapsedMs: number) => void)
    | null = null;
  /** Told when the connection to a member is gone, whether or not requests were waiting. */
  onDisconnected: ((peer: Peer) => void) | null = null;
  /** Told when a handshake that this node began was refused, by the other side or by this one. */
  onRefused: ((peer: Peer, refusal: Refusal) => void) | null = null;
  readonly #admit: (identity: PeerIdentity) => string;
  readonly #permit: (token: string) => Permission | null;
  readonly #members = new Map<string, Peer>();
  readonly #others = new Set<Peer>();
  readonly #accepted = new Set<AcceptedLink>();
  #listener: Listener | null = null;
  #turnedAwayToldMs = -Infinity;
  #closed = false;

  constructor(ports: WirePorts, identity: LocalIdentity, options: PeersOptions = {}) {
    this.wiring = new Wiring(ports, { ...wireLimitDefaults, ...options.limits });
    this.identity = identity;
    this.#admit = options.admit ?? (() => "");
    this.#permit = options.permit ?? (() => null);
  }

  /** The timeouts of this node, for all who wait. */
  get wheel(): TimerWheel {
    return this.wiring.wheel;
  }

  get counters(): Readonly<WireCounters> {
    return this.wiring.counters;
  }

  /** Connections that others dialled and that stand. */
  get acceptedCount(): number {
    return this.#accepted.size;
  }

  /** Connections of either direction. */
  get connectionCount(): number {
    let count = this.#accepted.size;
    for (const peer of this.#members.values()) if (peer.isDialled) count++;
    for (const peer of this.#others) if (peer.isDialled) count++;
    return count;
  }

  /**
   * The one link to a member; made on first use, dialled by its first request. The address is
   * updated.
   */
  peer(id: string, address: string): Peer {
    const known = this.#members.get(id);
    if (known !== undefined) {
      known.address = address;
      return known;
    }
    const peer = new Peer(this, id, address, "peer");
    this.#members.set(id, peer);
    if (this.#closed) peer.close("this node is stopping");
    return peer;
  }

  /** Closes the link to a member, and those it dialled, for good: it is none any more. */
  forget(id: string): void {
    this.#members.get(id)?.close("the node is no member any more");
    this.#members.delete(id);
    for (const link of this.#accepted) {
      if (link.from?.nodeId === id) link.connection.close("the node is no member any more");
    }
  }

  /** A link to an address whose node is not known yet. Its user closes it. */
  connectTo(address: string, role: Role = "joining"): Peer {
    const peer = new Peer(this, "", address, role);
    this.#others.add(peer);
    if (this.#closed) peer.close("this node is stopping");
    return peer;
  }

  /** Registers the one handler of a hot kind. */
  onRequest(kind: number, handler: RequestHandler): void {
    this.services.onRequest(kind, handler);
  }

  /** Registers the one handler of a type of message. */
  onMessage(type: string, handler: MessageHandler): void {
    this.services.onMessage(type, handler);
  }

  /** Listens on host:port; `done` takes the address as bound, or "" and one sentence. */
  listen(address: string, done: (address: string, error: string) => void): void {
    const accept = (socket: Socket): SocketHandler => this.#accept(socket);
    this.wiring.ports.network.listen(address, accept, (listener, error) => {
      if (listener !== null && this.#closed) listener.close();
      else this.#listener = listener;
      done(listener?.address ?? "", error);
    });
  }

  /** Cuts all connections, with what waits in them; they are made again when they are wanted. */
  cutAll(reason: string): void {
    for (const peer of [...this.#members.values(), ...this.#others]) peer.cut(reason);
    for (const link of this.#accepted) link.connection.close(reason);
  }

  /** Closes all links and the door; what waits fails in the turns to come. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener?.close();
    for (const peer of [...this.#members.values(), ...this.#others]) {
      peer.close("this node is stopping");
    }
    for (const link of this.#accepted) link.connection.close("this node is stopping");
    this.wiring.wheel.rest();
  }

  // For the links.

  admit(identity: PeerIdentity): string {
    return this.#admit(identity);
  }

  permit(token: string): Permission | null {
    return this.#permit(token);
  }

  ended(peer: Peer, ok: boolean, reason: "" | FailureReason, elapsedMs: number): void {
    if (peer.id !== "" && this.onOutcome !== null) this.onOutcome(peer, ok, reason, elapsedMs);
  }

  refused(peer: Peer, refusal: Refusal): void {
    const { log } = this.wiring.ports;
    log.warn("link refused", { address: peer.address, node: peer.id, why: refusal.sentence });
    if (this.onRefused !== null) this.onRefused(peer, refusal);
  }

  disconnected(peer: Peer): void {
    if (peer.id === "" && peer.finished) this.#others.delete(peer);
    if (peer.id !== "" && this.onDisconnected !== null) this.onDisconnected(peer);
    this.#restWhenClosed();
  }

  gone(link: AcceptedLink): void {
    this.#accepted.delete(link);
    this.#restWhenClosed();
  }

  #restWhenClosed(): void {
    if (this.#closed) this.wiring.wheel.rest();
  }

  #accept(socket: Socket): SocketHandler {
    const { counters, limits } = this.wiring;
    counters.accepted++;
    const link = new AcceptedLink(this);
    link.connection.attach(socket);
    this.#accepted.add(link);
    if (this.#closed) link.connection.close("this node is stopping");
    else if (this.#accepted.size > limits.connectionsMax) {
      counters.turnedAway++;
      this.#tellTurnedAway(socket.remote);
      link.connection.close("too many connections");
    }
    return link.connection;
  }

  /** Once in a while: whoever floods the door shall not flood the log. */
  #tellTurnedAway(remote: string): void {
    const { counters, limits, ports } = this.wiring;
    const nowMs = ports.clock.elapsedMs();
    if (nowMs - this.#turnedAwayToldMs < TURNED_AWAY_TOLD_EVERY_MS) return;
    this.#turnedAwayToldMs = nowMs;
    const fields = { remote, limit: limits.connectionsMax, inAll: counters.turnedAway };
    ports.log.warn("connections are turned away", fields);
  }
}
