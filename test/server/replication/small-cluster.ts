/**
 * A cluster whose floors lie open: in one simulated world, nodes with a real membership, wire,
 * replication and coordination, put together by hand on memory engines that can be told to fail.
 *
 * (test/simulation/stage.ts drives whole nodes from outside; here tests reach into one floor.)
 */

import { valueBytes } from "../../../server/coordination/value.ts";
import { HybridClock } from "../../../core/hybrid-clock.ts";
import { ObjectName } from "../../../core/object-name.ts";
import { Background } from "../../../server/admission/background.ts";
import { LatencyWindow } from "../../../server/admission/latency-window.ts";
import { Coordinator } from "../../../server/coordination/coordinator.ts";
import { serveClients } from "../../../server/coordination/clients.ts";
import { serveRequests } from "../../../server/coordination/remote.ts";
import type {
  ListRequest,
  ListResult,
  PutRequest,
  Result,
  WriteOptions,
} from "../../../server/coordination/store.ts";
import { Authorization } from "../../../server/membership/authorization.ts";
import { Identity } from "../../../server/membership/identity.ts";
import type { Member } from "../../../server/membership/member.ts";
import { Membership } from "../../../server/membership/membership.ts";
import type { Ports } from "../../../server/ports/ports.ts";
import type { AntiEntropyTimes } from "../../../server/replication/anti-entropy.ts";
import { Counters } from "../../../server/replication/counters.ts";
import { HintRequests } from "../../../server/replication/hint-requests.ts";
import { Replication } from "../../../server/replication/replication.ts";
import type { ReapingTimes } from "../../../server/replication/replication-parts.ts";
import { SupersededRequests } from "../../../server/replication/superseded.ts";
import { Peers } from "../../../server/wire/peers.ts";
import type { ReadOutcome, VersionSet } from "../../../storage/engine.ts";
import { openMemoryEngine } from "../../../storage/memory/memory-engine.ts";
import { SeededRandom } from "../../random.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { SimulatedMemory } from "../../simulation/memory.ts";
import { SimulatedNetwork } from "../../simulation/network.ts";
import { testConfig } from "../membership/community.ts";
import { silentLog, SmallDisk } from "../membership/small-disk.ts";
import { FaultyEngine } from "./faulty-engine.ts";

const PARTITION_BITS = 4;
/** What is large here, and the slices in which it travels. */
export const STREAM_BYTES_MIN = 8 << 10;
export const SLICE_BYTES = 3 << 10;
const LIMIT_MS = 60_000;
const MAX_SKEW_MS = 2_000;
/** What surrounds a set in a frame, and what membership needs in any case. */
const FRAME_ROOM_BYTES = 8_192;
const FRAME_BYTES_MIN = 1 << 16;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface ClusterOptions {
  readonly seed?: number;
  /** Sets of more bytes than this do not fit a frame. */
  readonly setBytesMax?: number;
  readonly hintBytesMax?: number;
  readonly requestsMax?: number;
  readonly antiEntropy?: AntiEntropyTimes;
  /** Tombstones are looked for so often, and go so soon; default: never. */
  readonly reaping?: ReapingTimes;
  /** The cluster's: clients need a token then. */
  readonly secret?: Uint8Array;
}

export type PutExtras = Partial<
  & Pick<PutRequest, "context" | "requestId" | "isDelete" | "ttlSeconds" | "precondition" | "returnBody">
  & WriteOptions
>;

export function nameOf(text: string): ObjectName {
  return new ObjectName(encoder.encode(text));
}

export class SmallNode {
  readonly name: string;
  readonly clock: SimulatedClock;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly counters = new Counters();
  readonly foreground: LatencyWindow;
  readonly background: Background;
  readonly objects: FaultyEngine;
  readonly hints: FaultyEngine;
  /** Dots of the store; a new actor begins with each "dots forgotten". */
  actor: Uint8Array;
  counter = 0;
  renewals = 0;
  readonly #cluster: SmallCluster;
  readonly #ports: Ports;
  #running: { replication: Replication; coordinator: Coordinator } | null = null;
  #authorization: Authorization | null = null;

