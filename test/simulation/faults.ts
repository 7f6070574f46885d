/**
 * What goes wrong, and when: draws a fault every so often, lets it last, mends it. Several may last
 * at one time. At the end `mend` repairs everything at once and for good.
 *
 *   links   one-way cuts are the element: a partition cuts all links between two groups both ways
 *   nodes   kill -9, power loss (new boot id, unsynced writes gone or torn), standing still, an
 *           empty disk; at most `downMax` nodes at a time, but for a blackout, which is all of
 *           them; some blackouts come right behind an acknowledgement, when least is synced
 *   clocks  the wall clock jumps by up to an hour or by less than a second, in both directions
 *
 * A wipe waits until every member is there and complete (cluster.mayWipe): the atlas of allowed
 * losses is in losses.ts.
 */

import type { Clock, Timer } from "../../server/ports/clock.ts";
import type { SeededRandom } from "../random.ts";
import type { FaultShape, FaultWeights } from "./shape.ts";
import type { Trace } from "./trace.ts";

/** Of so many acknowledgements one is followed by a blackout, in runs that have blackouts. */
const BLACKOUT_ONE_IN = 60;

/** What faults can be done to. Nodes are numbered from 0. */
export interface Breakable {
  readonly count: number;
  isUp(node: number): boolean;
  /** Whether it is a member or on its way to become one: others are let alone. */
  isInside(node: number): boolean;
  isPaused(node: number): boolean;
  kill(node: number): void;
  unplug(node: number): void;
  start(node: number): void;
  pause(node: number, forMs: number): void;
  /** Whether an empty disk is a loss that the store promises to survive now. */
  mayWipe(node: number): boolean;
  /** Kills the node and empties its disk. */
  wipe(node: number): void;
  jumpClock(node: number, byMs: number): void;
  mendClock(node: number): void;
  /** Whether what `from` sends to `to` is lost. */
  cut(from: number, to: number, isCut: boolean): void;
  /** Holds back what `from` sends to `to` for a while. */
  clog(from: number, to: number, forMs: number): void;
}

export class Faults {
  readonly #target: Breakable;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #shape: FaultShape;
  /** How many faults cut each link now. */
  readonly #cuts: number[];
  readonly #timers = new Set<Timer>();
  #isMended = false;
  count = 0;

  constructor(
    target: Breakable,
    clock: Clock,
    random: SeededRandom,
    trace: Trace,
    shape: FaultShape,
  ) {
    this.#target = target;
    this.#clock = clock;
    this.#random = random;
    this.#trace = trace;
    this.#shape = shape;
    this.#cuts = new Array<number>(target.count * target.count).fill(0);
  }

