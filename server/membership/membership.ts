/**
 * Membership: who is there and who owns what. The room's front door.
 *
 *        start ──► the data directory knows a cluster ────────────────► member
 *          │                                                              ▲
 *          ├────► --join is empty or names this node alone: found one ────┤
 *          │                                                              │
 *          └────► ask the seeds to be admitted, until one does ───────────┘
 *
 * The parts: ClusterState is all that members agree on and merge; Gossip spreads it; Consensus
 * decides the next layout; FailureDetector is this node's own opinion of its peers; Joining and
 * Admittance are the two ends of a join. Here they are put together, and only here do they meet the
 * wire.
 *
 * What happens in this room is told upwards through MembershipHooks.
 */

import { STATUS_NOT_ADMITTED } from "../../core/frame.ts";
import { DiskError } from "../../storage/disk.ts";
import type { Ports } from "../ports/ports.ts";
import type { PeerIdentity, Peers, Refusal } from "../wire/peers.ts";
import { Administration } from "./administration.ts";
import { Admittance } from "./admittance.ts";
import type { Buckets } from "./buckets.ts";
import { type Charter, foundCharter, type QuorumDefaults } from "./charter.ts";
import { ClusterState, STATE_FILE } from "./cluster-state.ts";
import { Consensus, type LayoutChange, type ProposalOutcome } from "./consensus.ts";
import { MalformedDocument } from "./document.ts";
import { Departure } from "./departure.ts";
import { FailureDetector } from "./failure-detector.ts";
import { Farewell } from "./farewell.ts";
import { Gossip } from "./gossip.ts";
import type { Identity } from "./identity.ts";
import { type Admitted, Joining } from "./joining.ts";
import { foundLayout, type Layout, type MembershipEvent } from "./layout.ts";
import type { LiveLayouts } from "./layouts.ts";
import { isGone, type Member, type MemberRecord, type NodeAttributes } from "./member.ts";
import { ClockSkew } from "./skew.ts";
import type { Tokens } from "./tokens.ts";
import { Votes } from "./votes.ts";

export interface MembershipConfig {
  /** Unique in the cluster. */
  readonly name: string;
  readonly http: string;
  readonly zone: string;
  readonly capacity: number;
  /** TCP addresses of seeds. */
  readonly join: readonly string[];
  /** Whether an administrator lets this node in; else it becomes a member by itself. */
  readonly joinStaged: boolean;
  /** Used by a founder only. */
  readonly partitions: number;
  readonly replicas: number;
  readonly defaults: QuorumDefaults;
}

/** What the floors above hand over at construction, and are told through. */
export interface MembershipHooks {
  /** Calls back when all requests that this node coordinates and began before this call ended. */
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
  readonly administration: Administration;
  readonly #ports: Ports;
  readonly #identity: Identity;
  readonly #hooks: MembershipHooks;
  readonly #config: MembershipConfig;
  readonly #state: ClusterState;
  readonly #votes: Votes;
  readonly #skew: ClockSkew;
  /** `defaults` and the charter that they are of: each request asks for them. */
  #defaults: QuorumDefaults & { readonly n: number } | null = null;
  #defaultsOf: Charter | null = null;
  readonly #gossip: Gossip;
  readonly #consensus: Consensus;
  readonly #detector: FailureDetector;
  readonly #farewell: Farewell;
  readonly #joining: Joining;
  readonly #departure = new Departure();
  #attributes: NodeAttributes;
  #replica: Partial<Pick<MemberRecord, "partial" | "actor">> = {};
  #isHeeded = false;
  #stage: MembershipStage = "stopped";
  #detail = "This node has not started yet";