  constructor(cluster: SmallCluster, name: string, seeds: readonly string[]) {
    this.name = name;
    this.#cluster = cluster;
    this.clock = new SimulatedClock(cluster.world, name);
    this.foreground = new LatencyWindow(this.clock);
    this.background = new Background(this.clock, this.foreground, 25);
    const disk = new SmallDisk();
    const random = new SeededRandom(cluster.random.uint32());
    const network = cluster.network.port(name, this.clock);
    const memory = new SimulatedMemory();
    this.#ports = { clock: this.clock, random, network, disk, log: silentLog, memory, bootId: "one" };
    this.actor = new Uint8Array(8);
    random.fill(this.actor);
    const shape = { partitionBits: PARTITION_BITS, treeKey: new Int32Array(4) };
    const large = { streamBytesMin: STREAM_BYTES_MIN, sliceBytes: SLICE_BYTES };
    const engine = { ...shape, ...large, freeBytesMin: 0, totalBytesMax: 0 };
    this.objects = new FaultyEngine(openMemoryEngine({ ...engine, folder: "objects" }));
    const totalBytesMax = cluster.options.hintBytesMax ?? 0;
    this.hints = new FaultyEngine(openMemoryEngine({ ...engine, folder: "hints", totalBytesMax }));
    const identity = Identity.load(disk, random, name);
    const { secret = null } = cluster.options;
    identity.secret = secret;
    const { setBytesMax } = cluster.options;
    const frameBytesMax = Math.max(FRAME_BYTES_MIN, (setBytesMax ?? 1 << 20) + FRAME_ROOM_BYTES);
    this.peers = new Peers(this.#ports, identity, {
      admit: (who) => this.membership.admit(who),
      permit: (token) => {
        this.#authorization ??= secret === null ? null : new Authorization(this.membership.tokens, secret, this.clock);
        return this.#authorization?.principal(token) ?? null;
      },
      limits: { frameBytesMax },
    });
    this.membership = new Membership({
      ports: this.#ports,
      peers: this.peers,
      identity,
      config: { ...testConfig, name, http: `${name}:7070`, join: seeds },
      hooks: {
        drainRequests: (done) => {
          if (this.#running === null) done();
          else this.#running.coordinator.drain(done);
        },
        onLayoutsChanged: () => this.#layoutsChanged(),
        onRetired: () => {},
        onRecovered: () => this.#running?.replication.recovered(),
      },
    });
    this.peers.listen(`${name}:7071`, (address) => this.membership.start(address, () => {}));
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  get replication(): Replication {
    return this.#parts().replication;
  }

  get coordinator(): Coordinator {
    return this.#parts().coordinator;
  }

  get member(): Member {
    return this.membership.self;
  }

  /** This node as another one sees it. */
  seenBy(other: SmallNode): Member {
    const member = other.membership.memberById(this.member.id);
    if (member === undefined) throw new Error(`${other.name} does not know ${this.name}`);
    return member;
  }

  /** What is held here of a name, read past all faults; null: nothing. */
  held(name: ObjectName): VersionSet | null {
    const outcomes: ReadOutcome[] = [];
    this.objects.read(name, (outcome) => outcomes.push(outcome));
    const [outcome] = outcomes;
    return outcome.status === "found" ? outcome.set : null;
  }

  begin(name: ObjectName, value: string, extras: PutExtras, done: (result: Result) => void): void {
    const { w = "default", dw = "default", pw = "default", timeoutMs = 5_000, ...rest } = extras;
    this.coordinator.put(
      {
        name,
        context: "",
        requestId: null,
        meta: { contentType: "", meta: [] },
        body: encoder.encode(value),
        isDelete: false,
        ttlSeconds: 0,
        returnBody: false,
        precondition: null,
        ...rest,
        options: { w, dw, pw, timeoutMs },
      },
      done,
    );
  }

  put(name: ObjectName, value: string, extras: PutExtras = {}): Result {
    return this.#cluster.await((done) => this.begin(name, value, extras, done));
  }

  get(name: ObjectName, r: number, timeoutMs = 5_000): Result {
    const options = { r, pr: 0, timeoutMs };
    return this.#cluster.await((done) => this.coordinator.get({ name, options }, done));
  }

  list(bucket: string, extras: Partial<Omit<ListRequest, "bucket">> = {}): ListResult {
    const request = {
      bucket: encoder.encode(bucket),
      prefix: encoder.encode(""),
      cursor: "",
      limit: 1000,
      r: "default" as const,
      timeoutMs: 5_000,
      ...extras,
    };
    return this.#cluster.await((done) => this.coordinator.list(request, done));
  }

  #parts(): { replication: Replication; coordinator: Coordinator } {
    if (this.#running === null) throw new Error(`${this.name} is no member yet`);
    return this.#running;
  }

  #layoutsChanged(): void {
    if (!this.membership.ready) return;
    if (this.#running !== null) this.#running.replication.layoutsChanged();
    else this.#open();
  }

  #open(): void {
    const { membership, peers, counters } = this;
    const isFounder = membership.layouts.current.number === 1;
    const superseded = new SupersededRequests();
    const replication = new Replication({
      ports: this.#ports,
      background: this.background,
      membership,
      peers,
      objects: this.objects,
      hints: this.hints,
      counters,
      superseded,
      hintRequests: new HintRequests(superseded),
      partitions: 2 ** PARTITION_BITS,
      setBytesMax: this.#cluster.options.setBytesMax ?? 1 << 20,
      streamBytesMin: STREAM_BYTES_MIN,
      sliceBytes: SLICE_BYTES,
      antiEntropy: this.#cluster.options.antiEntropy ?? { intervalMs: 10_000, fromHour: 0, toHour: 0 },
      reaping: this.#cluster.options.reaping ?? { afterMs: 0, intervalMs: 3_600_000 },
      onReaped: () => {},
      drainRequests: (done) => {
        if (this.#running === null) done();
        else this.#running.coordinator.drain(done);
      },
      transfer: { chunkEntries: 16, entriesMin: 32 },
      scrubBytesPerSecond: 0,
      actorText: () => "",
      hasLostWrites: () => false,
      mayForgetDots: () => this.#renewActor(),
    });
    const coordinator = new Coordinator({
      ports: this.#ports,
      foreground: this.foreground,
      membership,
      replication,
      wheel: peers.wheel,
      hybridClock: new HybridClock(0, 0, MAX_SKEW_MS),
      dots: this.#dots(),
      maxValueBytes: 1 << 20,
      requestsMax: this.#cluster.options.requestsMax ?? 4_096,
      clockEntriesMax: 10,
      maxSkewMs: MAX_SKEW_MS,
    });
    serveRequests(peers, coordinator);
    serveClients(peers, membership, coordinator);
    this.#running = { replication, coordinator };
    replication.start(isFounder ? "founded" : "lost");
  }

  #dots() {
    const actorOf = (): Uint8Array => this.actor;
    return {
      get actor(): Uint8Array {
        return actorOf();
      },
      nextCounter: () => ++this.counter,
      coverStamp: () => {},
    };
  }

