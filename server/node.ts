/**
 * One node, put together from its parts; the only file that knows them all.
 *
 *   start ─► identity ─► listen ─► membership
 *                                      │ a member (at once, or when a seed lets it in)
 *                                      ▼
 *            hints, objects ─► actor ─► replication ─► coordination ─► open for requests
 *
 *   stop  ─► no new requests ─► those under way end ─► sync, close ─► the actor marks a clean stop
 *
 * The stores are opened when the node is a member, since the ring is cut in as many partitions as the
 * cluster says. A node that dies without stop() leaves its actor unclean: what that means is decided at
 * the next start (storage/actor, replication/completeness).
 */

import { HybridClock } from "../core/hybrid-clock.ts";
import { frameBytesMax } from "../core/frame.ts";
import type { ObjectName } from "../core/object-name.ts";
import { DiskError } from "../storage/disk.ts";
import type { Engine, VersionSet } from "../storage/engine.ts";
import { Background } from "./admission/background.ts";
import { LatencyWindow } from "./admission/latency-window.ts";
import { MemoryWatermark } from "./admission/memory-watermark.ts";
import { Coordinator } from "./coordination/coordinator.ts";
import { serveClients } from "./coordination/clients.ts";
import { serveRequests } from "./coordination/remote.ts";
import type { QuorumDefaults, Store } from "./coordination/store.ts";
import { readinessOf, type Readiness } from "./coordination/readiness.ts";
import { unreadyStore } from "./coordination/unready-store.ts";
import type { ClusterReport, HttpCluster } from "./http/http-node.ts";
import { Authorization } from "./membership/authorization.ts";
import type { Buckets } from "./membership/buckets.ts";
import { Identity } from "./membership/identity.ts";
import { Membership } from "./membership/membership.ts";
import { NodeActor } from "./node-actor.ts";
import type { NodeConfig } from "./node-config.ts";
import { NodePauses } from "./node-pauses.ts";
import { NodeRepair } from "./node-repair.ts";
import { NodeWork } from "./node-work.ts";
import { clusterReport, layoutReport, partitionBytes, prefixed, storeStatistics } from "./node-reports.ts";
import { OBJECT_BUFFER_BYTES, openStore, type StoreParts } from "./node-stores.ts";
import type { Timer } from "./ports/clock.ts";
import type { Ports } from "./ports/ports.ts";
import { Counters } from "./replication/counters.ts";
import { HintRequests } from "./replication/hint-requests.ts";
import { Replication, type Freshness } from "./replication/replication.ts";
import { NO_REQUESTS } from "./replication/request-list.ts";
import { SupersededRequests } from "./replication/superseded.ts";
import { Peers, type Permission } from "./wire/peers.ts";

/** A stop waits this long for requests under way. */
const DRAIN_MS_MAX = 8_000;
/** What surrounds a set in a frame: name, header, fixed fields. */
const FRAME_ROOM_BYTES = 8_192;

/** Everything that exists only once the node is a member. */
interface Running {
  readonly objects: Engine;
  readonly hints: Engine;
  readonly replication: Replication;
  readonly coordinator: Coordinator;
  readonly repair: NodeRepair;
  readonly work: NodeWork;
}

const NOBODY = { members: [], silent: [] };

export class Node {
  /** Told of the head of each set that is forgotten here, for inspection. */
  onReaped: (head: Uint8Array) => void = () => {};
  readonly #ports: Ports;
  readonly #config: NodeConfig;
  readonly #counters = new Counters();
  readonly #hybridClock: HybridClock;
  readonly #superseded = new SupersededRequests();
  readonly #hintRequests = new HintRequests(this.#superseded);
  readonly #memory: MemoryWatermark;
  /** How long requests took lately, and what may go on beside them. */
  readonly #foreground: LatencyWindow;
  readonly #background: Background;
  readonly #pauses: NodePauses;
  readonly #actor: NodeActor;
  #identity: Identity | null = null;
  #peers: Peers | null = null;
  #membership: Membership | null = null;
  #authorization: Authorization | null = null;
  #running: Running | null = null;
  #wasMember = false;
  #isStopped = false;
  #tcpAddress = "";
  #syncTimer: Timer | null = null;
  /** The disk did not take what is in the index. */
  #hasLostWrites = false;
  /** Why the node cannot run although it is a member. */
  #failure = "";

  constructor(ports: Ports, config: NodeConfig) {
    this.#ports = ports;
    this.#config = config;
    this.#hybridClock = new HybridClock(0, 0, config.maxSkewMs);
    this.#actor = new NodeActor(ports);
    this.#foreground = new LatencyWindow(ports.clock);
    this.#background = new Background(ports.clock, this.#foreground, config.foregroundP99Ms);
    this.#pauses = new NodePauses(ports.disk, this.#background);
    this.#memory = new MemoryWatermark(ports, config.memoryBytesMax, () => this.#bytesHeld());
  }

