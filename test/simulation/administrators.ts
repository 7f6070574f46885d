/**
 * Administrators of a simulated cluster: they let machines join, leave, be removed or replaced, and
 * change capacities, while clients work and faults strike. Each change is driven by one of them until
 * it has come to its end, through whatever node he reaches, as a patient person would: look, stage
 * what is not staged, commit the plan, look again. Several at a time know nothing of each other.
 *
 * What must hold: one layout a number among all that nodes ever hold; every change ends; a machine
 * that has left can be switched off with its disk, and nothing is missing (the oracle's business). A
 * machine that is removed or replaced is destroyed first, which the fault atlas counts as a lost disk
 * (losses.ts).
 */

import type { Order } from "../../server/membership/administration.ts";
import { isGone } from "../../server/membership/member.ts";
import type { Layout } from "../../server/membership/layout.ts";
import type { Membership } from "../../server/membership/membership.ts";
import type { Clock } from "../../server/ports/clock.ts";
import type { SeededRandom } from "../random.ts";
import type { Cluster } from "./cluster.ts";
import type { AdministrationShape, AdministrationWeights } from "./shape.ts";
import type { Trace } from "./trace.ts";

/** How often an administrator looks how far his change is. */
const LOOK_MS = 700;
/** Fewer members than this are not to be had: each object has as many copies. */
const MEMBERS_MIN = 3;

export interface AdministratorsOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly shape: AdministrationShape;
  readonly accuse: (detail: string) => void;
}

/** One change on its way: what is done at each look; true: it has come to its end. */
interface Change {
  readonly what: string;
  /** Machines that no other change may touch meanwhile. */
  readonly machines: readonly number[];
  /** Whether there is one member less at its end. */
  readonly isLoss: boolean;
  /** Whether a machine was destroyed for it: one at a time, or a majority would be gone for good. */
  readonly isDeath: boolean;
  look(): boolean;
}

export class Administrators {
  readonly #options: AdministratorsOptions;
  readonly #changes = new Set<Change>();
  /** Every layout that any node ever held, by number. */
  readonly #layouts = new Map<number, string>();
  /** Those that were looked at: a layout never changes. */
  readonly #seen = new WeakSet<Layout>();
  #isMended = false;
  /** Changes that have come to their end. */
  count = 0;

  constructor(options: AdministratorsOptions) {
    this.#options = options;
  }

  /** Begins changes from now on. */
  start(): void {
    const { shape, random, clock } = this.#options;
    if (shape.everyMs === 0) return;
    clock.after(1 + random.below(2 * shape.everyMs), () => {
      if (this.#isMended) return;
      if (this.#changes.size < shape.atOnceMax) this.#begin();
      this.start();
    });
  }

  /** Begins no more; what is under way goes on to its end. */
  mend(): void {
    this.#isMended = true;
  }

  get underWay(): number {
    return this.#changes.size;
  }

  describe(): string[] {
    return [...this.#changes].map(({ what }) => `${what} has not come to its end`);
  }

  #begin(): void {
    const change = this.#draw();
    if (change === null) return;
    this.#say(`begins: ${change.what}`);
    this.#changes.add(change);
    this.#follow(change);
  }

  #follow(change: Change): void {
    const { clock, random } = this.#options;
    clock.after(LOOK_MS / 2 + random.below(LOOK_MS), () => {
      this.#observe();
      for (const index of change.machines) if (this.#isAnother(index)) this.#removeNamesake(index);
      if (!change.look()) return this.#follow(change);
      this.#changes.delete(change);
      this.count++;
      return this.#say(`ended: ${change.what}`);
    });
  }

  #draw(): Change | null {
    const { weights } = this.#options.shape;
    const kinds = Object.keys(weights) as (keyof AdministrationWeights)[];
    const total = kinds.reduce((sum, kind) => sum + weights[kind], 0);
    let draw = this.#options.random.below(total);
    for (const kind of kinds) if ((draw -= weights[kind]) < 0) return this.#make(kind);
    return null;
  }

  #make(kind: keyof AdministrationWeights): Change | null {
    switch (kind) {
      case "join":
        return this.#join();
      case "leave":
        return this.#leave();
      case "remove":
        return this.#remove();
      case "replace":
        return this.#replace();
      case "change":
        return this.#change();
    }
  }

