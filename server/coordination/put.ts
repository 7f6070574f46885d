/**
 * The write of the paper, as one state machine a request (4.5, 5): make the version, write it here, send
 * the finished state to the first N healthy nodes, answer after W acknowledgements of which DW durable.
 *
 *   start ─► event here (primary: objects, stand-in: hints, neither: nowhere); or, where the write was
 *        │   made before, the set that says so is joined here and goes the same way
 *        ├─► hand over here, or sync ────────────► acknowledged, or durable as well
 *        └─► send to the other targets
 *               │ stored ────────────────────────► acknowledged (durable where asked)
 *               │ bodies are lacking, or the set is larger than a frame ─► a Delivery does it
 *               │ no answer, not answered yet ───► the next healthy node, maybe this one, with a hint
 *               └ otherwise ─────────────────────► missed
 *   W, DW and PW met in every live layout ─► done
 *   time over, or no more answers to come ─► unknown: it may have been written
 *   all ended ─► keep a hint here for every owner that was missed
 *
 * A set with large payloads has no deadline while its slices move: each of the two timers above begins anew
 * where something has moved since (core/limits, STALL_MS_MAX), and nobody is replaced who is getting on.
 *
 * What travels is the finished state, never the client's request, so however often it is delivered or
 * repaired it is one version. Before the version is made nothing is written anywhere: all refusals come
 * from there.
 */

import type { FrameView } from "../../core/frame.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  PURPOSE_WRITE,
  REPLICATE_DURABLE,
  REPLICATE_HINTED,
  STATUS_CLOSED,
  STATUS_DONE,
  STATUS_INCOMPLETE,
  type WireSet,
} from "../../core/replica-frames.ts";
import { STALL_MS_MAX } from "../../core/limits.ts";
import type { VersionSet, WriteLabels } from "../../storage/engine.ts";
import { isLarge, type LargePayload } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import {
  NO_TARGET,
  isStored,
  isStoredDurably,
  sendReplicate,
  type Delivered,
} from "../replication/delivery.ts";
import { hintName } from "../replication/hints.ts";
import { NOTHING, type Change } from "../replication/change.ts";
import { eventOver, type EventMaker } from "../replication/event.ts";
import { mergeWherePossible } from "../replication/merge-sets.ts";
import type { Replication } from "../replication/replication.ts";
import { NO_REQUESTS } from "../replication/request-list.ts";
import type { ReplyHandler } from "../wire/peers.ts";
import type { TimerHandle, TimerTarget, TimerWheel } from "../wire/timer-wheel.ts";
import { nextStandIn, type Plan, type PlanSource, type Target } from "./plan.ts";
import type { WriteNeed } from "./quorum.ts";
import type { Tally } from "./tally.ts";

/** A replica that is silent for this part of the timeout gets a stand-in. */
const EXTEND_AFTER_PART = 4;
const EXTEND_AFTER_MS_MAX = 1_000;

export interface PutParts {
  readonly membership: PlanSource;
  readonly replication: Replication;
  readonly wheel: TimerWheel;
}

export interface PutWork {
  readonly name: ObjectName;
  readonly partition: number;
  readonly copies: number;
  readonly plan: Plan;
  readonly need: WriteNeed;
  readonly tally: Tally;
  readonly maker: EventMaker;
  readonly timeoutMs: number;
  /** The label of all that was read for it (replication/rounds.ts). */
  readonly round: number;
  /** A set of others in which the write is live or superseded already: no version is made. */
  readonly found: VersionSet | null;
}

/** written: by as many as were asked; unknown: by too few in time; refused: by nobody, `change` says why. */
export type PutEnd =
  | { readonly status: "written" | "unknown"; readonly set: VersionSet }
  | { readonly status: "refused"; readonly change: Change };

/** Which of a put's timers ran out. */
const EXTEND = 0;
const DEADLINE = 1;

