/**
 * Membership: who is there and who owns what. The room's front door.
 *
 *        start ──► the data directory knows a cluster ────────────────► member
 *          │                                                              ▲
 *          ├────► --join is empty or names this node alone: found one ────┤
 *          │                                                              │
 *          └────► ask the seeds to be admitted, until one does ───────────┘
 *
 * The parts: ClusterState is all that members agree on and merge; Gossip spreads it; Consensus decides
 * the next layout; FailureDetector is this node's own opinion of its peers; Joining and Admittance are
 * the two ends of a join. Here they are put together, and only here do they meet the wire.
 *
 * What happens in this room is told upwards through MembershipHooks.
 */

import type { Ports } from "../ports/ports.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import { Admittance } from "./admittance.ts";
import type { Buckets } from "./buckets.ts";
import { foundCharter, type QuorumDefaults } from "./charter.ts";
import { ClusterState } from "./cluster-state.ts";
import { Consensus, type LayoutChange, type ProposalOutcome } from "./consensus.ts";
import { FailureDetector } from "./failure-detector.ts";
import { Gossip } from "./gossip.ts";
import type { Identity } from "./identity.ts";
import { Joining } from "./joining.ts";
import { Layout, type MembershipEvent } from "./layout.ts";
import type { LiveLayouts } from "./layouts.ts";
import type { Member, NodeAttributes } from "./member.ts";

export interface MembershipConfig {
  /** Unique in the cluster. */
  readonly name: string;
  readonly http: string;
  readonly zone: string;
  readonly capacity: number;
  /** TCP addresses of seeds. */
  readonly join: readonly string[];
  /** Used by a founder only. */
  readonly partitions: number;
  readonly replicas: number;
  readonly defaults: QuorumDefaults;
}

/** What the floors above hand over at construction, and are told through. */
export interface MembershipHooks {
  /** Calls back when all requests that this node coordinates and has begun before this call ended. */
  drainRequests(done: () => void): void;
  /** Live layouts, the reading one, the sync target or the members changed. */
  onLayoutsChanged(): void;
  /** No request uses this layout any more. */
  onRetired(layout: Layout): void;
  /** A suspected peer answers again: hints may be delivered. */
  onRecovered(member: Member): void;
}

export interface MembershipParts {
  readonly ports: Ports;
  readonly peers: Peers;
  readonly identity: Identity;
  readonly config: MembershipConfig;
  readonly hooks: MembershipHooks;
}

/** Where a node stands on its way into a cluster. */
export type MembershipStage = "stopped" | "joining" | "member" | "removed";

export class Membership {
  readonly #ports: Ports;
  readonly #peers: Peers;
  readonly #identity: Identity;
  readonly #config: MembershipConfig;
  readonly #hooks: MembershipHooks;
  readonly #state: ClusterState;
  readonly #gossip: Gossip;
  readonly #consensus: Consensus;
  readonly #detector: FailureDetector;
  readonly #admittance: Admittance;
  readonly #joining: Joining;
  #stage: MembershipStage = "stopped";
  #attributes: NodeAttributes;

  /**
   * Wires the room to its peers. REQUIRES: `parts.peers` carries the same identity object.
   */
  constructor(parts: MembershipParts) {
    const { ports, peers, identity, config, hooks } = parts;
    this.#ports = ports;
    this.#peers = peers;
    this.#identity = identity;
    this.#config = config;
    this.#hooks = hooks;
    this.#attributes = { ...config, address: "" };
  }

  /**
   * Becomes a member: by what the data directory holds, by founding, or by asking the seeds for as long
   * as it takes. REQUIRES: the node listens for peers already.
   * @param address host:port that peers dial
   * @param done "" once the node is a member or on its way; else a sentence that says why it cannot be
   */
  start(address: string, done: (error: string) => void): void;

  /** Stops all timers; nothing is said to the others. */
  stop(): void;

  get stage(): MembershipStage {
    return this.#stage;
  }

  /** Whether this node is a member with a layout. */
  get ready(): boolean {
    return this.#stage === "member";
  }

  /** This node. REQUIRES: ready. */
  get self(): Member;

  /** All that are not removed, sorted by id. */
  get members(): readonly Member[];

  memberById(id: string): Member | undefined;

  /** REQUIRES: ready, as all below. */
  get layouts(): LiveLayouts;
  get clusterId(): string;
  /** 16 bytes under which contexts are authenticated. */
  get contextKey(): Uint8Array;
  get defaults(): QuorumDefaults;
  get buckets(): Buckets;
  /** The changes of the membership, oldest first. */
  get history(): readonly MembershipEvent[];

  /** How far this node's wall clock is ahead of the median of its peers', in milliseconds. */
  skewMs(): number;

  /** This node is complete for all that it owns in layout `number`. */
  reportSynced(number: number): void;
  /** For display: partitions for which this node is partial, and its store's actor. */
  reportReplica(partial: number, actor: string): void;

  /** Has a changed layout decided by the members. */
  propose(change: LayoutChange, done: (outcome: ProposalOutcome) => void): void;
}