  // The changes.

  #join(): Change | null {
    const { cluster, random } = this.#options;
    const spare = this.#pick(this.#free().filter((index) => !cluster.isInside(index)));
    if (spare === null) return null;
    const isStaged = random.chance(1, 2);
    cluster.enter(spare, isStaged);
    const name = cluster.name(spare);
    const look = (): boolean => {
      if (this.#isMember(spare)) return true;
      if (isStaged) this.#work([{ change: "join", node: name }]);
      return false;
    };
    return { what: `${name} joins${isStaged ? " staged" : ""}`, machines: [spare], isLoss: false, isDeath: false, look };
  }

  #leave(): Change | null {
    const { cluster } = this.#options;
    const leaver = this.#pick(this.#mayGo());
    if (leaver === null) return null;
    const name = cluster.name(leaver);
    const id = this.#idOf(leaver);
    if (id === null) return null;
    const look = (): boolean => {
      const membership = this.#anybody(leaver);
      if (membership === null) return false;
      const status = membership.memberById(id)?.status;
      if (status === "member") this.#work([{ change: "leave", node: id }]);
      if (status === undefined || !isGone(status)) return false;
      // Unless it has lost its disk on the way, and comes as a new node: that one stays.
      const node = cluster.node(leaver);
      if (node?.membership.stage === "joining") return false;
      const isNew = (node?.membership.self.id ?? id) !== id;
      if (!isNew) cluster.retire(leaver);
      return true;
    };
    return { what: `${name} leaves`, machines: [leaver], isLoss: true, isDeath: false, look };
  }

  #remove(): Change | null {
    const { cluster } = this.#options;
    const dead = this.#pick(this.#mayGo().filter((index) => this.#mayDie(index)));
    const id = dead === null ? null : this.#idOf(dead);
    if (dead === null || id === null) return null;
    cluster.destroy(dead);
    const look = (): boolean => {
      if (this.#isRemoved(id)) return true;
      this.#work([{ change: "remove", node: id }]);
      return false;
    };
    const what = `${cluster.name(dead)} died and is removed`;
    return { what, machines: [dead], isLoss: true, isDeath: true, look };
  }

  #replace(): Change | null {
    const { cluster } = this.#options;
    const spare = this.#pick(this.#free().filter((index) => !cluster.isInside(index)));
    const members = this.#free().filter((index) => cluster.isInside(index));
    const dead = this.#pick(members.filter((index) => this.#mayDie(index)));
    const id = dead === null ? null : this.#idOf(dead);
    if (spare === null || dead === null || id === null) return null;
    cluster.destroy(dead);
    cluster.enter(spare, true);
    const by = cluster.name(spare);
    const look = (): boolean => {
      if (this.#isRemoved(id) && this.#isMember(spare)) return true;
      // Who did not know yet that it was dead has let it leave: then it never will. And who had not
      // heard of the replacement has let the spare join as one more.
      const isLeaving = this.#reached()?.memberById(id)?.status === "leaving";
      if (isLeaving || this.#isMember(spare)) this.#work([{ change: "remove", node: id }]);
      else this.#work([{ change: "replace", node: id, by }]);
      return false;
    };
    const what = `${cluster.name(dead)} died and is replaced by ${by}`;
    return { what, machines: [dead, spare], isLoss: false, isDeath: true, look };
  }

  #change(): Change | null {
    const { cluster, random } = this.#options;
    const index = this.#pick(this.#free().filter((one) => cluster.isInside(one)));
    const id = index === null ? null : this.#idOf(index);
    if (index === null || id === null) return null;
    const capacity = 1 + random.below(3);
    const zone = random.chance(1, 2) ? undefined : `z${random.below(3)}`;
    const look = (): boolean => {
      const node = this.#anybody(index)?.layouts.current.nodeById(id);
      if (node === undefined) return false;
      if (node === null) return true;
      if (node.capacity === capacity && (zone === undefined || node.zone === zone)) return true;
      const order = { change: "change" as const, node: id, capacity };
      this.#work([zone === undefined ? order : { ...order, zone }]);
      return false;
    };
    const what = `${cluster.name(index)} gets capacity ${capacity}, zone ${zone ?? "as it is"}`;
    return { what, machines: [index], isLoss: false, isDeath: false, look };
  }

  /** Stages at one node and commits at that or another one; whatever comes of it is seen later. */
  #work(orders: readonly Order[]): void {
    const { random } = this.#options;
    const here = this.#reached();
    if (here === null) return;
    const staged = here.administration.stage(orders);
    if (staged.status !== "done") return;
    const there = random.chance(1, 2) ? here : this.#reached() ?? here;
    const { version, token } = there.administration.plan(() => 0);
    const order = { version, token: random.chance(1, 2) ? token : "", isForced: false };
    there.administration.commit(order, ({ status }) => this.#say(`a commit: ${status}`));
  }

  // Who is there.

  /** Machines that no change is about. */
  #free(): number[] {
    const taken = new Set([...this.#changes].flatMap(({ machines }) => machines));
    const all = Array.from({ length: this.#options.cluster.count }, (_, index) => index);
    return all.filter((index) => !taken.has(index));
  }

  /** Members that may go, with enough of them left. */
  #mayGo(): number[] {
    const { cluster } = this.#options;
    const members = cluster.inside.filter((index) => this.#isMember(index));
    const going = [...this.#changes].filter(({ isLoss }) => isLoss).length;
    if (members.length - going <= MEMBERS_MIN) return [];
    return this.#free().filter((index) => members.includes(index));
  }

  #mayDie(index: number): boolean {
    if ([...this.#changes].some(({ isDeath }) => isDeath)) return false;
    return this.#options.cluster.mayWipe(index);
  }

  #pick(from: readonly number[]): number | null {
    return from.length === 0 ? null : from[this.#options.random.below(from.length)];
  }

  #idOf(index: number): string | null {
    const membership = this.#options.cluster.node(index)?.membership;
    return membership?.ready === true ? membership.self.id : null;
  }

  /** A member whom the administrator reaches. */
  #reached(): Membership | null {
    return this.#anybody(-1);
  }

  /** Any node but this one that is a member and not standing still. */
  #anybody(but: number): Membership | null {
    const { cluster } = this.#options;
    const index = this.#pick(cluster.inside.filter((one) => {
      if (one === but || cluster.isPaused(one)) return false;
      return cluster.node(one)?.membership.ready === true;
    }));
    return index === null ? null : cluster.node(index)?.membership ?? null;
  }

  #isMember(index: number): boolean {
    const membership = this.#options.cluster.node(index)?.membership;
    if (membership?.ready !== true) return false;
    return membership.layouts.current.indexOf(membership.self.id) >= 0;
  }

  /** Whether a machine says that it comes with another data directory than the member it was. */
  #isAnother(index: number): boolean {
    const detail = this.#options.cluster.node(index)?.membership.detail ?? "";
    return /its data directory is another one; remove it first/.test(detail);
  }

  /**
   * A machine comes with an empty disk, and is known to leave: it lost its disk on the way and cannot give up
   * what it held, or who had heard that it was done has died. It says what to do.
   */
  #removeNamesake(index: number): void {
    const members = this.#reached()?.members ?? [];
    const namesake = members.find(({ name, status }) => {
      return name === this.#options.cluster.name(index) && status === "leaving";
    });
    if (namesake !== undefined) this.#work([{ change: "remove", node: namesake.id }]);
  }

  #isRemoved(id: string): boolean {
    const status = this.#reached()?.memberById(id)?.status;
    return status !== undefined && isGone(status);
  }

  /** A number may stand for one layout only, whoever holds it and whenever. */
  #observe(): void {
    const { cluster, accuse } = this.#options;
    for (let index = 0; index < cluster.count; index++) {
      const membership = cluster.node(index)?.membership;
      if (membership?.ready !== true) continue;
      for (const layout of membership.layouts.live) {
        if (this.#seen.has(layout)) continue;
        this.#seen.add(layout);
        const text = layout.bytes.join();
        const known = this.#layouts.get(layout.number) ?? text;
        if (known !== text) accuse(`two layouts have the number ${layout.number}`);
        this.#layouts.set(layout.number, text);
      }
    }
  }

  #say(text: string): void {
    const { trace, clock } = this.#options;
    trace.add(clock.elapsedMs(), `ADMIN ${text}`);
  }
}