export class Put implements TimerTarget, ReplyHandler {
  readonly #parts: PutParts;
  readonly #work: PutWork;
  readonly #answered: (end: PutEnd) => void;
  readonly #ended: () => void;
  /** The plan's, and stand-ins that were asked since; a reply's tag is its place here. */
  #targets: readonly Target[];
  /** Owners that have it, or for whom a stand-in has it. */
  readonly #served: Member[] = [];
  /** Targets that have not answered; a handful, for which an array is the faster set. */
  readonly #waiting: Target[] = [];
  /** Those to which something has moved since silence was watched for last. */
  readonly #moving = new Set<Target>();
  /** Whether anything has, since the deadline was set. */
  #hasMoved = false;
  /** Large payloads of the set, held until all have ended. */
  readonly #held: LargePayload[] = [];
  #set: VersionSet = NOTHING;
  /** What the new version superseded: the others are told (replication/request-list.ts). */
  #superseded: Uint8Array = NO_REQUESTS;
  /** Whether the others have to sync before they answer. */
  #asksDurable = false;
  /** The set as it goes in one frame; null: a Delivery sends it. */
  #wireSet: WireSet | null = null;
  /** As which target this node has made or kept the version; null: as none. */
  #madeAs: Target | null = null;
  /** Until all targets have been asked: what ends meanwhile, within the same turn, is not the last word. */
  #isBeginning = true;
  #isAnswered = false;
  /** The copy here is not handed over, or not synced, yet. */
  #isKeeping = false;
  #isEnded = false;
  #extendTimer: TimerHandle = 0;
  #deadline: TimerHandle = 0;

  constructor(
    parts: PutParts,
    work: PutWork,
    answered: (end: PutEnd) => void,
    ended: () => void,
  ) {
    this.#parts = parts;
    this.#work = work;
    this.#answered = answered;
    this.#ended = ended;
    this.#targets = work.plan.targets;
  }

  start(): void {
    const local = this.#targets.find((target) => target.member.isSelf) ?? null;
    const { found } = this.#work;
    this.#madeAs = local;
    if (found === null) this.#made(local, this.#event(local));
    else if (local === null) this.#spread(null, found);
    else this.#made(local, { ...this.#keep(local, found), set: found });
  }

  #event(local: Target | null): Change {
    const { hints, objects } = this.#parts.replication;
    const { name, maker } = this.#work;
    if (local === null) return eventOver(name, NOTHING, maker);
    if (local.hintFor !== null) return hints.event(local.hintFor, name, maker);
    return objects.event(name, maker, this.#labels());
  }

  /** What others hold already is kept here as well, and handed to all as it is. */
  #keep(local: Target, found: VersionSet): Change {
    const { hints, objects } = this.#parts.replication;
    const { name } = this.#work;
    if (local.hintFor !== null) return hints.store(local.hintFor, name, found, this.#labels());
    return objects.join(name, found, this.#labels());
  }

  #labels(): WriteLabels {
    const { layouts } = this.#work.plan;
    return { layout: layouts[layouts.length - 1].number, round: this.#work.round };
  }

  #made(local: Target | null, change: Change): void {
    if (change.status !== STATUS_DONE) {
      this.#isAnswered = true;
      this.#answered({ status: "refused", change });
      this.#ended();
      return;
    }
    this.#superseded = change.superseded;
    this.#spread(local, change.set);
  }

  #spread(local: Target | null, set: VersionSet): void {
    const { replication } = this.#parts;
    const { need, name, plan } = this.#work;
    this.#set = set;
    // One durable copy, the one here, may not be enough, or not be one in every live layout.
    const everywhere = 2 ** plan.layouts.length - 1;
    this.#asksDurable = need.dw > (local?.layouts === everywhere ? 1 : 0);
    this.#wireSet = replication.inOneFrame(name, set, this.#superseded);
    this.#holdLarge(set);
    if (local !== null) this.#storedHere(local);
    // Those that are added meanwhile, for a node that cannot be asked, have been asked already.
    const count = this.#targets.length;
    for (let index = 0; index < count; index++) {
      if (this.#targets[index] !== local) this.#send(index);
    }
    this.#isBeginning = false;
    this.#watchTime();
    this.#progress();
  }