  /** REQUIRES: `parts.peers` was made with `parts.identity`, and with `admit` below as its hook. */
  constructor(parts: MembershipParts) {
    const { ports, peers, identity, config, hooks } = parts;
    this.#ports = ports;
    this.#identity = identity;
    this.#config = config;
    this.#hooks = hooks;
    this.#attributes = attributesOf(config, "");
    this.#state = new ClusterState(ports, identity, (id, address) => peers.peer(id, address), {
      drainRequests: (done) => hooks.drainRequests(done),
      onLayoutsChanged: () => this.#layoutsChanged(hooks),
      onRetired: (layout) => hooks.onRetired(layout),
      onOwnNews: () => this.#gossip.spreadNews(),
    });
    this.#votes = new Votes(ports.disk, ports.log);
    this.#skew = new ClockSkew(ports.clock);
    this.#gossip = new Gossip(ports, peers, this.#state, this.#skew, config.join, () => {
      this.#state.updateSelf({ ...this.#attributes, ...this.#replica });
    }, (teller) => this.#dismissed(teller));
    this.#consensus = new Consensus(ports, peers, identity, this.#state, this.#votes);
    this.administration = new Administration(ports.clock, this.#state, this.#consensus);
    this.#detector = new FailureDetector(ports, {
      onSuspected: (member, reason) => this.#suspected(member, reason),
      onRecovered: (member) => this.#recovered(member, hooks),
    });
    this.#farewell = new Farewell(ports.clock, peers, this.#detector);
    this.#joining = new Joining(ports, peers, (answer) => this.#admitted(answer));
    new Admittance({
      clock: ports.clock,
      peers,
      state: this.#state,
      consensus: this.#consensus,
      selfId: () => identity.nodeId,
      isMember: () => this.ready,
      ask: (member) => this.#gossip.exchangeWith(member),
    });
    peers.onOutcome = (peer, ok, why, elapsedMs) => this.#detector.ended(peer, ok, why, elapsedMs);
    peers.onDisconnected = (peer) => this.#detector.disconnected(peer);
    peers.onRefused = (peer, refusal) => this.#refused(peer.id, refusal);
  }

  /**
   * Becomes a member: by what the data directory holds, by founding, or by asking the seeds for as
   * long as it takes. REQUIRES: the node listens for peers already; called once.
   * @param address host:port that peers dial
   * @param done "" once the node is a member or on its way; else a sentence: why it cannot be
   */
  start(address: string, done: (error: string) => void): void {
    this.#attributes = attributesOf(this.#config, address);
    done(this.#tryBegin());
  }

  /** Tells the others that this node is about to stop; calls back once they send nothing more. */
  sayFarewell(done: () => void): void {
    this.#farewell.say(this.members, done);
  }

  /** Stops all timers; nothing is said to the others. */
  stop(): void {
    this.#stage = "stopped";
    this.#joining.stop();
    this.#gossip.stop();
    this.#consensus.stop();
    this.#detector.stop();
    this.#state.stop();
  }

  get stage(): MembershipStage {
    return this.#stage;
  }

  /** Why the node is no member (yet): one sentence; "" while it is one. */
  get detail(): string {
    return this.#stage === "joining" ? this.#joining.detail : this.#detail;
  }

  /** Whether this node is a member with a layout. */
  get ready(): boolean {
    return this.#stage === "member";
  }

  /**
   * Whether this node may coordinate: others heed it. One that leaves is heeded for as long as a
   * layout is in use that names it; after that, a layout may come and go that it has not heard of.
   */
  get coordinates(): boolean {
    return this.#stage === "member" && this.#isHeeded;
  }

  /** This node. REQUIRES: it is or was a member. */
  get self(): Member {
    return this.#state.self;
  }

  /** All that are not gone, sorted by id; empty before this node is a member. */
  get members(): readonly Member[] {
    return this.#state.members.present;
  }

  memberById(id: string): Member | undefined {
    return this.#state.members.byId(id);
  }

  get layouts(): LiveLayouts {
    return this.#state.layouts;
  }

  /** 16 hexadecimal digits; "" before there is one. */
  get clusterId(): string {
    return this.#identity.clusterId() ?? "";
  }

  /** 16 bytes under which contexts are authenticated. REQUIRES: this node is a member. */
  get contextKey(): Uint8Array {
    return this.#state.charter.contextKey;
  }

  /** The cluster's N and default quorums. REQUIRES: this node is a member. */
  get defaults(): QuorumDefaults & { readonly n: number } {
    const { charter } = this.#state;
    if (this.#defaults === null || charter !== this.#defaultsOf) {
      this.#defaultsOf = charter;
      this.#defaults = { n: charter.replicas, ...charter.defaults };
    }
    return this.#defaults;
  }

  get buckets(): Buckets {
    return this.#state.buckets;
  }

  get tokens(): Tokens {
    return this.#state.tokens;
  }

  /** The changes of the membership, oldest first. */
  get history(): readonly MembershipEvent[] {
    return this.#state.members.history;
  }

  /** Gossip rounds since the start. */
  get gossipRounds(): number {
    return this.#gossip.rounds;
  }

  /** How far this node's wall clock is ahead of the median of its peers', in milliseconds. */
  skewMs(): number {
    return this.#skew.skewMs();
  }

  /**
   * Tells all healthy members at once what changed here (bucket properties); calls back when they
   * know, or after the timeout of an exchange where one does not answer.
   */
  tellAll(done: () => void): void {
    this.#gossip.exchangeWithAll(done);
  }

  /** This node is complete for all that it owns in layout `number` (LiveLayouts.syncTarget). */
  reportSynced(number: number): void {
    this.#state.layouts.reportSynced(number);
  }

  /**
   * For display: partitions for which this node is partial, and its store's actor ("": as before).
   * Said with the next gossip round, as it may change often.
   */
  reportReplica(partial: number, actor: string): void {
    this.#replica = actor === "" ? { ...this.#replica, partial } : { partial, actor };
  }

  /** Names of members that have not adopted the newest layout yet. */
  get laggards(): string[] {
    const { number } = this.layouts.current;
    return this.members.filter(({ adopted }) => adopted < number).map(({ name }) => name);
  }

  /** This node leaves and holds nothing any more that others may lack: it may go. */
  reportDrained(): void {
    if (this.ready) this.#state.reportDrained();
  }

  /** Has a changed layout decided by the members. REQUIRES: ready. */
  propose(change: LayoutChange, done: (outcome: ProposalOutcome) => void): void {
    this.#consensus.propose(change, done);
  }

  /** "" where a node may link to this one, else why not (the hook of Peers). */
  admit(identity: PeerIdentity): string {
    const member = identity.nodeId === null ? undefined : this.memberById(identity.nodeId);
    return member === undefined || !isGone(member.status) ? "" : goneSentence(member);
  }

  // The ways in.

  /** "" when the node is a member or on its way, else why it can be neither. */
  #tryBegin(): string {
    try {
      this.#votes.load();
      return this.#begin();
    } catch (error) {
      if (!(error instanceof DiskError || error instanceof MalformedDocument)) throw error;
      return `Cannot start: ${error.message}`;
    }
  }

  #begin(): string {
    const seeds = this.#config.join.filter((seed) => seed !== this.#attributes.address);
    const isKnown = this.#identity.clusterId() !== null;
    if (this.#identity.gone !== "") return `Cannot start: ${this.#identity.gone}`;
    if (isKnown && this.#state.load()) return this.#resume();
    if (seeds.length > 0) {
      this.#stage = "joining";
      const { incarnation } = this.#identity;
      this.#joining.start(seeds, incarnation, this.#attributes, this.#config.joinStaged);
      return "";
    }
    if (isKnown) {
      return `Cannot start: ${STATE_FILE} is gone from the data directory of a member; ` +
        "restore it or name other members with --join";
    }
    return this.#found();
  }

  #found(): string {
    const { partitions, replicas, defaults } = this.#config;
    const charter = foundCharter(this.#ports.random, partitions, replicas, defaults);
    const { nodeId: id, incarnation } = this.#identity;
    const founder = { id, incarnation, attributes: this.#attributes };
    const layout = foundLayout(charter, founder, this.#ports.clock.nowMs());
    this.#state.found(charter, layout);
    this.#identity.admit(id, charter.clusterId, layout.number);
    this.#ports.log.info("Founded a cluster", { cluster: charter.clusterId, node: id });
    return this.#run();
  }

  #resume(): string {
    const { nodeId, incarnation } = this.#identity;
    const self = this.memberById(nodeId);
    if (self === undefined) return `Cannot start: ${STATE_FILE} does not name this node, ${nodeId}`;
    if (isGone(self.status)) return `Cannot start: ${goneSentence(self)}`;
    if (this.#replaced()) return replacedSentence(self, incarnation);
    const { name } = this.#attributes;
    const rival = this.members.find((member) => !member.isSelf && member.name === name);
    if (rival === undefined) return this.#run();
    return `Cannot start: a member named "${name}" exists at ${rival.address}; give another --name`;
  }

  /** @throws MalformedDocument, DiskError */
  #admitted(answer: Admitted): void {
    const { nodeId, since, state } = answer;
    this.#state.takeOver(state, nodeId, (charter) => {
      this.#identity.admit(nodeId, charter.clusterId, since);
    });
    this.#ports.log.info("Let into the cluster", { cluster: this.clusterId, node: nodeId });
    this.#run();
  }

  /** This node is a member: it says so and begins to take part. */
  #run(): string {
    this.#stage = "member";
    this.#detail = "";
    this.#isHeeded = this.#mayCoordinate();
    this.#state.updateSelf(this.#attributes);
    this.#gossip.start();
    this.#detector.watch(this.members);
    this.#state.layouts.evaluate();
    // Layouts that were read back change nothing when evaluated, and are news all the same.
    this.#layoutsChanged(this.#hooks);
    return "";
  }

  // What happens to a member.

  #layoutsChanged(hooks: MembershipHooks): void {
    if (!this.ready) return;
    this.#isHeeded = this.#mayCoordinate();
    if (this.#replaced()) {
      this.#cease(replacedSentence(this.self, this.#identity.incarnation));
    } else {
      this.#detector.watch(this.members);
    }
    hooks.onLayoutsChanged();
  }

  /** Whether this node is in the layout that reads use, or in a newer one: a newcomer is. */
  #mayCoordinate(): boolean {
    const { live, reading } = this.layouts;
    const { nodeId } = this.#identity;
    return live.some(({ number, nodes }) => {
      return number >= reading.number && nodes.some(({ id }) => id === nodeId);
    });
  }

  /** A member says that this node is none any more, and has told it why. */
  #dismissed(teller: string): void {
    if (this.ready && this.#mayEnd(teller)) this.#leave(goneSentence(this.self));
  }

  #mayEnd(teller: string): boolean {
    return this.#departure.heard(teller, this.members, this.#state.hasDrained);
  }

  /** This node is no member any more, and its data directory never will be one's again. */
  #leave(sentence: string): void {
    this.#cease(sentence);
    try {
      this.#identity.leave(sentence);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#ports.log.error("Cannot store that this node is gone", { reason: error.message });
    }
  }

  /** Whether the cluster has taken another data directory for this node's. */
  #replaced(): boolean {
    const { nodeId, incarnation, since } = this.#identity;
    const node = this.layouts.current.nodeById(nodeId);
    return node !== null && node.since > since && node.incarnation !== incarnation;
  }

  #refused(teller: string, refusal: Refusal): void {
    if (!this.ready || refusal.status !== STATUS_NOT_ADMITTED) return;
    if (this.#mayEnd(teller)) this.#leave(refusal.sentence);
  }

  /** This node is no member any more: it takes no part, and says why. */
  #cease(sentence: string): void {
    this.stop();
    this.#stage = "removed";
    this.#detail = sentence;
    this.#ports.log.error("This node is no member any more", { reason: sentence });
  }

  #suspected(member: Member, reason: string): void {
    const { id, name, address } = member;
    this.#ports.log.warn("A member does not answer", { node: id, name, address, reason });
  }

  #recovered(member: Member, hooks: MembershipHooks): void {
    this.#ports.log.info("A member answers again", { node: member.id, name: member.name });
    hooks.onRecovered(member);
  }
}

function attributesOf(config: MembershipConfig, address: string): NodeAttributes {
  const { name, http, zone, capacity } = config;
  return { name, address, http, zone, capacity };
}

/** Of a node that is not there any more, or (itself) is about to go. */
function goneSentence({ id, name, status }: Member): string {
  const what = status === "removed" ? "was removed from" : "has left";
  return `Node ${id} (${name}) ${what} this cluster; ` +
    "empty its data directory to let it join as a new one";
}

function replacedSentence(member: Member, incarnation: string): string {
  return `Node ${member.id} (${member.name}) has come back with another data directory than ` +
    `this one (${incarnation}); empty this one to let it join as a new node`;
}
