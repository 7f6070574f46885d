/**
 * The read of the paper, as one state machine a request (4.5, 5): ask the first N healthy replicas, wait
 * for R, reconcile, answer, linger for late replies, and repair what was stale.
 *
 *   start ─► read here ─► ask the others for digests
 *                              │ equal to what is here ──────────► agreed
 *                              │ another digest ─► ask for the set ► held
 *                              │ nothing ────────────────────────► absent
 *                              └ no answer ─► failed; the next healthy node is asked, maybe this one
 *   R of them, or time over ─► merge ─► answer        (the machine stays)
 *   all ended ─► merge ─► read-repair.ts
 *
 * A large payload that is not here is fetched from those that hold it (replication/body-pull) before their
 * answer counts; as long as its slices come, the time begins anew.
 *
 * One replica's body travels, the others send a digest from their index: equal sets have equal digests.
 *
 * ***A partial replica's nothing does not count:*** "not found" needs R complete primaries that hold
 * nothing; too few of them end as absence-unknown.
 */

import { KIND_FETCH, type FrameView } from "../../core/frame.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  FETCH_HINTS,
  FETCH_REQUEST,
  STATUS_ABSENT,
  STATUS_DAMAGED,
  STATUS_DONE,
  WANT_DIGEST,
  WANT_SET,
  WANT_VERSION,
  FetchedView,
  fetchLength,
  readFetched,
  setOf,
  writeFetch,
} from "../../core/replica-frames.ts";
import { DOT_BYTES } from "../../core/clock-entry.ts";
import {
  clockCount,
  headDigestInto,
  payloadLength,
  versionOffset,
} from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { ownPayload, type Payload } from "../../storage/large-payload.ts";
import { BodyPull, aboutOf, sizeOf } from "../replication/body-pull.ts";
import { bodyIn, canMerge, mergeSets } from "../replication/merge-sets.ts";
import type { Replication } from "../replication/replication.ts";
import type { Member } from "../membership/member.ts";
import type { ReplyHandler } from "../wire/peers.ts";
import type { TimerHandle, TimerTarget, TimerWheel } from "../wire/timer-wheel.ts";
import { isMadeIn, type AskedWrite, type Superseded } from "./asked-write.ts";
import { type Slot, waitingSlot } from "./gather-slot.ts";
import { nextStandIn, type Plan, type PlanSource, type Target } from "./plan.ts";
import type { ReadNeed } from "./quorum.ts";
import { repairReplicas, type RepairOrder } from "./read-repair.ts";

/** The reply being taken; valid inside replied() only. */
const reply = new FetchedView();

export interface GatherParts {
  readonly membership: PlanSource;
  readonly replication: Replication;
  readonly wheel: TimerWheel;
}

export interface GatherRequest {
  readonly name: ObjectName;
  readonly partition: number;
  readonly copies: number;
  readonly plan: Plan;
  readonly need: ReadNeed;
  readonly timeoutMs: number;
  /** Ask all for whole sets and do not trust what is here: it is damaged. */
  readonly distrustsLocal: boolean;
  /** A write that may have been made before: where it is known here already, nobody else is asked. */
  readonly about: AskedWrite | null;
}

/** found and absent are certain by R; unknown-absence and too-few say why they are not. */
export type GatherStatus = "found" | "absent" | "unknown-absence" | "too-few";

export interface Gathered {
  readonly status: GatherStatus;
  /** All that was seen, merged; null where nothing was. */
  readonly set: VersionSet | null;
  readonly primaries: number;
  readonly fallbacks: number;
  /** Who answered first. */
  readonly reader: Member | null;
  /** What is known of the end of the write that was asked about. */
  readonly superseded: Superseded;
}

const NO_DOT = new Uint8Array(DOT_BYTES);
const digest = new Uint32Array(2);

export class Gather implements ReplyHandler, TimerTarget {
  readonly #parts: GatherParts;
  readonly #request: GatherRequest;
  readonly #answered: (gathered: Gathered) => void;
  readonly #ended: () => void;
  readonly #slots: Slot[] = [];
  #local: Slot | null = null;
  /** The label of what is read from the beginning on (replication/rounds.ts). */
  readonly #round: number;
  #localDigest0 = 0;
  #localDigest1 = 0;
  #reader: Member | null = null;
  /** This node has seen the write that is asked about superseded. */
  #isSupersededHere = false;
  /** A slice has come since the time was taken last. */
  #hasMoved = false;
  #isAnswered = false;
  #isEnded = false;
  #deadline: TimerHandle = 0;
  // Counts of the slots, kept by #settle.
  #waiting = 0;
  #responders = 0;
  #primaries = 0;
  #completeNothings = 0;