  /** "" once the node listens and is a member or on its way to become one; else one sentence. */
  start(done: (error: string) => void): void {
    const ports = this.#ports;
    try {
      this.#identity = Identity.load(ports.disk, ports.random, this.#config.name);
    } catch (error) {
      return done(`Cannot start: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#identity.secret = this.#config.secret;
    this.#wasMember = this.#identity.clusterId() !== null;
    const limits = {
      frameBytesMax: frameBytesMax(this.#config.maxValueBytes),
      connectionsMax: this.#config.peerConnectionsMax,
    };
    const admit = (identity: Parameters<Membership["admit"]>[0]): string =>
      this.membership.admit(identity);
    const permit = (token: string): Permission | null => this.authorization?.principal(token) ?? null;
    this.#peers = new Peers(ports, this.#identity, { limits, admit, permit });
    this.#membership = this.#makeMembership(this.#identity, this.#peers);
    const { secret } = this.#config;
    if (secret !== null) this.#authorization = new Authorization(this.membership.tokens, secret, ports.clock);
    return this.#peers.listen(this.#config.tcp, (address, error) => {
      if (error !== "") return done(error);
      this.#tcpAddress = address;
      const advertised = this.#config.advertise === "" ? address : this.#config.advertise;
      return this.membership.start(advertised, (problem) => done(problem || this.#failure));
    });
  }

  /** Drains, syncs, closes; calls back when nothing is left. */
  stop(done: () => void): void {
    this.#isStopped = true;
    this.#syncTimer?.cancel();
    this.#memory.stop();
    const running = this.#running;
    if (running === null) return this.#leave(done);
    running.coordinator.stop();
    let isDrained = false;
    const drained = (): void => {
      if (isDrained) return;
      isDrained = true;
      timer.cancel();
      running.replication.stop();
      this.#leave(() => this.#closeStores(running, done));
    };
    const timer = this.#ports.clock.after(DRAIN_MS_MAX, drained);
    return this.membership.sayFarewell(() => running.coordinator.drain(drained));
  }

  get store(): Store {
    return this.#running?.coordinator ?? unreadyStore;
  }

  get membership(): Membership {
    if (this.#membership === null) throw new Error("The node has not been started");
    return this.#membership;
  }

  get buckets(): Buckets {
    return this.membership.buckets;
  }

  get authorization(): Authorization | null {
    return this.#authorization;
  }

  /** Tells all healthy members of changed bucket properties or tokens; calls back when they know. */
  tellAll(done: () => void): void {
    this.membership.tellAll(done);
  }

  /** N and the default quorums: the cluster's, or before this node is a member, its configuration's. */
  get defaults(): QuorumDefaults & { readonly n: number } {
    if (this.membership.ready) return this.membership.defaults;
    return { n: this.#config.replicas, ...this.#config.defaults };
  }

  /** Connections with other nodes and client libraries, in either direction. */
  get connectionCount(): number {
    return this.#peers?.connectionCount ?? 0;
  }

  get tcpAddress(): string {
    return this.#tcpAddress;
  }

  /** The engines, for inspection; null before this node is a member. */
  get objects(): Engine | null {
    return this.#running?.objects ?? null;
  }
  get hints(): Engine | null {
    return this.#running?.hints ?? null;
  }

  /** Whether this node has seen a write superseded, for inspection. @param checksum of its payload */
  hasSuperseded(name: ObjectName, requestId: Uint8Array, checksum: number): boolean {
    return this.#running?.replication.isSuperseded(name, requestId, 0, checksum) ?? false;
  }

  /** Stores a finished state at all owners of its name; "" or one sentence. */
  storeAtOwners(name: ObjectName, set: VersionSet, done: (detail: string) => void): void {
    if (this.#running === null || this.#isStopped) return done("This node is not ready");
    return this.#running.replication.storeAtOwners(name, set, NO_REQUESTS, done);
  }

  /** Whether a state of this round may have been deleted since, and the delete forgotten. */
  isOutdated(name: ObjectName, round: number): boolean {
    return this.#running?.replication.isOutdated(name, round) ?? false;
  }

  readiness(forWrite: boolean): Readiness {
    if (this.#failure !== "") return { ready: false, detail: this.#failure };
    const running = this.#running;
    if (running === null || this.#isStopped) {
      return { ready: false, detail: this.membership.detail || "This node is stopping" };
    }
    if (this.#hasLostWrites) return { ready: false, detail: "The disk failed; requests are passed on" };
    return readinessOf(this.membership, running.replication.partialCount(), forWrite);
  }

  /** What GET /cluster shows. */
  clusterReport(): ClusterReport {
    return clusterReport(this.membership, this.#identity?.nodeId ?? "");
  }

  /** What administrators ask for. */
  get cluster(): HttpCluster {
    const { administration } = this.membership;
    return {
      layout: () => layoutReport(this.membership),
      plan: () => administration.plan(partitionBytes(this.membership, this.objects)),
      stage: (orders) => administration.stage(orders),
      revert: (node) => administration.revert(node),
      commit: (order, done) => administration.commit(order, done),
      repair: (wish, done) => {
        if (this.#running === null) done(NOBODY);
        else this.#running.repair.begin(wish, done);
      },
      repairs: (done) => {
        if (this.#running === null) done(NOBODY);
        else this.#running.repair.status(done);
      },
      work: (done) => {
        if (this.#running === null) done(NOBODY);
        else this.#running.work.status(done);
      },
      pause: (order, done) => {
        if (this.#running === null) done(NOBODY);
        else this.#running.work.pause(order, done);
      },
    };
  }

  /** Counters and gauges by name. */
  statistics(): Record<string, number> {
    const statistics: Record<string, number> = { ...this.#counters };
    const running = this.#running;
    if (running === null) return statistics;
    return {
      ...statistics,
      ...storeStatistics(running.objects.stats(), running.hints.stats()),
      partitionsSurplus: running.replication.surplusCount(),
      partitionsPartial: running.replication.partialCount(),
      requestsUnderWay: running.coordinator.underWay,
      requestsUnanswered: running.coordinator.unanswered,
      requestP99Ms: this.#foreground.percentile(0.99),
      backgroundBytesPerSecondMax: Math.round(this.#background.bytesPerSecond),
      ...this.#watermarks(),
      ...prefixed("wire", this.#peers?.counters ?? {}),
    };
  }

  /** What there is room for, and 1 for what refuses writes now. */
  #watermarks(): Record<string, number> {
    const free = this.#freeBytes();
    const { freeBytesMin } = this.#config;
    return {
      diskBytesFree: free,
      diskBytesFreeMin: freeBytesMin,
      diskRefuses: free < freeBytesMin ? 1 : 0,
      memoryBytesUsed: this.#memory.usedBytes,
      memoryBytesMax: this.#memory.bytesMax,
      memoryRefuses: this.#memory.refusal === "" ? 0 : 1,
    };
  }

  #freeBytes(): number {
    try {
      return this.#ports.disk.freeBytes();
    } catch (error) {
      if (error instanceof DiskError) return 0;
      throw error;
    }
  }

  /** Bytes of memory that the stores are known to hold. */
  #bytesHeld(): number {
    const running = this.#running;
    if (running === null) return 0;
    const objects = running.objects.stats();
    const hints = running.hints.stats();
    const indexes = objects.indexBytes + hints.indexBytes;
    if (this.#config.engine === "log") return indexes + OBJECT_BUFFER_BYTES;
    return indexes + objects.totalBytes + hints.totalBytes;
  }

  // Putting together.

  #makeMembership(identity: Identity, peers: Peers): Membership {
    const config = this.#config;
    return new Membership({
      ports: this.#ports,
      peers,
      identity,
      config,
      hooks: {
        drainRequests: (done) => {
          if (this.#running === null) done();
          else this.#running.coordinator.drain(done);
        },
        onLayoutsChanged: () => this.#layoutsChanged(),
        onRetired: () => this.#running?.replication.retired(),
        onRecovered: () => this.#running?.replication.recovered(),
      },
    });
  }

  /** The first layout opens the stores; later ones are told to replication. */
  #layoutsChanged(): void {
    if (this.#isStopped || !this.membership.ready) return;
    if (this.#running !== null) this.#running.replication.layoutsChanged();
    else if (this.#failure === "") this.#open();
  }

  #open(): void {
    const problem = this.#pauses.restore();
    if (problem !== "") this.#ports.log.error("what was paused is not known, so nothing is", { problem });
    openStore(this.#storeParts(), "hints", (hints, hintsError) => {
      if (hints === null) return this.#fail(hintsError);
      return openStore(this.#storeParts(), "objects", (objects, objectsError) => {
        if (objects === null) return this.#fail(objectsError);
        return this.#openRest(objects, hints);
      });
    });
  }

  #storeParts(): StoreParts {
    return {
      ports: this.#ports,
      config: this.#config,
      membership: this.membership,
      superseded: this.#superseded,
      hintRequests: this.#hintRequests,
      background: this.#background,
      mayGrow: () => this.#memory.refusal,
    };
  }

  #openRest(objects: Engine, hints: Engine): void {
    try {
      // Names that were lost had dots, and nobody can say whose.
      this.#actor.open(this.#config.engine === "log" && objects.lostNames === 0);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return this.#fail(error.message);
    }
    const { stampMs, stampLogical } = this.#actor.current;
    this.#hybridClock.resume(stampMs, stampLogical, this.#ports.clock.nowMs());
    this.#running = this.#run(objects, hints);
    this.#memory.start();
    this.#running.replication.start(this.#freshness());
    // What the store may have lost is on disk as partial marks by now; a crash before forgets nothing.
    this.#actor.current.lossRecorded();
    return this.#syncLater();
  }

  #run(objects: Engine, hints: Engine): Running {
    const { membership, peers } = this.#members();
    // Frames acknowledge writes: the kernel gets those first.
    peers.wiring.maySend = () => this.#hasLostWrites || this.#isHandedOver(peers, objects, hints);
    const setBytesMax = frameBytesMax(this.#config.maxValueBytes) - FRAME_ROOM_BYTES;
    const replication = new Replication({
      ports: this.#ports,
      background: this.#background,
      membership,
      peers,
      objects,
      hints,
      counters: this.#counters,
      superseded: this.#superseded,
      hintRequests: this.#hintRequests,
      partitions: membership.layouts.current.partitions,
      setBytesMax,
      streamBytesMin: this.#config.streamBytesMin,
      sliceBytes: this.#config.sliceBytes,
      transfer: this.#config.transfer,
      antiEntropy: this.#config.antiEntropy,
      reaping: { afterMs: this.#config.reapAfterMs, intervalMs: this.#config.reapIntervalMs },
      onReaped: (head) => this.onReaped(head),
      drainRequests: (done) => {
        if (this.#running === null) done();
        else this.#running.coordinator.drain(done);
      },
      scrubBytesPerSecond: this.#config.engine === "log" ? this.#config.scrubBytesPerSecond : 0,
      actorText: () => this.#actor.text,
      hasLostWrites: () => this.#hasLostWrites,
      mayForgetDots: () => this.#actor.renew(),
    });
    const { maxValueBytes, clockEntriesMax, maxSkewMs, requestsMax } = this.#config;
    const coordinator = new Coordinator({
      ports: this.#ports,
      membership,
      replication,
      foreground: this.#foreground,
      wheel: peers.wheel,
      hybridClock: this.#hybridClock,
      dots: this.#actor,
      maxValueBytes,
      requestsMax,
      clockEntriesMax,
      maxSkewMs,
    });
    serveRequests(peers, coordinator);
    serveClients(peers, membership, coordinator);
    const background = this.#background;
    const p99Ms = (): number => this.#foreground.percentile(0.99);
    const [pauses, { log }] = [this.#pauses, this.#ports];
    const work = new NodeWork({ membership, peers, replication, background, pauses, log, p99Ms });
    const repair = new NodeRepair(membership, replication);
    return { objects, hints, replication, coordinator, repair, work };
  }

  /**
   * Whether the kernel has all that was written here. A disk that did not take it: what might tell of it is
   * cut off with all connections, once. From then on this node is no replica, and passes requests on.
   */
  #isHandedOver(peers: Peers, objects: Engine, hints: Engine): boolean {
    if (objects.handOver() && hints.handOver()) return true;
    this.#hasLostWrites = true;
    this.#ports.log.error("the disk failed: this node holds nothing any more that others may count on");
    peers.cutAll("what was written here cannot be kept");
    return false;
  }

  #members(): { membership: Membership; peers: Peers } {
    const peers = this.#peers;
    if (peers === null) throw new Error("The node has not been started");
    return { membership: this.membership, peers };
  }

  #freshness(): Freshness {
    const { current } = this.membership.layouts;
    const isFounder = !this.#wasMember && current.number === 1;
    if (isFounder) return "founded";
    const { mayHaveLost } = this.#actor.current;
    const isKept = this.#wasMember && !mayHaveLost;
    return isKept ? "kept" : "lost";
  }

  #fail(error: string): void {
    this.#failure = `Cannot open the store: ${error}`;
    this.#ports.log.error("the store cannot be opened", { error });
  }

  /** What was written and not asked to be durable is synced at least this often. */
  #syncLater(): void {
    this.#syncTimer = this.#ports.clock.after(this.#config.syncIntervalMs, () => {
      const running = this.#running;
      if (running === null || this.#isStopped) return;
      if (running.objects.unsynced) running.objects.sync(() => {});
      if (running.hints.unsynced) running.hints.sync(() => {});
      this.#syncLater();
    });
  }

  #leave(done: () => void): void {
    this.#membership?.stop();
    this.#peers?.close();
    done();
  }

  #closeStores(running: Running, done: () => void): void {
    running.hints.close(() => {
      running.objects.close(() => {
        this.#actor.close(this.#hybridClock.ms, this.#hybridClock.logical);
        done();
      });
    });
  }
}
