/**
 * A whole cluster in one process: machines with a disk and a wall clock each, a network between
 * them, and on every machine that is up one node of the product, made of nothing but simulated
 * ports.
 *
 *   machine   outlives its processes: disk, date, boot id
 *   process   one Node with its ports. A crash drops it as it stands: no stop(), its timers never
 *             fire again, its sockets are cut, its disk handle is dead
 *
 *   kill -9       the kernel stays: same boot id, all that was written is there at the next start
 *   power loss    another boot id; what was not synced is lost or torn; peers are told nothing
 *   empty disk    as power loss, and the data directory is new
 */

import { Node } from "../../server/node.ts";
import type { Peer } from "../../server/wire/peer.ts";
import { nodeConfigDefaults } from "../../server/node-config.ts";
import type { Log, LogFields } from "../../server/ports/log.ts";
import type { Store } from "../../server/coordination/store.ts";
import { SYNC_INTERVAL_MS_DEFAULT } from "../../core/limits.ts";
import { SeededRandom } from "../random.ts";
import type { Servers } from "./calls.ts";
import { SimulatedClock, WallClock, World } from "./clock.ts";
import { SimulatedDisk } from "./disk.ts";
import type { Breakable } from "./faults.ts";
import type { Losses } from "./losses.ts";
import { SimulatedMemory } from "./memory.ts";
import { SimulatedNetwork } from "./network.ts";
import type { Shape } from "./shape.ts";
import type { Trace } from "./trace.ts";

/** What a replica may take to sync a write beyond its interval and two syncs. */
const SYNC_SLACK_MS = 50;

const PORT = 7071;
/** Small, so that a run rolls over segments. */
const SEGMENT_BYTES = 64 << 10;
const REAP_INTERVAL_MS = 2_000;
/** Partitions are small here, and every one comes to a new owner in chunks. */
const TRANSFER = { chunkEntries: 2, entriesMin: 1 };
/** One value in twenty is large, and travels in up to fifty slices. */
const STREAM_BYTES_MIN = 500;
const SLICE_BYTES = 2_000;
const encoder = new TextEncoder();

/** One life of a node, from start to crash. */
interface Process {
  readonly node: Node;
  readonly clock: SimulatedClock;
  /** start() has called back: it takes requests. */
  isRunning: boolean;
}

class Machine {
  readonly index: number;
  readonly name: string;
  readonly wall: WallClock;
  disk: SimulatedDisk;
  process: Process | null = null;
  boots = 1;
  starts = 0;
  /** Whether it is a member or on its way to become one. */
  isInside: boolean;
  hearsClients = true;
  tellsClients = true;
  /** Whether an administrator is to let it in. */
  isStaged = false;
  /** Whether its next process is one of the other version. */
  isOther = false;
  /** How far its date has been moved. */
  jumpedMs = 0;
  /** What was written from here on may not be synced, as long as `steadyAtMs` lies ahead. */
  shakyFromMs = 0;
  steadyAtMs = 0;

  constructor(index: number, world: World, disk: SimulatedDisk, isInside: boolean) {
    this.isInside = isInside;
    this.index = index;
    this.name = `n${index}`;
    this.wall = new WallClock(world);
    this.disk = disk;
  }

  get address(): string {
    return `${this.name}:${PORT}`;
  }
}

export interface ClusterOptions {
  readonly shape: Shape;
  readonly world: World;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly losses: Losses;
  /** A node is gone; what it was asked will not be answered. */
  readonly died: (node: number) => void;
  /** Another version of the node, for machines that are told to run it. */
  readonly otherVersion?: typeof Node | undefined;
  /** Told of the head of each set that a node forgets. */
  readonly reaped?: (head: Uint8Array) => void;
}

export class Cluster implements Servers, Breakable {
  readonly network: SimulatedNetwork;
  readonly #options: ClusterOptions;
  readonly #machines: Machine[] = [];
  #truncationsBefore = 0;

  constructor(options: ClusterOptions) {
    const { shape, world, random } = options;
    this.#options = options;
    this.network = new SimulatedNetwork(world, new SeededRandom(random.uint32()), {
      delayMsMin: 0.2,
      delayMsMean: 0.5,
    });
    for (let index = 0; index < shape.nodes + shape.administration.spares; index++) {
      const disk = this.#emptyDisk();
      this.#machines.push(new Machine(index, world, disk, index < shape.nodes));
    }
  }

