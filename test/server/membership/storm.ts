/**
 * Joins in a storm: machines come, crash, restart, lose their disks, and the network loses,
 * repeats, delays and cuts in one direction, while nodes join through whoever is there. In every
 * other seed the members also contend all the time for the next layout's number. Then the storm
 * ends, and there has to be one cluster, one chain of layouts, and everybody in it.
 */

import { Layout } from "../../../server/membership/layout.ts";
import { SeededRandom } from "../../random.ts";
import { Community, type Machine } from "./community.ts";

const STORM_MS = 20_000;
const CALM_MS = 180_000;

/** Runs one seed; "" or what went wrong. */
export function storm(seed: number): string {
  const random = new SeededRandom(seed ^ 0x5f3759df);
  const community = new Community(seed, 3 + random.below(4), {
    links: {
      delayMsMin: 0.2,
      delayMsMean: 1 + random.below(40),
      lossPermille: random.below(3) * random.below(80),
      duplicatePermille: random.below(200),
    },
    config: { partitions: 8 },
  });
  const weather = new Weather(community, random, seed % 2 === 0);
  weather.rage();
  weather.calm();
  const settled = community.world.runUntil(() => community.isSettled(), CALM_MS);
  return judge(community, settled);
}

function judge(community: Community, settled: boolean): string {
  if (community.twins.length > 0) return `two layouts have one number: ${community.twins.join()}`;
  if (!settled) return `not settled after ${CALM_MS} ms:\n${describe(community)}`;
  const [first, ...others] = community.machines.map(({ membership }) => membership);
  for (const other of others) {
    if (other.clusterId !== first.clusterId) return "there are two clusters";
    if (JSON.stringify(other.history) !== JSON.stringify(first.history)) return "histories differ";
  }
  const names = new Set(first.members.map((member) => member.name));
  if (names.size !== first.members.length) return "a name is there twice";
  if (first.members.length !== community.machines.length) return "there are too many members";
  return "";
}

function describe(community: Community): string {
  const lines = community.machines.map(({ name, process }) => {
    if (process === null) return `${name} is down`;
    const { membership } = process;
    const live = membership.layouts.live.map((layout) => layout.number).join();
    const trackers = membership.members.map(
      (member) => `${member.name}:${member.adopted}/${member.synced}/${member.reading}`,
    );
    return `${name} ${membership.stage} ${membership.detail} live ${live} ${trackers.join(" ")}`;
  });
  return `${lines.join("\n")}\n${community.logs().slice(-3_000)}`;
}

class Weather {
  readonly #community: Community;
  readonly #random: SeededRandom;
  /** A machine that lost its disk and is not back among the members. */
  #wiped: Machine | null = null;

  readonly #contended: boolean;

  constructor(community: Community, random: SeededRandom, contended: boolean) {
    this.#community = community;
    this.#random = random;
    this.#contended = contended;
  }

  rage(): void {
    const [founder, ...others] = this.#community.machines;
    founder.start();
    for (const machine of others) {
      const delayMs = this.#random.chance(1, 2) ? 0 : this.#random.below(STORM_MS / 2);
      this.#community.world.after(delayMs, () => this.#start(machine));
    }
    const end = this.#community.world.elapsedMs + STORM_MS;
    while (this.#community.world.elapsedMs < end) {
      const pauseMs = 50 + this.#random.below(700);
      if (this.#contended) this.#contend(pauseMs);
      this.#community.world.run(pauseMs);
      this.#blow();
    }
  }

  /** Members propose layouts that change nothing, each unlike all others, at about one time. */
  #contend(withinMs: number): void {
    for (const { membership } of this.#community.running) {
      if (this.#random.chance(1, 3)) continue;
      this.#community.world.after(this.#random.below(withinMs), () => {
        if (membership.ready) membership.propose((current) => this.#variant(current), () => {});
      });
    }
  }

  #variant(current: Layout): Layout | null {
    const [event] = current.events;
    const timeMs = this.#random.uint32();
    if (this.#random.chance(1, 3)) return null;
    const events = [{ ...event, kind: "joined" as const, layout: current.number + 1, timeMs }];
    return new Layout({ ...current, number: current.number + 1, events }, null);
  }

  calm(): void {
    const { network } = this.#community;
    network.setAll({ cut: false, cloggedUntil: 0, lossPermille: 0, duplicatePermille: 0 });
    for (const machine of this.#community.machines) {
      if (machine.process === null) this.#start(machine);
    }
  }

  #pick(): Machine {
    return this.#community.machines[this.#random.below(this.#community.machines.length)];
  }

  #start(machine: Machine): void {
    const { machines } = this.#community;
    const isFounder = machine === machines[0] && machine.disk.files.has("membership.cbor");
    const seeds = machines.filter((other) => other !== machine).map((other) => other.address);
    machine.start({ join: isFounder ? [] : seeds });
  }

  #blow(): void {
    const machine = this.#pick();
    const other = this.#pick();
    const kind = this.#random.below(10);
    if (kind < 3) this.#crash(machine);
    else if (kind < 4) machine.process?.clock.pause(this.#random.below(3_000));
    else if (kind < 6 && machine !== other) this.#cut(machine, other);
    else if (kind < 7) this.#community.network.clog(machine.name, other.name, 2_000);
    else if (kind < 8) this.#wipe(machine);
  }

  #crash(machine: Machine): void {
    if (machine.process === null) return;
    // Some die in the midst of replacing their files.
    if (this.#random.chance(1, 2)) machine.disk.replacementsLeft = this.#random.below(3);
    this.#community.world.after(this.#random.below(200), () => {
      machine.crash({ silent: this.#random.chance(1, 2) });
    });
    this.#community.world.after(300 + this.#random.below(4_000), () => {
      if (machine.process === null) this.#start(machine);
    });
  }

  #cut(machine: Machine, other: Machine): void {
    const { network, world } = this.#community;
    network.cutOneWay(machine.name, other.name);
    if (this.#random.chance(1, 2)) network.cutOneWay(other.name, machine.name);
    world.after(this.#random.below(8_000), () => network.heal(machine.name, other.name));
  }

  /** One disk at a time may be lost, and never that of the only member. */
  #wipe(machine: Machine): void {
    if (this.#wiped?.process?.membership.ready === true) this.#wiped = null;
    if (this.#wiped !== null || machine.process === null) return;
    const holders = this.#community.running.filter(({ membership }) => membership.ready);
    if (holders.some(({ membership }) => membership.layouts.current.nodes.length < 2)) return;
    const rest = holders.filter((process) => process.machine !== machine);
    if (rest.length === 0 || rest.length + 1 < this.#community.machines.length) return;
    this.#wiped = machine;
    machine.wipe();
    this.#community.world.after(this.#random.below(3_000), () => this.#start(machine));
  }
}
