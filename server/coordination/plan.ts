/**
 * Whom a request goes to: the first N healthy nodes of the preference list, in each live layout.
 *
 *   layout 7   A  B  C │ D  E  F …        A, C: healthy owners, they get the version itself
 *                 ✗                       B:    suspected; the first healthy node behind the owners
 *                 └──────► D              stands in: D gets it with the hint "for B"
 *   layout 8   A  C  G │ …                G owns it in the newer layout: it gets it as well
 *
 * Each target carries the set of live layouts (a bit each, oldest first) in which its acknowledgement
 * counts: a put needs its quorum in every one of them. An owner for whom no stand-in is left is an
 * *orphan*: nobody counts for it, and the coordinator keeps a hint for it at home.
 *
 * Paper 4.5, 4.6; sloppy quorum.
 */

import type { Layout } from "../membership/layout.ts";
import type { Member } from "../membership/member.ts";

/** What planning needs to know of the membership. */
export interface PlanSource {
  readonly layouts: { readonly live: readonly Layout[]; readonly reading: Layout };
  memberById(id: string): Member | undefined;
}

export interface Target {
  readonly member: Member;
  /** The owner that this target stands in for; null: it is an owner itself. */
  readonly hintFor: Member | null;
  /** Bits of the live layouts in which its answer counts. */
  readonly layouts: number;
}

export interface Plan {
  readonly layouts: readonly Layout[];
  /** Owners that are healthy and stand-ins for those that are not, in preference order. */
  readonly targets: readonly Target[];
  /** Unhealthy owners without a stand-in. */
  readonly orphans: readonly Member[];
}

/** The targets of a write to a partition: the owners in every live layout. */
export function planWrite(source: PlanSource, partition: number, copies: number): Plan {
  return plan(source, source.layouts.live, partition, copies);
}

/** The targets of a read: the owners in the layout that reads use. */
export function planRead(source: PlanSource, partition: number, copies: number): Plan {
  return plan(source, [source.layouts.reading], partition, copies);
}

/**
 * Whom to ask of a write that may have been made before: the targets of a write, and behind them as many
 * healthy nodes as there are copies, which may have stood in then.
 */
export function planAsk(source: PlanSource, partition: number, copies: number): Plan {
  const { layouts, targets: written, orphans } = planWrite(source, partition, copies);
  const targets = [...written];
  const owners = ownersOf(source, layouts, partition, copies);
  for (let count = 0; count < copies && owners.length > 0; count++) {
    const member = nextStandIn(source, layouts, partition, copies, targets);
    if (member === null) break;
    targets.push({ member, hintFor: owners[0].member, layouts: 0 });
  }
  return { layouts, targets, orphans };
}

function plan(
  source: PlanSource,
  layouts: readonly Layout[],
  partition: number,
  copies: number,
): Plan {
  const owners = ownersOf(source, layouts, partition, copies);
  const targets: Target[] = [];
  const orphans: Member[] = [];
  for (let index = 0; index < owners.length; index++) {
    const owner = owners[index];
    if (owner.member.healthy) {
      targets.push(owner);
      continue;
    }
    const standIn = nextStandIn(source, layouts, partition, copies, targets);
    if (standIn === null) orphans.push(owner.member);
    else targets.push({ member: standIn, hintFor: owner.member, layouts: owner.layouts });
  }
  return { layouts, targets, orphans };
}

function ownersOf(
  source: PlanSource,
  layouts: readonly Layout[],
  partition: number,
  copies: number,
): Target[] {
  const owners: Target[] = [];
  for (let index = 0; index < layouts.length; index++) {
    const layout = layouts[index];
    const count = Math.min(copies, layout.replicas, layout.nodes.length);
    for (let rank = 0; rank < count; rank++) {
      const member = memberAt(source, layout, partition, rank);
      if (member === undefined) continue;
      const known = index === 0 ? -1 : owners.findIndex((owner) => owner.member === member);
      const bits = 1 << index;
      if (known < 0) owners.push({ member, hintFor: null, layouts: bits });
      else owners[known] = { member, hintFor: null, layouts: owners[known].layouts | bits };
    }
  }
  return owners;
}