  #holdLarge({ payloads }: VersionSet): void {
    for (const payload of payloads) {
      if (isLarge(payload) && payload.hold()) this.#held.push(payload);
    }
  }

  #storedHere(local: Target): void {
    const { replication } = this.#parts;
    const { engine } = local.hintFor === null ? replication.objects : replication.hints.copy;
    const isDurable = this.#work.need.dw > 0;
    const kept = (isKept: boolean): void => this.#keptHere(local, isKept, isDurable);
    this.#served.push(local.hintFor ?? local.member);
    this.#isKeeping = true;
    if (isDurable) engine.sync(kept);
    else engine.handedOver(kept);
  }

  #keptHere(local: Target, isKept: boolean, isDurable: boolean): void {
    this.#isKeeping = false;
    if (isKept) this.#work.tally.acknowledged(local);
    if (isKept && isDurable) this.#work.tally.durable(local);
    this.#progress();
  }

  #send(index: number): void {
    const target = this.#targets[index];
    const { hintFor } = target;
    const { name, timeoutMs } = this.#work;
    this.#waiting.push(target);
    if (this.#wireSet === null) return this.#deliver(target, this.#set);
    const body = {
      purpose: PURPOSE_WRITE,
      flags: (this.#asksDurable ? REPLICATE_DURABLE : 0) | (hintFor === null ? 0 : REPLICATE_HINTED),
      round: this.#work.round,
      target: hintFor?.idBytes ?? NO_TARGET,
      name: name.bytes,
      requests: this.#superseded,
      set: this.#wireSet,
    };
    const { layoutNumber } = this.#parts.replication;
    const isSent = sendReplicate(target.member, body, layoutNumber, timeoutMs, this, index);
    if (!isSent) this.#missed(target);
  }

  replied(index: number, frame: FrameView): void {
    const target = this.#targets[index];
    if (isStored(frame)) this.#storedThere(target, isStoredDurably(frame));
    else if (frame.status === STATUS_INCOMPLETE) this.#deliverWhole(target);
    else {
      if (frame.status === STATUS_CLOSED) this.#parts.replication.learnRounds(target.member);
      this.#missed(target);
    }
  }

  failed(index: number): void {
    this.#missed(this.#targets[index]);
  }

  /** A receiver that lacks bodies that the set goes on with is sent all of them. */
  #deliverWhole(target: Target): void {
    this.#load((set) => {
      if (set === null) this.#missed(target);
      else this.#deliver(target, set);
    });
  }

  /**
   * The set with all bodies, or a later one; null where they cannot be read. They are where the version
   * was made: a stand-in has an older set among its objects, perhaps, and that is not what is to be stored.
   */
  readonly #load = (done: (set: VersionSet | null) => void): void => {
    const { objects, hints } = this.#parts.replication;
    const { name } = this.#work;
    const made = this.#set;
    const owner = this.#madeAs?.hintFor ?? null;
    if (this.#madeAs === null || !made.payloads.includes(null)) return done(made);
    const copy = owner === null ? objects : hints.copy;
    return copy.read(owner === null ? name : hintName(owner.idBytes, name), (outcome) => {
      const joined = outcome.status === "found" ? mergeWherePossible(made, outcome.set) : made;
      done(joined.payloads.includes(null) ? null : joined);
    });
  };

  #deliver(target: Target, set: VersionSet): void {
    const { replication } = this.#parts;
    const { name, timeoutMs } = this.#work;
    const how = {
      purpose: PURPOSE_WRITE,
      durable: this.#asksDurable,
      hintFor: target.hintFor?.idBytes ?? null,
      timeoutMs,
      round: this.#work.round,
      superseded: this.#superseded,
      moved: () => this.#moved(target),
    };
    replication.deliver(target.member, name, set, how, this.#load, (end: Delivered) => {
      if (end.failure === "" && end.status === STATUS_DONE) this.#storedThere(target, end.isDurable);
      else this.#missed(target);
    });
  }

  #storedThere(target: Target, isDurable: boolean): void {
    this.#waitsNoMore(target);
    this.#served.push(target.hintFor ?? target.member);
    this.#work.tally.acknowledged(target);
    if (isDurable) this.#work.tally.durable(target);
    this.#progress();
  }

  #missed(target: Target): void {
    this.#waitsNoMore(target);
    if (!this.#isAnswered) this.#extend(target);
    this.#progress();
  }

  #waitsNoMore(target: Target): void {
    const place = this.#waiting.indexOf(target);
    for (let next = place + 1; next < this.#waiting.length; next++) {
      this.#waiting[next - 1] = this.#waiting[next];
    }
    this.#waiting.pop();
  }

  /** How long it may take; where a payload is large, how long nothing may move. */
  get #patienceMs(): number {
    const { timeoutMs } = this.#work;
    return this.#held.length === 0 ? timeoutMs : Math.max(timeoutMs, STALL_MS_MAX);
  }

  #watchTime(): void {
    const { wheel } = this.#parts;
    const timeoutMs = this.#patienceMs;
    if (!this.#isAnswered) this.#deadline = wheel.schedule(timeoutMs, this, DEADLINE);
    if (this.#waiting.length === 0) return;
    this.#watchSilence();
  }

  #watchSilence(): void {
    const { timeoutMs } = this.#work;
    const delayMs = Math.min(timeoutMs / EXTEND_AFTER_PART, EXTEND_AFTER_MS_MAX);
    this.#extendTimer = this.#parts.wheel.schedule(delayMs, this, EXTEND);
  }

  /** Silent replicas get stand-ins; at last the client is told, and what is under way goes on. */
  expired(timer: number): void {
    if (this.#isAnswered) return;
    if (timer === EXTEND) return this.#extendSilent();
    if (!this.#hasMoved) return this.#answer("unknown");
    this.#hasMoved = false;
    this.#deadline = this.#parts.wheel.schedule(this.#patienceMs, this, DEADLINE);
  }

  #moved(target: Target): void {
    this.#hasMoved = true;
    this.#moving.add(target);
  }

  #extendSilent(): void {
    for (const target of [...this.#waiting]) if (!this.#moving.has(target)) this.#extend(target);
    // Who takes a large payload may fall silent later.
    if (this.#moving.size > 0) this.#watchSilence();
    this.#moving.clear();
  }

  /** Asks the next healthy node to stand in for the owner behind a target. */
  #extend(target: Target): void {
    const { membership } = this.#parts;
    const { plan, partition, copies } = this.#work;
    const owner = target.hintFor ?? target.member;
    if (this.#served.includes(owner)) return;
    const member = nextStandIn(membership, plan.layouts, partition, copies, this.#targets);
    if (member === null) return;
    const standIn = { member, hintFor: owner, layouts: target.layouts };
    // A copy: the plan's are not this put's alone.
    this.#targets = [...this.#targets, standIn];
    if (member.isSelf) this.#standInHere(standIn, owner);
    else this.#send(this.#targets.length - 1);
  }

  /** The coordinator is the next healthy node; without room for hints it leaves it to the one behind it. */
  #standInHere(standIn: Target, owner: Member): void {
    const { hints } = this.#parts.replication;
    const { status } = hints.store(owner, this.#work.name, this.#set, this.#labels(), this.#superseded);
    if (status === STATUS_DONE) this.#storedHere(standIn);
    else this.#extend(standIn);
  }

  #progress(): void {
    if (!this.#isAnswered && this.#work.tally.isMet) this.#answer("written");
    if (this.#isBeginning || this.#isEnded) return;
    if (this.#waiting.length > 0 || this.#isKeeping) return;
    if (!this.#isAnswered) this.#answer("unknown");
    this.#isEnded = true;
    this.#parts.wheel.cancel(this.#extendTimer);
    this.#keepHints();
    for (const payload of this.#held) payload.release();
    this.#ended();
  }

  #answer(status: "written" | "unknown"): void {
    this.#isAnswered = true;
    this.#parts.wheel.cancel(this.#deadline);
    this.#answered({ status, set: this.#set });
  }

  /** The ordinary case: every owner was there and has it. */
  #isKeptByAll(): boolean {
    const { targets, orphans } = this.#work.plan;
    return orphans.length === 0 && this.#served.length === targets.length &&
      this.#targets.length === targets.length;
  }

  /** Owners that nobody stored it for get it from here, once they are back. */
  #keepHints(): void {
    if (this.#isKeptByAll()) return;
    const owners = new Set<Member>(this.#work.plan.orphans);
    for (const target of this.#targets) owners.add(target.hintFor ?? target.member);
    for (const owner of owners) {
      if (owner.isSelf || this.#served.includes(owner)) continue;
      this.#keepHint(owner);
    }
  }

  #keepHint(owner: Member): void {
    this.#load((set) => {
      if (set !== null) this.#parts.replication.hints.store(owner, this.#work.name, set, this.#labels());
    });
  }
}
