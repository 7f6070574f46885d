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
import type { Plan, Target } from "./plan.ts";
import type { WriteNeed } from "./quorum.ts";

export class Tally {
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
    this.#need = need;
    this.#owners = owners;
    this.#acks = zeros(plan.layouts.length);
    this.#durable = zeros(plan.layouts.length);
    this.#primaryAcks = zeros(plan.layouts.length);
  }

  /** Whether the targets could meet the need if all of them acknowledged. */
  canBeMet(targets: readonly Target[]): boolean {
    for (let layout = 0; layout < this.#acks.length; layout++) {
      let counting = 0;
      let primaries = 0;
      for (let index = 0; index < targets.length; index++) {
        if ((targets[index].layouts & (1 << layout)) === 0) continue;
        counting++;
        if (targets[index].hintFor === null) primaries++;
      }
      const { w, dw, pw } = this.#needIn(layout);
      if (counting < Math.max(w, dw) || primaries < pw) return false;
    }
    return true;
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
    for (let layout = 0; layout < this.#acks.length; layout++) {
      const { w, dw, pw } = this.#needIn(layout);
      if (this.#acks[layout] < w || this.#durable[layout] < dw) return false;
      if (this.#primaryAcks[layout] < pw) return false;
    }
    return true;
  }

  /** What was missing, for the sentence of an unknown outcome. */
  describe(): string {
    const { w, dw, pw } = this.#need;
    const newest = this.#acks.length - 1;
    const asked = `w=${w}` + (dw > 0 ? `, dw=${dw}` : "") + (pw > 0 ? `, pw=${pw}` : "");
    return (
      `${this.#acks[newest]} replicas acknowledged the write, ` +
      `${this.#durable[newest]} of them durably; wanted is ${asked}`
    );
  }

  #needIn(layout: number): WriteNeed {
    if (layout === this.#owners.length - 1) return this.#need;
    const owners = this.#owners[layout];
    const { w, dw, pw } = this.#need;
    return { w: Math.min(w, owners), dw: Math.min(dw, owners), pw: Math.min(pw, owners) };
  }
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