  /**
   * @param answered called once, as soon as the need is met or cannot be
   * @param ended called once, when the last reply has come and repairs are on their way
   */
  constructor(
    parts: GatherParts,
    request: GatherRequest,
    answered: (gathered: Gathered) => void,
    ended: () => void,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#answered = answered;
    this.#ended = ended;
    this.#round = parts.replication.rounds.label(request.partition);
    const { targets } = request.plan;
    for (let index = 0; index < targets.length; index++) this.#addSlot(targets[index]);
  }

  start(): void {
    const { wheel, replication } = this.#parts;
    const { name, about } = this.#request;
    if (about !== null) {
      this.#isSupersededHere = replication.isSuperseded(name, about.requestId, 0, about.checksum);
    }
    this.#deadline = wheel.schedule(this.#request.timeoutMs, this, 0);
    const local = this.#slots.find((slot) => slot.target.member.isSelf);
    if (local === undefined || this.#request.distrustsLocal) {
      if (local !== undefined) this.#settle(local, "failed");
      this.#askOthers(WANT_SET);
      return;
    }
    this.#local = local;
    this.#readHere(local, () => {
      if (local.state !== "failed") this.#reader = local.target.member;
      if (this.#isKnownHere(local)) return this.#endHere();
      return this.#askOthers(local.state === "failed" ? WANT_SET : WANT_DIGEST);
    });
  }

  #addSlot(target: Target): Slot {
    const slot = waitingSlot(target);
    this.#slots.push(slot);
    this.#waiting++;
    return slot;
  }

  /** The one place where a slot stops waiting. */
  #settle(slot: Slot, state: "agreed" | "held" | "absent" | "failed"): void {
    slot.state = state;
    this.#waiting--;
    if (state === "failed") return;
    this.#responders++;
    if (slot.target.hintFor !== null) return;
    this.#primaries++;
    if (state === "absent" && slot.isComplete) this.#completeNothings++;
  }

  #readHere(slot: Slot, done: () => void): void {
    const { replication } = this.#parts;
    const { name, partition } = this.#request;
    if (!replication.isReplica) {
      this.#settle(slot, "failed");
      return done();
    }
    slot.isComplete = replication.isCompletePrimary(partition);
    slot.saysSuperseded = this.#isSupersededHere;
    const take = (set: VersionSet | null): void => {
      slot.set = set;
      this.#settle(slot, set === null ? "absent" : "held");
      if (set !== null) headDigestInto(set.head, 0, set.head.length, digest, 0);
      this.#localDigest0 = set === null ? 0 : digest[0];
      this.#localDigest1 = set === null ? 0 : digest[1];
      done();
    };
    if (slot.target.hintFor !== null) return replication.collectAsStandIn(name, take);
    return replication.objects.read(name, (outcome) => {
      if (outcome.status === "found") return take(outcome.set);
      if (outcome.status === "absent") return take(null);
      this.#settle(slot, "failed");
      return done();
    });
  }

  /** Whether the write that is asked about is live here, or was. */
  #isKnownHere({ set }: Slot): boolean {
    const { about } = this.#request;
    if (about === null || set === null) return false;
    return this.#isSupersededHere || isMadeIn(set.head, about);
  }

  /** What is here says enough; nobody has been asked, and nobody is repaired. */
  #endHere(): void {
    this.#isEnded = true;
    this.#tryAnswer(true);
    this.#ended();
  }

  #askOthers(want: number): void {
    // Those that are added meanwhile, for a node that cannot be asked, have been asked already.
    const count = this.#slots.length;
    for (let index = 0; index < count; index++) {
      if (this.#slots[index].state === "waiting") this.#ask(index, want, NO_DOT);
    }
    this.#progress();
  }

  #ask(index: number, want: number, dot: Uint8Array): void {
    const slot = this.#slots[index];
    slot.want = want;
    const { name, plan, timeoutMs, about } = this.#request;
    const layout = plan.layouts[plan.layouts.length - 1].number;
    const peer = slot.target.member.peer;
    const length = fetchLength(name.bytes);
    const offset =
      peer === null ? -1 : peer.request(KIND_FETCH, 0, layout, length, timeoutMs, this, index);
    if (peer === null || offset < 0) return this.#slotFailed(slot);
    const asked = want === WANT_VERSION ? null : about;
    const flags =
      (slot.target.hintFor === null ? 0 : FETCH_HINTS) | (asked === null ? 0 : FETCH_REQUEST);
    const checksum = asked?.checksum ?? 0;
    const body = { want, flags, checksum, about: asked?.requestId ?? dot, name: name.bytes };
    return writeFetch(body, peer.buffer, offset);
  }

  replied(index: number, frame: FrameView): void {
    const slot = this.#slots[index];
    if (!readFetched(frame.bytes, frame.start, frame.end, reply)) this.#slotFailed(slot);
    else {
      this.#reader ??= slot.target.member;
      slot.isComplete = reply.isComplete;
      slot.saysSuperseded ||= reply.isSuperseded;
      const { digest0, digest1 } = reply;
      const set = reply.hasSet ? setOf(reply.set) : null;
      if (frame.status === STATUS_ABSENT) this.#wasAbsent(slot);
      else if (frame.status !== STATUS_DONE) this.#refused(slot, frame.status);
      else if (slot.want === WANT_DIGEST) this.#digestCame(index, digest0, digest1);
      else if (slot.want === WANT_SET) this.#setCame(index, set);
      else this.#versionCame(index, set);
    }
    this.#progress();
  }

  failed(index: number, _reason: "unreachable" | "closed" | "timeout"): void {
    this.#slotFailed(this.#slots[index]);
    this.#progress();
  }

  /** No answer that counts; what is damaged there is made good when all has been gathered. */
  #refused(slot: Slot, status: number): void {
    slot.isDamaged = status === STATUS_DAMAGED;
    this.#slotFailed(slot);
  }

  /** Nothing there; a body that was asked for has been superseded there meanwhile. */
  #wasAbsent(slot: Slot): void {
    if (slot.want === WANT_VERSION) this.#slotFailed(slot);
    else this.#settle(slot, "absent");
  }

  #digestCame(index: number, digest0: number, digest1: number): void {
    const slot = this.#slots[index];
    const isSame =
      this.#local?.state === "held" &&
      digest0 === this.#localDigest0 &&
      digest1 === this.#localDigest1;
    if (isSame) this.#settle(slot, "agreed");
    else this.#ask(index, WANT_SET, NO_DOT);
  }

  #setCame(index: number, set: VersionSet | null): void {
    const slot = this.#slots[index];
    if (set === null) return this.#slotFailed(slot);
    slot.set = copySet(set);
    slot.missing = set.payloads.flatMap((payload, place) => (payload === null ? [place] : []));
    return this.#askMissing(index);
  }

  #versionCame(index: number, single: VersionSet | null): void {
    const slot = this.#slots[index];
    const place = slot.missing.shift();
    if (place === undefined || single === null || slot.set === null) return this.#slotFailed(slot);
    const payload = bodyIn(single, slot.set.head, place);
    if (payload === null) return this.#slotFailed(slot);
    slot.set.payloads[place] = ownPayload(payload);
    return this.#askMissing(index);
  }

  #askMissing(index: number): void {
    const slot = this.#slots[index];
    if (slot.set === null || slot.missing.length === 0) return this.#setIsWhole(slot);
    const version = versionOffset(0, slot.missing[0]);
    const { replication } = this.#parts;
    if (payloadLength(slot.set.head, version) > replication.streamBytesMin) {
      return this.#fetchLarge(index, slot.set, slot.missing[0]);
    }
    return this.#ask(index, WANT_VERSION, slot.set.head.subarray(version, version + DOT_BYTES));
  }

  /** A large payload: another slot may have it, or it is fetched from whoever holds it. */
  #fetchLarge(index: number, set: VersionSet, place: number): void {
    const slot = this.#slots[index];
    const { replication } = this.#parts;
    const { name, plan, timeoutMs } = this.#request;
    const take = (payload: Payload | null): void => {
      slot.isPulling = false;
      slot.missing.shift();
      if (payload === null) this.#slotFailed(slot);
      else {
        set.payloads[place] = payload;
        this.#askMissing(index);
      }
    };
    const held = this.#heldElsewhere(slot, set.head, place);
    if (held !== null) return take(held);
    slot.isPulling = true;
    const others = this.#slots.map(({ target }) => target.member).filter((one) => !one.isSelf);
    const { member } = slot.target;
    const pull = new BodyPull({
      bodies: replication.bodies,
      id: { engine: replication.objects.engine, name, about: aboutOf(set.head, place) },
      size: sizeOf(set.head, place),
      holders: [member, ...others.filter((other) => other !== member)],
      layout: plan.layouts[plan.layouts.length - 1].number,
      timeoutMs,
      moved: () => {
        this.#hasMoved = true;
      },
      done: (payload) => {
        take(payload);
        this.#progress();
      },
    });
    return pull.start();
  }

  #heldElsewhere(slot: Slot, head: Uint8Array, place: number): Payload | null {
    for (const other of this.#slots) {
      const found = other === slot || other.set === null ? null : bodyIn(other.set, head, place);
      if (found !== null) return found;
    }
    return null;
  }

  /** A set that cannot be merged with what is there is no answer: it is more than a head can count. */
  #setIsWhole(slot: Slot): void {
    const others = this.#merged(slot);
    if (others === null || slot.set === null || canMerge(others, slot.set)) {
      return this.#settle(slot, "held");
    }
    return this.#slotFailed(slot);
  }

  /** A node that does not answer is replaced by the next healthy one, as long as nothing is answered. */
  #slotFailed(slot: Slot): void {
    slot.set = null;
    this.#settle(slot, "failed");
    if (this.#isAnswered || slot.target.member.isSelf) return;
    const { membership } = this.#parts;
    const { plan, partition, copies } = this.#request;
    const targets = this.#slots.map((known) => known.target);
    const member = nextStandIn(membership, plan.layouts, partition, copies, targets);
    if (member === null) return;
    const owner = slot.target.hintFor ?? slot.target.member;
    const standIn = this.#addSlot({ member, hintFor: owner, layouts: slot.target.layouts });
    if (member.isSelf) this.#readHere(standIn, () => this.#progress());
    else this.#ask(this.#slots.length - 1, WANT_SET, NO_DOT);
  }

  /** The time is over: stand-ins that were asked late may still answer, and are repaired as others are. */
  expired(): void {
    if (this.#isAnswered) return;
    if (!this.#hasMoved || !this.#slots.some((slot) => slot.isPulling)) return this.#tryAnswer(true);
    this.#hasMoved = false;
    this.#deadline = this.#parts.wheel.schedule(this.#request.timeoutMs, this, 0);
  }

  #progress(): void {
    if (!this.#isAnswered) this.#tryAnswer(this.#waiting === 0);
    if (this.#isEnded || this.#waiting > 0) return;
    this.#isEnded = true;
    const merged = this.#slots.length > 1 || this.#local === null ? this.#merged() : null;
    if (merged !== null) repairReplicas(this.#parts.replication, this.#repairOrder(merged));
    this.#ended();
  }

  #tryAnswer(isLast: boolean): void {
    const { r, pr } = this.#request.need;
    const isMet = this.#responders >= r && this.#primaries >= pr;
    if (!isMet && !isLast) return;
    const set = this.#merged();
    let status: GatherStatus = "unknown-absence";
    if (!isMet) status = "too-few";
    else if (set !== null) status = "found";
    else if (this.#completeNothings >= r) status = "absent";
    else if (!isLast) return;
    this.#isAnswered = true;
    this.#parts.wheel.cancel(this.#deadline);
    this.#answered({
      status,
      set,
      primaries: this.#primaries,
      fallbacks: this.#responders - this.#primaries,
      reader: this.#reader,
      superseded: this.#superseded(set),
    });
  }

  #repairOrder(merged: VersionSet): RepairOrder {
    const { name, plan, timeoutMs } = this.#request;
    return {
      name,
      layout: plan.layouts[plan.layouts.length - 1].number,
      round: this.#round,
      timeoutMs,
      slots: this.#slots,
      merged,
      localDigest0: this.#localDigest0,
      localDigest1: this.#localDigest1,
    };
  }

  /** @param merged all sets that have come whole */
  #superseded(merged: VersionSet | null): Superseded {
    if (this.#isLostInMerge(merged)) return "shown";
    let superseded: Superseded = this.#isSupersededHere ? "gone" : "no";
    for (const { saysSuperseded, state } of this.#slots) {
      if (!saysSuperseded) continue;
      if (state === "held" || state === "agreed") return "shown";
      if (state === "absent") superseded = "gone";
      else if (superseded === "no") superseded = "hidden";
    }
    return this.#slots.some((slot) => !isWhole(slot) && this.#isMadeAt(slot)) ? "hidden" : superseded;
  }

  #merged(without: Slot | null = null): VersionSet | null {
    let merged: VersionSet | null = null;
    for (let index = 0; index < this.#slots.length; index++) {
      const slot = this.#slots[index];
      const { set } = slot;
      if (slot === without || set === null || !isWhole(slot) || clockCount(set.head, 0) === 0) continue;
      merged = merged === null ? set : mergeSets(merged, set);
    }
    return merged;
  }

  /** Whether somebody holds the write that is asked about live, and what another one holds has superseded it. */
  #isLostInMerge(merged: VersionSet | null): boolean {
    const { about } = this.#request;
    if (about === null || merged === null || isMadeIn(merged.head, about)) return false;
    return this.#slots.some((slot) => isWhole(slot) && this.#isMadeAt(slot));
  }

  /** Whether the write that is asked about is live in what has come of a slot. */
  #isMadeAt({ set }: Slot): boolean {
    const { about } = this.#request;
    return about !== null && set !== null && isMadeIn(set.head, about);
  }
}

/** Whether the bodies of all its versions have come. */
function isWhole({ set }: Slot): boolean {
  return set === null || !set.payloads.includes(null);
}

function copySet(set: VersionSet): VersionSet {
  return {
    head: set.head.slice(),
    payloads: set.payloads.map(ownPayload),
  };
}