  #renewActor(): boolean {
    this.renewals++;
    this.actor = this.actor.slice();
    this.#ports.random.fill(this.actor);
    this.counter = 0;
    return true;
  }
}

export class SmallCluster {
  readonly world = new World();
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly options: ClusterOptions;
  readonly nodes: SmallNode[] = [];

  /** Founds a cluster of `count` nodes and waits until all is settled. */
  constructor(count: number, options: ClusterOptions = {}) {
    this.options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.network = new SimulatedNetwork(this.world, new SeededRandom(this.random.uint32()));
    for (let index = 0; index < count; index++) this.add();
    this.until("the cluster is settled", () => this.isSettled);
  }

  /** Starts one more node, which joins. */
  add(): SmallNode {
    const seeds = this.nodes.length === 0 ? [] : ["n0:7071"];
    const node = new SmallNode(this, `n${this.nodes.length}`, seeds);
    this.nodes.push(node);
    return node;
  }

  /** One live layout with all nodes, each complete for what it owns. */
  get isSettled(): boolean {
    return this.nodes.every((node) => {
      if (!node.isRunning) return false;
      const { live, current } = node.membership.layouts;
      if (live.length !== 1 || current.nodes.length !== this.nodes.length) return false;
      return node.replication.partialCount() === 0;
    });
  }

  /** The owners of a name in preference order, then the others, by the newest layout. */
  preference(name: ObjectName): SmallNode[] {
    const [first] = this.nodes;
    const { current } = first.membership.layouts;
    const partition = first.replication.partitionOf(name);
    const order: SmallNode[] = [];
    for (let rank = 0; rank < current.nodes.length; rank++) {
      const id = current.nodes[current.preference[partition * current.nodes.length + rank]].id;
      const node = this.nodes.find((one) => one.member.id === id);
      if (node !== undefined) order.push(node);
    }
    return order;
  }

  /** Nothing passes between this node and all others, in silence. */
  isolate(node: SmallNode): void {
    for (const other of this.nodes) if (other !== node) this.network.cut(node.name, other.name);
  }

  /** Nobody hears this node, and all others have noticed. */
  lose(node: SmallNode): void {
    this.isolate(node);
    const others = this.nodes.filter((other) => other !== node);
    this.until("it is suspected", () => others.every((other) => !node.seenBy(other).healthy));
  }

  heal(): void {
    this.network.heal();
  }

  run(durationMs: number): void {
    this.world.run(durationMs);
  }

  /** @throws when it never comes to that */
  until(what: string, reached: () => boolean, limitMs = LIMIT_MS): void {
    if (!this.world.runUntil(reached, limitMs)) throw new Error(`Not in ${limitMs} ms: ${what}`);
  }

  /** Lets time pass until a callback has come; its argument. */
  await<Answer>(ask: (done: (answer: Answer) => void) => void): Answer {
    const answers: Answer[] = [];
    ask((answer) => answers.push(answer));
    this.until("an answer", () => answers.length > 0);
    return answers[0];
  }
}

/** The values in an answer, sorted. */
export function valuesOf(result: Result): string[] {
  return result.siblings.map((sibling) => decoder.decode(valueBytes(sibling.body))).sort();
}
