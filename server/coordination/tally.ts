/**
 * The count of a put's acknowledgements: W, DW and PW in every live layout at once.
 *
 *              W  DW PW          a target counts in the layouts of its bits;
 *   layout 7   1  1  0   ≥ need  a hint counts for W and DW, never for PW
 *   layout 8   2  1  1   ≥ need
 *
 * An owner that was slow and the node that stood in for it meanwhile are one acknowledgement, not two:
 * when the hint has been handed over there is one copy.
 *
 * An older layout with fewer owners than W asks for as many as it has; the newest asks for all.
 */

import type { Member } from "../membership/member.ts";
import { counted } from "./counted.ts";
import type { Plan, Target } from "./plan.ts";
import type { WriteNeed } from "./quorum.ts";

export class Tally {
  readonly #plan: Plan;
  readonly #need: WriteNeed;
  readonly #owners: readonly number[];
  readonly #acks: number[];
  readonly #durable: number[];
  readonly #primaryAcks: number[];
  /** Owners that it was acknowledged for, by themselves or by a stand-in. */
  readonly #served: Member[] = [];
  readonly #servedDurably: Member[] = [];
  fallbacks = 0;

  /** @param owners owners of the partition in each layout of the plan */
  constructor(plan: Plan, need: WriteNeed, owners: readonly number[]) {
    this.#plan = plan;
    this.#need = need;
    this.#owners = owners;
    this.#acks = zeros(plan.layouts.length);
    this.#durable = zeros(plan.layouts.length);
    this.#primaryAcks = zeros(plan.layouts.length);
  }

  /** Whether the targets could meet the need if all of them acknowledged. */
  canBeMet(targets: readonly Target[]): boolean {
    for (let layout = 0; layout < this.#acks.length; layout++) {
      if (!this.#canBeMetIn(layout, targets)) return false;
    }
    return true;
  }

  #canBeMetIn(layout: number, targets: readonly Target[]): boolean {
    const counting = countIn(layout, targets, false);
    const { w, dw, pw } = this.#needIn(layout);
    return counting >= Math.max(w, dw) && countIn(layout, targets, true) >= pw;
  }

  acknowledged(target: Target): void {
    const isPrimary = target.hintFor === null;
    if (!isPrimary) this.fallbacks++;
    if (isPrimary) addTo(this.#primaryAcks, target.layouts);
    if (isFirstFor(target, this.#served)) addTo(this.#acks, target.layouts);
  }

  durable(target: Target): void {
    if (isFirstFor(target, this.#servedDurably)) addTo(this.#durable, target.layouts);
  }

  /**
   * Primaries that have acknowledged it, in the live layout where they are fewest: so many a reader
   * may count on, whichever of them it reads by.
   */
  get primaries(): number {
    let least = this.#primaryAcks[0];
    for (const count of this.#primaryAcks) if (count < least) least = count;
    return least;
  }

  get isMet(): boolean {
    for (let layout = 0; layout < this.#acks.length; layout++) if (!this.#isMetIn(layout)) return false;
    return true;
  }

  #isMetIn(layout: number): boolean {
    const { w, dw, pw } = this.#needIn(layout);
    return this.#acks[layout] >= w && this.#durable[layout] >= dw && this.#primaryAcks[layout] >= pw;
  }

  /** What was missing, for the sentence of an unknown outcome: in the oldest live layout where something was. */
  describe(): string {
    const layout = this.#oldest((one) => !this.#isMetIn(one));
    const of = this.#isAlone ? "" : ` of layout ${this.#plan.layouts[layout].number}`;
    const asOwners = this.#need.pw > 0 ? `, ${this.#primaryAcks[layout]} as owners` : "";
    return (
      `${counted(this.#acks[layout], "replica")}${of} acknowledged the write, ` +
      `${this.#durable[layout]} of them durably${asOwners}; ${this.#wanted(layout)}`
    );
  }

  /** How far a write would come that cannot be met, in the oldest live layout that is short of nodes. */
  describeReach(targets: readonly Target[]): string {
    const layout = this.#oldest((one) => !this.#canBeMetIn(one, targets));
    const where = this.#isAlone ? "" : ` for layout ${this.#plan.layouts[layout].number}`;
    const owners = countIn(layout, targets, true);
    return `${counted(countIn(layout, targets, false), "node")} can take this write${where}, ${owners} of them owners; ${this.#wanted(layout)}`;
  }

  get #isAlone(): boolean {
    return this.#acks.length === 1;
  }

  /** The oldest layout that lacks something; the newest where none does. */
  #oldest(lacks: (layout: number) => boolean): number {
    let layout = 0;
    while (layout < this.#acks.length - 1 && !lacks(layout)) layout++;
    return layout;
  }

  #wanted(layout: number): string {
    const { w, dw, pw } = this.#needIn(layout);
    const asked = `w=${w}` + (dw > 0 ? `, dw=${dw}` : "") + (pw > 0 ? `, pw=${pw}` : "");
    if (this.#isAlone) return `wanted is ${asked}`;
    const numbers = this.#plan.layouts.map(({ number }) => number).join(", ");
    return `wanted there is ${asked}: each live layout (${numbers}) needs its own`;
  }

  #needIn(layout: number): WriteNeed {
    if (layout === this.#owners.length - 1) return this.#need;
    const owners = this.#owners[layout];
    const { w, dw, pw } = this.#need;
    return { w: Math.min(w, owners), dw: Math.min(dw, owners), pw: Math.min(pw, owners) };
  }
}

/** Targets whose answer counts in a layout; only those that are owners themselves. */
function countIn(layout: number, targets: readonly Target[], onlyOwners: boolean): number {
  let count = 0;
  for (let index = 0; index < targets.length; index++) {
    const { layouts, hintFor } = targets[index];
    if ((layouts & (1 << layout)) !== 0 && (!onlyOwners || hintFor === null)) count++;
  }
  return count;
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

/** Whether nobody has answered for the target's owner yet; notes that somebody has. */
function isFirstFor(target: Target, served: Member[]): boolean {
  const owner = target.hintFor ?? target.member;
  if (served.includes(owner)) return false;
  served.push(owner);
  return true;
}

/** One more in each of the layouts. */
function addTo(counts: number[], layouts: number): void {
  for (let layout = 0; layout < counts.length; layout++) {
    if ((layouts & (1 << layout)) !== 0) counts[layout]++;
  }
}
