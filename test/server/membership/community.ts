/**
 * A community for tests: nodes that have nothing but a membership, in one simulated world.
 *
 * Each machine has a disk that outlives its processes. What the floors above would do is played: a
 * drain of requests takes a while, and a node reports itself synced a while after it was asked to.
 */

import { Identity } from "../../../server/membership/identity.ts";
import type { Layout } from "../../../server/membership/layout.ts";
import type { Member } from "../../../server/membership/member.ts";
import { Membership, type MembershipConfig } from "../../../server/membership/membership.ts";
import type { Ports } from "../../../server/ports/ports.ts";
import { Peers } from "../../../server/wire/peers.ts";
import { SeededRandom } from "../../random.ts";
import { SimulatedClock, WallClock, World } from "../../simulation/clock.ts";
import { SimulatedMemory } from "../../simulation/memory.ts";
import { type LinkState, SimulatedNetwork } from "../../simulation/network.ts";
import { SmallDisk } from "./small-disk.ts";

export const testConfig: Omit<MembershipConfig, "name" | "http" | "join"> = {
  zone: "default",
  capacity: 1,
  joinStaged: false,
  partitions: 16,
  replicas: 3,
  defaults: { r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0 },
};

export interface StartOptions extends Partial<MembershipConfig> {
  /** Port of this start; another one is another address. */
  readonly port?: number;
}

/** One life of a node. */
export class Process {
  readonly machine: Machine;
  readonly clock: SimulatedClock;
  readonly peers: Peers;
  readonly identity: Identity;
  readonly membership: Membership;
  readonly log: string[] = [];
  readonly recovered: string[] = [];
  readonly retired: number[] = [];
  startError: string | null = null;
  /** Drains that have not ended. */
  #syncPlanned = 0;

  constructor(machine: Machine, options: StartOptions) {
    const { community } = machine;
    const { world, random, network } = community;
    this.machine = machine;
    this.clock = new SimulatedClock(world, machine.name, machine.wall);
    const ports: Ports = {
      clock: this.clock,
      random: new SeededRandom(random.uint32()),
      network: network.port(machine.name, this.clock),
      disk: machine.disk,
      log: {
        info: (event, fields) => this.#note(event, fields),
        warn: (event, fields) => this.#note(event, fields),
        error: (event, fields) => this.#note(event, fields),
      },
      memory: new SimulatedMemory(),
      bootId: "one boot",
    };
    const { port = 7071, ...given } = options;
    const config = { ...testConfig, ...community.config, ...given };
    const { name = machine.name, join = [] } = config;
    const address = `${machine.name}:${port}`;
    this.identity = Identity.load(machine.disk, ports.random, name);
    this.peers = new Peers(ports, this.identity, { admit: (who) => this.membership.admit(who) });
    this.membership = new Membership({
      ports,
      peers: this.peers,
      identity: this.identity,
      config: { ...config, name, join, http: `${machine.name}:7070` },
      hooks: {
        drainRequests: (done) => this.#drain(done),
        onLayoutsChanged: () => this.#layoutsChanged(),
        onRetired: (layout: Layout) => this.retired.push(layout.number),
        onRecovered: (member: Member) => this.recovered.push(member.name),
      },
    });
    this.peers.listen(address, (bound, error) => {
      if (error !== "") throw new Error(error);
      this.membership.start(bound, (trouble) => {
        this.startError = trouble;
      });
    });
  }

  #note(event: string, fields: object = {}): void {
    const at = this.machine.community.world.elapsedMs.toFixed(1);
    this.log.push(`${at} ${this.machine.name} ${event} ${JSON.stringify(fields)}`);
  }

  #drain(done: () => void): void {
    this.clock.after(this.machine.community.random.below(50), done);
  }

  #layoutsChanged(): void {
    const { membership } = this;
    this.machine.community.observe(membership.clusterId, membership.layouts.live);
    if (!membership.ready || !this.machine.community.syncs) return;
    const target = membership.layouts.syncTarget;
    if (target <= this.#syncPlanned) return;
    this.#syncPlanned = target;
    this.clock.after(this.machine.community.random.below(300), () => {
      membership.reportSynced(target);
    });
  }
}

export class Machine {
  readonly community: Community;
  readonly name: string;
  readonly wall: WallClock;
  disk = new SmallDisk();
  process: Process | null = null;

  constructor(community: Community, name: string) {
    this.community = community;
    this.name = name;
    this.wall = new WallClock(community.world);
  }

  get address(): string {
    return `${this.name}:7071`;
  }

  start(options: StartOptions = {}): Process {
    this.crash();
    this.disk.replacementsLeft = Number.POSITIVE_INFINITY;
    this.process = new Process(this, options);
    return this.process;
  }

  /** The process ends without a word. */
  crash(options: { silent?: boolean } = {}): void {
    if (this.process === null) return;
    this.community.network.kill(this.name, options);
    this.process = null;
  }

  wipe(): void {
    this.crash();
    this.disk = new SmallDisk();
  }

  /** REQUIRES: it runs. */
  get membership(): Membership {
    if (this.process === null) throw new Error(`${this.name} does not run`);
    return this.process.membership;
  }
}

export class Community {
  readonly world = new World();
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly machines: Machine[] = [];
  readonly config: Partial<MembershipConfig>;
  /** Every layout that any node ever held, by cluster and number. */
  readonly chain = new Map<string, Uint8Array>();
  readonly twins: string[] = [];
  /** Whether nodes report themselves synced when asked to. */
  syncs = true;

  constructor(
    seed: number,
    count: number,
    options: { links?: LinkState; config?: Partial<MembershipConfig> } = {},
  ) {
    this.random = new SeededRandom(seed);
    this.config = options.config ?? {};
    this.network = new SimulatedNetwork(
      this.world,
      new SeededRandom(this.random.uint32()),
      options.links,
    );
    for (let index = 0; index < count; index++) this.machines.push(new Machine(this, `n${index}`));
  }

  /** One more machine, which does not run yet. */
  addMachine(): Machine {
    const machine = new Machine(this, `n${this.machines.length}`);
    this.machines.push(machine);
    return machine;
  }

  get running(): Process[] {
    return this.machines.flatMap((machine) => (machine.process === null ? [] : [machine.process]));
  }

  /** Founds with the first machine and lets the others join through it, all at once. */
  form(limitMs = 30_000): boolean {
    this.machines[0].start();
    for (const machine of this.machines.slice(1)) {
      machine.start({ join: [this.machines[0].address] });
    }
    return this.world.runUntil(() => this.isSettled(), limitMs);
  }

  /** All run, are members, agree on one single live layout with all of them, and read by it. */
  isSettled(): boolean {
    return this.machines.every((machine) => {
      const membership = machine.process?.membership;
      if (membership === undefined || !membership.ready) return false;
      const { live, current } = membership.layouts;
      return live.length === 1 && current.nodes.length === this.machines.length &&
        current.number === this.machines[0].process?.membership.layouts.newestNumber;
    });
  }

  /** Notes the layouts that a node holds: a number may stand for one layout only. */
  observe(cluster: string, layouts: readonly Layout[]): void {
    for (const layout of layouts) {
      const key = `${cluster}/${layout.number}`;
      const known = this.chain.get(key);
      if (known === undefined) this.chain.set(key, layout.bytes);
      else if (known.join() !== layout.bytes.join()) this.twins.push(key);
    }
  }

  /** What each node has logged, in order: for a failing test. */
  logs(): string {
    return this.running.flatMap((process) => process.log).sort().join("\n");
  }
}