  /** Draws faults from now on. */
  start(): void {
    if (this.#shape.everyMs === 0 || sumOf(this.#shape.weights) === 0) return;
    this.#later(1 + this.#random.below(2 * this.#shape.everyMs), () => {
      this.#strike();
      this.start();
    });
  }

  /**
   * A client was told that its write is done: now and then the very worst moment for the power to
   * go.
   */
  acknowledged(): void {
    if (this.#isMended || this.#shape.weights.blackout === 0) return;
    if (this.#random.chance(1, BLACKOUT_ONE_IN)) this.#later(0, () => this.#blackout());
  }

  /**
   * Ends all faults: links, nodes and clocks are well from now on; who stands still comes round.
   */
  mend(): void {
    this.#isMended = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    const { count } = this.#target;
    for (let node = 0; node < count; node++) {
      for (let to = 0; to < count; to++) this.#target.cut(node, to, false);
      this.#target.mendClock(node);
      if (!this.#target.isUp(node) && this.#target.isInside(node)) this.#target.start(node);
    }
    this.#say("all is mended");
  }

  #strike(): void {
    this.count++;
    const kind = drawKind(this.#random.below(sumOf(this.#shape.weights)), this.#shape.weights);
    const node = this.#random.below(this.#target.count);
    switch (kind) {
      case "partition":
        return this.#partition();
      case "oneWay":
        return this.#oneWay(node);
      case "clog":
        return this.#clog(node);
      case "kill":
        return this.#stop(node, "kill -9", () => this.#target.kill(node));
      case "powerLoss":
        return this.#stop(node, "power loss", () => this.#target.unplug(node));
      case "blackout":
        return this.#blackout();
      case "pause":
        return this.#pause(node);
      case "wipe":
        if (!this.#target.mayWipe(node)) return;
        return this.#stop(node, "empty disk", () => this.#target.wipe(node));
      case "clockJump":
        return this.#jump(node);
    }
  }

  #partition(): void {
    const { count } = this.#target;
    const isolated = this.#random.chance(1, 3) ? this.#random.below(count) : -1;
    const side: boolean[] = [];
    for (let node = 0; node < count; node++) {
      side.push(isolated < 0 ? this.#random.chance(1, 2) : node === isolated);
    }
    const lastsMs = this.#duration();
    this.#say(`partition ${side.map((left) => (left ? "L" : "R")).join("")} for ${lastsMs} ms`);
    this.#cutFor(lastsMs, (from, to) => side[from] !== side[to]);
  }

  #oneWay(node: number): void {
    const isDeaf = this.#random.chance(1, 2);
    const lastsMs = this.#duration();
    this.#say(`node ${node} ${isDeaf ? "hears nobody" : "is heard by nobody"} for ${lastsMs} ms`);
    this.#cutFor(lastsMs, (from, to) => (isDeaf ? to : from) === node);
  }

  #cutFor(lastsMs: number, isCut: (from: number, to: number) => boolean): void {
    const { count } = this.#target;
    const links: [number, number][] = [];
    for (let from = 0; from < count; from++) {
      for (let to = 0; to < count; to++) {
        if (from !== to && isCut(from, to)) links.push([from, to]);
      }
    }
    for (const [from, to] of links) this.#count(from, to, 1);
    this.#later(lastsMs, () => {
      for (const [from, to] of links) this.#count(from, to, -1);
    });
  }

  #count(from: number, to: number, step: number): void {
    const index = from * this.#target.count + to;
    this.#cuts[index] += step;
    this.#target.cut(from, to, this.#cuts[index] > 0);
  }

  #clog(node: number): void {
    const to = this.#random.below(this.#target.count);
    if (to === node) return;
    const lastsMs = 1 + this.#random.below(5_000);
    this.#say(`link ${node} to ${to} stands still for ${lastsMs} ms`);
    this.#target.clog(node, to, lastsMs);
  }

  #stop(node: number, what: string, stop: () => void): void {
    if (!this.#mayTake(node)) return;
    const lastsMs = this.#duration();
    this.#say(`node ${node}: ${what}, down for ${lastsMs} ms`);
    stop();
    this.#later(lastsMs, () => this.#restart(node));
  }

  #blackout(): void {
    const lastsMs = this.#duration();
    this.#say(`power loss everywhere for ${lastsMs} ms`);
    for (let node = 0; node < this.#target.count; node++) {
      if (!this.#target.isUp(node)) continue;
      this.#target.unplug(node);
      this.#later(lastsMs + this.#random.below(500), () => this.#restart(node));
    }
  }

  #restart(node: number): void {
    if (this.#target.isUp(node) || !this.#target.isInside(node)) return;
    this.#say(`node ${node}: starts`);
    this.#target.start(node);
  }

  #pause(node: number): void {
    if (!this.#mayTake(node)) return;
    const lastsMs = this.#duration();
    this.#say(`node ${node}: stands still for ${lastsMs} ms`);
    this.#target.pause(node, lastsMs);
  }

  #jump(node: number): void {
    const reachMs = this.#random.chance(1, 2) ? 500 : 3_600_000;
    const byMs = this.#random.below(2 * reachMs) - reachMs;
    this.#say(`node ${node}: its clock jumps by ${byMs} ms`);
    this.#target.jumpClock(node, byMs);
  }

  /** Whether one more node, this one, may stop now. */
  #mayTake(node: number): boolean {
    if (!this.#target.isUp(node) || this.#target.isPaused(node)) return false;
    let down = 0;
    for (let other = 0; other < this.#target.count; other++) {
      if (!this.#target.isInside(other)) continue;
      if (!this.#target.isUp(other) || this.#target.isPaused(other)) down++;
    }
    return down < this.#shape.downMax;
  }

  #duration(): number {
    return 1 + this.#random.below(this.#shape.lastsMsMax);
  }

  #later(delayMs: number, run: () => void): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }

  #say(text: string): void {
    this.#trace.add(this.#clock.elapsedMs(), `FAULT ${text}`);
  }
}

function sumOf(weights: FaultWeights): number {
  return Object.values(weights).reduce((sum: number, weight: number) => sum + weight, 0);
}

const kinds: readonly (keyof FaultWeights)[] = [
  "partition",
  "oneWay",
  "clog",
  "kill",
  "powerLoss",
  "blackout",
  "pause",
  "wipe",
  "clockJump",
];

function drawKind(draw: number, weights: FaultWeights): keyof FaultWeights {
  for (const kind of kinds) if ((draw -= weights[kind]) < 0) return kind;
  return "partition";
}