/** The first healthy node behind the owners of every layout that is no target yet, or null. */
export function nextStandIn(
  source: PlanSource,
  layouts: readonly Layout[],
  partition: number,
  copies: number,
  targets: readonly Target[],
): Member | null {
  const newest = layouts[layouts.length - 1];
  for (let rank = 0; rank < newest.nodes.length; rank++) {
    const member = memberAt(source, newest, partition, rank);
    if (member === undefined || !member.healthy) continue;
    if (targets.some((target) => target.member === member)) continue;
    if (layouts.some((layout) => isOwner(layout, partition, copies, member.id))) continue;
    return member;
  }
  return null;
}

/** Whether a node is among the first `copies` owners of a partition in a layout. */
export function isOwner(layout: Layout, partition: number, copies: number, id: string): boolean {
  const count = Math.min(copies, layout.replicas, layout.nodes.length);
  const start = partition * layout.nodes.length;
  for (let rank = 0; rank < count; rank++) {
    if (layout.nodes[layout.preference[start + rank]].id === id) return true;
  }
  return false;
}

function memberAt(
  source: PlanSource,
  layout: Layout,
  partition: number,
  rank: number,
): Member | undefined {
  const node = layout.preference[partition * layout.nodes.length + rank];
  return source.memberById(layout.nodes[node].id);
}

/**
 * A node's plans for as long as one layout is live: mostly all owners are healthy, and a partition's plan
 * is the same each time. None of them may be changed by who is given it.
 */
export class Plans {
  readonly #source: PlanSource;
  #layout: Layout | null = null;
  /** By copies and partition: plans of owners alone. */
  #known: (Plan | undefined)[] = [];

  constructor(source: PlanSource) {
    this.#source = source;
  }

  write(partition: number, copies: number): Plan {
    const { live } = this.#source.layouts;
    if (live.length === 1) return this.#planIn(live[0], partition, copies);
    return planWrite(this.#source, partition, copies);
  }

  read(partition: number, copies: number): Plan {
    const { live, reading } = this.#source.layouts;
    if (live.length === 1 && live[0] === reading) return this.#planIn(reading, partition, copies);
    return planRead(this.#source, partition, copies);
  }

  #planIn(layout: Layout, partition: number, copies: number): Plan {
    if (layout !== this.#layout) {
      this.#layout = layout;
      this.#known = new Array<undefined>((layout.replicas + 1) * layout.partitions).fill(undefined);
    }
    const place = copies * layout.partitions + partition;
    const known = this.#known[place];
    if (known !== undefined && isHealthy(known)) return known;
    const made = planWrite(this.#source, partition, copies);
    const owners = Math.min(copies, layout.replicas, layout.nodes.length);
    // An owner who was never heard of is in no plan; one may be heard of yet.
    if (made.targets.length === owners && made.targets.every(isOwnerItself)) {
      this.#known[place] = made;
    }
    return made;
  }
}

function isHealthy({ targets }: Plan): boolean {
  for (let index = 0; index < targets.length; index++) {
    if (!targets[index].member.healthy) return false;
  }
  return true;
}

function isOwnerItself({ hintFor }: Target): boolean {
  return hintFor === null;
}

/** Targets of a plan that are owners themselves. */
export function ownersIn({ targets }: Plan): number {
  let count = 0;
  for (let index = 0; index < targets.length; index++) if (targets[index].hintFor === null) count++;
  return count;
}

/** So many times slower than the fastest, and so much, a member is asked after the others. */
const SLOW_TIMES = 4;
const SLOW_MS = 5;

/** Members in their order, but those that are much slower than the fastest at last. */
export function fastFirst(members: Member[]): Member[] {
  let bestMs = Infinity;
  for (const { latencyMs } of members) bestMs = Math.min(bestMs, latencyMs);
  const isSlow = ({ latencyMs }: Member): boolean => latencyMs > SLOW_TIMES * bestMs + SLOW_MS;
  if (!members.some(isSlow)) return members;
  return [...members.filter((member) => !isSlow(member)), ...members.filter(isSlow)];
}

/** Whether this node is among the targets of a plan. */
export function coordinates({ targets }: Plan): boolean {
  for (let index = 0; index < targets.length; index++) {
    if (targets[index].member.isSelf) return true;
  }
  return false;
}