  get count(): number {
    return this.#machines.length;
  }

  /** Machines that are members or on their way to become one. */
  get inside(): number[] {
    return this.#machines.filter(({ isInside }) => isInside).map(({ index }) => index);
  }

  isInside(index: number): boolean {
    return this.#machines[index].isInside;
  }

  name(index: number): string {
    return this.#machines[index].name;
  }

  /** Starts a spare machine, which asks the others to be let in. */
  enter(index: number, isStaged: boolean): void {
    const machine = this.#machines[index];
    machine.isInside = true;
    machine.isStaged = isStaged;
    this.start(index);
  }

  /** A machine that is no member any more is switched off and gets an empty disk. */
  retire(index: number): void {
    const machine = this.#machines[index];
    if (machine.process !== null) this.#drop(machine, false);
    machine.disk.kill();
    machine.disk = this.#emptyDisk();
    machine.boots++;
    machine.steadyAtMs = 0;
    machine.isInside = false;
  }

  /** A machine dies with its disk, and will not come back as what it was. */
  destroy(index: number): void {
    this.wipe(index);
    this.#machines[index].isInside = false;
  }

  /** The true date. */
  get dateMs(): number {
    return new WallClock(this.#options.world).nowMs();
  }

  /** A machine's disk, to be looked at or harmed. */
  disk(index: number): SimulatedDisk {
    return this.#machines[index].disk;
  }

  /** The machine at an address; -1: none. */
  indexAt(address: string): number {
    return this.#machines.findIndex((machine) => machine.address === address);
  }

  /** The machine whose node has this link to a member; -1: none, as of links to seeds. */
  ownerOf(link: Peer): number {
    return this.#machines.findIndex(({ index }) => {
      const membership = this.node(index)?.membership;
      return membership?.ready === true && membership.members.some(({ peer }) => peer === link);
    });
  }

  /** The node on a machine, or null while it is down or still starting. */
  node(index: number): Node | null {
    const process = this.#machines[index].process;
    return process !== null && process.isRunning ? process.node : null;
  }

  /** Clients do not reach a node any more, or do not get its answers. */
  cutClients(index: number, requests: boolean, answers: boolean): void {
    this.#machines[index].hearsClients = !requests;
    this.#machines[index].tellsClients = !answers;
  }

  /** Whether what a node answers gets to its clients. */
  tells(index: number): boolean {
    return this.#machines[index].tellsClients;
  }

  reach(index: number, use: (store: Store) => void): boolean {
    if (!this.#machines[index].hearsClients) return false;
    const process = this.#machines[index].process;
    if (process === null || !process.isRunning) return false;
    const { world } = this.#options;
    world.at(world.now, process.clock, () => use(process.node.store));
    return true;
  }

  start(index: number): void {
    const { shape, world, random, trace } = this.#options;
    const machine = this.#machines[index];
    const clock = new SimulatedClock(world, machine.name, machine.wall);
    const isFounder = index === 0 && machine.starts++ === 0;
    const others = this.#machines.filter((other) => other !== machine);
    const Version = machine.isOther ? (this.#options.otherVersion ?? Node) : Node;
    const node = new Version({
      clock,
      random: new SeededRandom(random.uint32()),
      network: this.network.port(machine.name, clock),
      disk: machine.disk.mount(clock),
      log: this.#log(machine.name),
      memory: new SimulatedMemory(),
      bootId: `${machine.name} boot ${machine.boots}`,
    }, {
      ...nodeConfigDefaults,
      name: machine.name,
      tcp: machine.address,
      http: `${machine.name}:7070`,
      joinStaged: machine.isStaged,
      join: isFounder ? [] : others.map((other) => other.address),
      engine: shape.engine,
      partitions: shape.partitions,
      replicas: shape.replicas,
      clockEntriesMax: shape.clockEntriesMax,
      segmentBytes: SEGMENT_BYTES,
      streamBytesMin: STREAM_BYTES_MIN,
      sliceBytes: SLICE_BYTES,
      compactionColdMs: shape.compactionColdMs,
      transfer: TRANSFER,
      reapAfterMs: shape.reapAfterMs,
      reapIntervalMs: REAP_INTERVAL_MS,
      requestsMax: shape.requestsMax ?? nodeConfigDefaults.requestsMax,
      secret: shape.secret ?? null,
    });
    const process = { node, clock, isRunning: false };
    machine.process = process;
    node.onReaped = (head) => this.#options.reaped?.(head);
    node.start((error) => {
      if (/has left this cluster/.test(error)) return this.#drop(machine, false);
      if (error !== "") throw new Error(`${machine.name} does not start: ${error}`);
      process.isRunning = true;
      machine.steadyAtMs = world.elapsedMs + this.#syncWindowMs;
      trace.add(world.elapsedMs, `node ${index} runs${Version === Node ? "" : " the other version"}`);
    });
  }

  /** From its next start on a machine runs the other version of the node, or this one. */
  runOther(index: number, isOther: boolean): void {
    this.#machines[index].isOther = isOther;
  }

  isUp(index: number): boolean {
    return this.#machines[index].process !== null;
  }

  isPaused(index: number): boolean {
    const process = this.#machines[index].process;
    return process !== null && process.clock.pausedUntil > this.#options.world.now;
  }

  kill(index: number): void {
    const machine = this.#machines[index];
    this.#shake(machine, Infinity);
    this.#drop(machine, false);
    machine.disk.kill();
  }

  unplug(index: number): void {
    const { losses, world } = this.#options;
    const machine = this.#machines[index];
    losses.power(index, world.elapsedMs, this.#unsyncedSince(machine));
    this.#drop(machine, true);
    machine.disk.unplug();
    machine.boots++;
    machine.steadyAtMs = 0;
  }

  pause(index: number, forMs: number): void {
    const machine = this.#machines[index];
    this.#shake(machine, this.#options.world.elapsedMs + forMs + this.#syncWindowMs);
    machine.process?.clock.pause(forMs);
  }

  mayWipe(index: number): boolean {
    const { inside } = this;
    if (!this.isInside(index) || inside.length < 2 || !this.isUp(index)) return false;
    return inside.every((other) => {
      const node = this.node(other);
      if (node === null || this.isPaused(other) || !node.membership.ready) return false;
      const { self, layouts } = node.membership;
      // A machine that was destroyed is inside no more, and votes until its removal is committed.
      if (layouts.current.nodes.length !== inside.length) return false;
      return self.partial === 0 && self.status === "member" && layouts.live.length === 1;
    });
  }

  wipe(index: number): void {
    const { losses, world } = this.#options;
    const machine = this.#machines[index];
    losses.wipe(index, world.elapsedMs);
    this.#drop(machine, true);
    machine.disk.unplug();
    machine.disk = this.#emptyDisk();
    machine.boots++;
    machine.steadyAtMs = 0;
  }

  /**
   * Whether all nodes run and agree that they all are members, with one layout and nothing to move.
   */
  isSettled(): boolean {
    const { inside } = this;
    const numbers = new Set<number>();
    for (const index of inside) {
      const node = this.node(index);
      if (node === null || node.objects === null || !node.membership.ready) return false;
      const { layouts, members, self } = node.membership;
      if (members.length !== inside.length || layouts.live.length !== 1) return false;
      if (layouts.current.nodes.length !== inside.length || self.partial > 0) return false;
      numbers.add(layouts.current.number);
    }
    return numbers.size === 1;
  }

  /** Gives a bucket the policy "the last write wins", through the first node. */
  setLastWriteWins(bucket: string): void {
    const node = this.node(0);
    if (node === null) throw new Error("the first node is down");
    const { buckets, layouts } = node.membership;
    const replicas = layouts.current.replicas;
    const error = buckets.set(encoder.encode(bucket), { policy: "lww" }, replicas);
    if (error !== "") throw new Error(error);
  }

  /** Whether every node knows that policy. */
  knowsLastWriteWins(bucket: string): boolean {
    const name = encoder.encode(bucket);
    return this.inside.every((index) => {
      return this.node(index)?.membership.buckets.get(name).policy === "lww";
    });
  }

  /** The numbers of the live layouts at every node: equal texts, nothing came or went. */
  get layoutsKnown(): string {
    return this.#machines.map(({ process }) => {
      if (process === null || !process.node.membership.ready) return "";
      return process.node.membership.layouts.live.map(({ number }) => number).join();
    }).join(" ");
  }

  /** A machine's date. */
  wallMs(index: number): number {
    return this.#machines[index].wall.nowMs();
  }

  /**
   * Whether every other node that is up reaches this one and is reached by it now, over links that lose
   * nothing, and holds it for healthy.
   */
  isReachedByAll(index: number): boolean {
    const node = this.node(index);
    if (node === null || !node.membership.ready || this.isPaused(index)) return false;
    for (let other = 0; other < this.count; other++) {
      const process = this.node(other);
      if (other === index || process === null) continue;
      const { objects, membership } = process;
      if (this.isPaused(other) || objects === null || !membership.ready) return false;
      if (!this.#isGood(index, other) || !this.#isGood(other, index)) return false;
      if (membership.memberById(node.membership.self.id)?.healthy !== true) return false;
    }
    return true;
  }

  #isGood(from: number, to: number): boolean {
    const { cut, lossPermille, cloggedUntil } = this.#link(from, to);
    return !cut && lossPermille === 0 && cloggedUntil <= this.#options.world.now;
  }

  jumpClock(index: number, byMs: number): void {
    const machine = this.#machines[index];
    machine.wall.jump(byMs);
    machine.jumpedMs += byMs;
  }

  mendClock(index: number): void {
    const machine = this.#machines[index];
    machine.wall.jump(-machine.jumpedMs);
    machine.jumpedMs = 0;
  }

  /** Ends all that was cut, starts who is down, sets clocks right. */
  mend(): void {
    for (let index = 0; index < this.count; index++) {
      for (let other = 0; other < this.count; other++) this.cut(index, other, false);
      this.cutClients(index, false, false);
      this.mendClock(index);
      if (this.isInside(index) && !this.isUp(index)) this.start(index);
    }
  }

  cut(from: number, to: number, isCut: boolean): void {
    if (from !== to) this.#link(from, to).cut = isCut;
  }

  clog(from: number, to: number, forMs: number): void {
    this.network.clog(this.#machines[from].name, this.#machines[to].name, forMs);
  }

  /** Makes all links as bad as the shape says, or well again. */
  setWeather(isBad: boolean): void {
    const { lossPercent, duplicatePercent, delayMeanMs } = this.#options.shape.network;
    this.network.setAll({
      lossPermille: isBad ? 10 * lossPercent : 0,
      duplicatePermille: isBad ? 10 * duplicatePercent : 0,
      splitPermille: isBad ? 20 : 0,
      delayMsMean: isBad ? delayMeanMs : 0.5,
      cloggedUntil: 0,
    });
  }

  #link(from: number, to: number) {
    return this.network.link(this.#machines[from].name, this.#machines[to].name);
  }

  /** Clock entries that any node has truncated so far. */
  get truncations(): number {
    let total = this.#truncationsBefore;
    for (const { process } of this.#machines) total += truncationsOf(process);
    return total;
  }

  #drop(machine: Machine, isSilent: boolean): void {
    const { losses, world } = this.#options;
    losses.crash(world.elapsedMs);
    this.#truncationsBefore += truncationsOf(machine.process);
    this.network.kill(machine.name, { silent: isSilent });
    machine.process = null;
    this.#options.died(machine.index);
  }

  /**
   * Within this time after a write a replica has synced it, if it runs and keeps its power: the
   * interval, the sync that was under way, and its own.
   */
  get #syncWindowMs(): number {
    return SYNC_INTERVAL_MS_DEFAULT + 2 * this.#options.shape.syncMsMax + SYNC_SLACK_MS;
  }

  /** Syncing is held up until `untilMs`; what was written just before is not synced either. */
  #shake(machine: Machine, untilMs: number): void {
    machine.shakyFromMs = this.#unsyncedSince(machine);
    machine.steadyAtMs = Math.max(machine.steadyAtMs, untilMs);
  }

  /** What this machine took before this time is synced. */
  #unsyncedSince(machine: Machine): number {
    const { elapsedMs } = this.#options.world;
    return elapsedMs < machine.steadyAtMs ? machine.shakyFromMs : elapsedMs - this.#syncWindowMs;
  }

  #emptyDisk(): SimulatedDisk {
    const { world, random } = this.#options;
    const { syncMsMax } = this.#options.shape;
    return new SimulatedDisk(world, new SeededRandom(random.uint32()), { syncMsMax });
  }

  #log(name: string): Log {
    const { world, trace } = this.#options;
    const line = (level: string) => (event: string, fields?: LogFields): void => {
      trace.add(world.elapsedMs, `${name} ${level} ${event} ${JSON.stringify(fields ?? {})}`);
    };
    return { info: line("info"), warn: line("warn"), error: line("error") };
  }
}

function truncationsOf(process: Process | null): number {
  return process === null ? 0 : process.node.statistics()["clockTruncations"];
}
