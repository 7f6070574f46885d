/**
 * The request coordinator: the paper's get and put, from a checked request to one of three outcomes.
 * Any node takes any request; this file decides who coordinates it, and with what.
 *
 *   put ─► parameters, context, request id: refused here, or
 *       ─► not among the first N healthy? ─► forward, once
 *       ─► a retry, for all that can be told? ─► ask whether it was made before (asked-write.ts)
 *       ─► a condition, or a delete without a context? ─► read R first
 *       ─► Put (put.ts)
 *   get ─► forward, or Gather (gather.ts)
 *
 * The machines do the waiting; here are the decisions before and the answer after.
 */

import type { ObjectName } from "../../core/object-name.ts";
import { encodeMeta, encodePayload } from "../../core/payload.ts";
import { HybridClock } from "../../core/hybrid-clock.ts";
import { REQUEST_ID_FRESH_MS_MAX } from "../../core/limits.ts";
import { STATUS_DAMAGED } from "../../core/replica-frames.ts";
import { drawRequestId, requestTimeMs } from "../../core/request-id.ts";
import { DOT_BYTES } from "../../core/clock-entry.ts";
import { AFTER, EQUAL, clockCompare } from "../../core/vector-clock.ts";
import { clockCount, newestStamp } from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { BucketProperties } from "../membership/buckets.ts";
import type { Member } from "../membership/member.ts";
import type { Membership } from "../membership/membership.ts";
import type { Ports } from "../ports/ports.ts";
import { STATUS_REFUSED_HERE, type Change } from "../replication/local-copy.ts";
import type { Replication } from "../replication/replication.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import { madeBefore, type AskedWrite } from "./asked-write.ts";
import {
  NO_CONTEXT,
  clockOfHead,
  contextOfPut,
  contextOfRead,
  readContext,
  type ContextClock,
} from "./context-clock.ts";
import { Explain } from "./explain.ts";
import { forwardGet, forwardPut, getBodyOf, putBodyOf, type Forwarded } from "./forward.ts";
import { Gather, type Gathered, type GatherRequest } from "./gather.ts";
import { planAsk, planRead, planWrite, type Plan } from "./plan.ts";
import { Put, type PutEnd } from "./put.ts";
import { copiesOf, readNeed, writeNeed, type ReadNeed, type WriteNeed } from "./quorum.ts";
import {
  NOBODY,
  absenceUnknown,
  badContext,
  notReady,
  notStored,
  quorumUnreachable,
  refusedByAge,
  tooFewAnswered,
  tooFewToCheck,
} from "./refusals.ts";
import { Requests } from "./requests.ts";
import { endedOf, finished, refused, unknown, type Ended } from "./results.ts";
import type {
  Explanation,
  GetRequest,
  Precondition,
  PutRequest,
  Result,
  Store,
} from "./store.ts";
import { Tally } from "./tally.ts";
import { VersionMaker, type Dots, type LateStamp } from "./version-maker.ts";
import { etagOf, etagOfDots, shownVersions, siblingsOf } from "./view.ts";

export interface CoordinatorParts {
  readonly ports: Ports;
  readonly membership: Membership;
  readonly replication: Replication;
  readonly wheel: TimerWheel;
  readonly hybridClock: HybridClock;
  readonly dots: Dots;
  readonly maxValueBytes: number;
  readonly clockEntriesMax: number;
  readonly maxSkewMs: number;
}

/** A put on its way, with what was found out about it. */
interface PutCase {
  readonly request: PutRequest;
  readonly requestId: Uint8Array;
  readonly context: ContextClock;
  /** The context is not the client's: it was read for this attempt. */
  readonly isContextRead: boolean;
  readonly properties: BucketProperties;
  readonly copies: number;
  readonly need: WriteNeed;
  readonly partition: number;
  readonly isForwarded: boolean;
  /** By the monotonic clock: what is asked first takes its time from the write. */
  readonly deadlineMs: number;
  /** It was not drawn just now: it may be a retry of a write that was made before. */
  readonly mayBeRetry: boolean;
  /** What the replicas hold, by those that answered when they were asked about it. */
  readonly asked: VersionSet | null;
  /** What was damaged here has been made good once already. */
  readonly isRepaired: boolean;
}

type Done = (ended: Ended) => void;

const NO_BYTES = new Uint8Array(0);
const NOBODY_ELSE: Member[] = [];
/** Of the time that is left, the question whether a write was made before gets one part in so many. */
const ASK_PART = 2;
/** More than there are nodes: all that were asked, or all that answer in time. */
const EVERYBODY = { r: 1_000_000, pr: 0 };

export class Coordinator implements Store {
  readonly #parts: CoordinatorParts;
  readonly #requests = new Requests();
  #isStopped = false;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
  }

  put(request: PutRequest, done: (result: Result) => void): void {
    this.putFor(request, false, (ended) => done(ended.result));
  }

  get(request: GetRequest, done: (result: Result) => void): void {
    this.getFor(request, false, (ended) => done(ended.result));
  }

  explain(name: ObjectName, timeoutMs: number, done: (explanation: Explanation) => void): void {
    const { membership, replication, ports } = this.#parts;
    const layout = membership.layouts.current;
    const copies = Math.min(this.#copies(this.#propertiesOf(name)), layout.nodes.length);
    const memberById = (id: string): Member | undefined => membership.memberById(id);
    const parts = { replication, memberById, layout, copies, nowMs: ports.clock.nowMs() };
    new Explain(parts, name, replication.partitionOf(name), done).start(timeoutMs);
  }

  /** Takes no more requests; those under way go on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Requests that have not ended, lingering ones included. */
  get underWay(): number {
    return this.#requests.count;
  }

  /** Calls back when all requests that were begun before have ended. */
  drain(done: () => void): void {
    this.#requests.drain(done);
  }

  // Put.

  /** A put from a client or, `isForwarded`, from a node that handed it on. */
  putFor(request: PutRequest, isForwarded: boolean, done: Done): void {
    const { counters } = this.#parts.replication;
    if (request.isDelete) counters.deletes++;
    else counters.puts++;
    const examined = this.#examine(request, isForwarded);
    const counted: Done = (ended) => {
      if (ended.result.outcome === "refused") counters.writesRefused++;
      if (ended.result.outcome === "unknown") counters.writesUnknown++;
      done(ended);
    };
    if ("result" in examined) counted(examined);
    else this.#route(examined, counted);
  }

  /** All that can be refused before anybody is asked. */
  #examine(request: PutRequest, isForwarded: boolean): PutCase | Ended {
    const { membership, replication, ports, maxValueBytes } = this.#parts;
    if (this.#isStopped || !membership.ready) return notReady();
    const properties = this.#propertiesOf(request.name);
    const copies = this.#copies(properties);
    const members = membership.layouts.current.nodes.length;
    const need = writeNeed(request.options, properties, membership.defaults, copies, members);
    if (typeof need === "string") return refused("bad-parameter", need);
    if (request.body.length > maxValueBytes) {
      const given = `The value is ${request.body.length} bytes`;
      return refused("value-too-large", `${given}, the limit is ${maxValueBytes}`);
    }
    const context = readContext(request.context, membership.contextKey, request.name);
    if (context === null) return badContext();
    const nowMs = ports.clock.nowMs();
    const requestId =
      request.requestId ?? drawRequestId(nowMs, (bytes) => ports.random.fill(bytes));
    const ageMs = request.requestId === null ? 0 : nowMs - requestTimeMs(requestId);
    const untimely = refusedByAge(ageMs);
    if (untimely !== null) return untimely;
    const skew = this.#skewRefusal(properties);
    if (skew !== null) return skew;
    const partition = replication.partitionOf(request.name);
    return {
      request,
      requestId,
      context,
      isContextRead: false,
      properties,
      copies,
      need,
      partition,
      isForwarded,
      deadlineMs: ports.clock.elapsedMs() + request.options.timeoutMs,
      mayBeRetry: Math.abs(ageMs) > REQUEST_ID_FRESH_MS_MAX,
      asked: null,
      isRepaired: false,
    };
  }

  #skewRefusal(properties: BucketProperties): Ended | null {
    if (properties.policy !== "lww") return null;
    const skewMs = Math.round(this.#parts.membership.skewMs());
    if (Math.abs(skewMs) <= this.#parts.maxSkewMs) return null;
    return refused(
      "clock-skew",
      `The clock of this node is ${skewMs} ms off its peers' median, the limit in last-write-wins ` +
        `buckets is ${this.#parts.maxSkewMs}: correct the clock or write through another node`,
    );
  }

  #route(putCase: PutCase, done: Done): void {
    const plan = this.#planOf(putCase);
    const elsewhere = this.#betterCoordinators(putCase, plan);
    if (elsewhere.length === 0) return this.#askFirst(putCase, plan, done);
    return this.#forwardPut(putCase, elsewhere, (forwarded) => {
      if (forwarded.kind !== "unreachable") return done(this.#forwardEnded(forwarded, "write-unknown"));
      return this.#askFirst(putCase, this.#planOf(putCase), done);
    });
  }

  /**
   * Nodes that should coordinate instead of this one: the one that the context remembers as the reader,
   * or, where this node is not among the targets, those that are. A forwarded put stays.
   */
  #betterCoordinators(putCase: PutCase, plan: Plan): Member[] {
    if (putCase.isForwarded) return [];
    const isTarget = coordinates(plan);
    const { reader } = putCase.context;
    if (isTarget && reader === "") return NOBODY_ELSE;
    const primaries = plan.targets.filter((target) => target.hintFor === null);
    const known = primaries.find((target) => target.member.id === reader)?.member;
    const others = isTarget ? [] : plan.targets.map((target) => target.member);
    if (known === undefined || known.isSelf) return others;
    return [known, ...others.filter((member) => member !== known)];
  }

  #forwardPut(putCase: PutCase, members: Member[], done: (forwarded: Forwarded) => void): void {
    const { replication, membership } = this.#parts;
    replication.counters.forwarded++;
    forwardPut(members, membership.layouts.current.number, putBodyOf(putCase.request, putCase.requestId), done);
  }

  #forwardEnded(forwarded: Forwarded, code: "write-unknown" | "read-timeout"): Ended {
    if (forwarded.kind === "answered") return endedOf(forwarded.result, this.#parts.ports.clock.nowMs());
    const why = forwarded.kind === "unknown" ? forwarded.detail : "no owner could be reached";
    const meaning = code === "write-unknown" ? "; the write may have happened" : "";
    return unknown(code, `The request was handed on and ${why}${meaning}`, NOBODY);
  }

  /**
   * A write that may be a retry is asked about before anything is made of it. Where nobody who answers
   * knows of it, it is a write like any other.
   */
  #askFirst(putCase: PutCase, plan: Plan, done: Done): void {
    if (!putCase.mayBeRetry) return this.#checkFirst(putCase, plan, done);
    const maker = this.#makerOf(putCase);
    return this.#ask(putCase, maker.write, (gathered) => {
      const found = madeBefore(gathered.set, gathered.isSuperseded, maker.write);
      const planNow = this.#planOf(putCase);
      if (found === null) return this.#checkFirst({ ...putCase, asked: gathered.set }, planNow, done);
      this.#parts.replication.counters.retriesRecognised++;
      maker.isSuperseded = !maker.isMadeIn(found.head);
      return this.#writeBy(maker, found, putCase, planNow, done);
    });
  }

  #ask(putCase: PutCase, about: AskedWrite, done: (gathered: Gathered) => void): void {
    const { partition, copies, request } = putCase;
    const plan = planAsk(this.#parts.membership, partition, copies);
    const timeoutMs = Math.max(1, Math.floor(this.#leftMs(putCase) / ASK_PART));
    const distrustsLocal = false;
    const { name } = request;
    const how = { name, partition, copies, plan, need: EVERYBODY, timeoutMs, distrustsLocal, about };
    this.#startGather(how, done);
  }

  #leftMs(putCase: PutCase): number {
    return Math.max(1, Math.ceil(putCase.deadlineMs - this.#parts.ports.clock.elapsedMs()));
  }

  /** Reads first where a condition, a delete without a context or an unknown stamp asks for it. */
  #checkFirst(putCase: PutCase, plan: Plan, done: Done): void {
    const { request } = putCase;
    const readsFirst = request.isDelete && request.context === "";
    if (request.precondition === null && !readsFirst) return this.#stampFirst(putCase, plan, done);
    return this.#gatherFor(putCase, false, (gathered) => {
      const verdict = this.#judge(putCase, gathered);
      if ("result" in verdict) return done(verdict);
      const read = { ...putCase, context: verdict, isContextRead: true };
      return this.#write(read, this.#planOf(putCase), done);
    });
  }

  /**
   * A last write wins by its stamp, which has to exceed all that is held. A coordinator without a copy
   * of its own asks for them; where too few answer it writes all the same, since writes are always taken.
   */
  #stampFirst(putCase: PutCase, plan: Plan, done: Done): void {
    const hasCopy = plan.targets.some((target) => target.member.isSelf && target.hintFor === null);
    const knows = hasCopy || putCase.asked !== null;
    if (putCase.properties.policy !== "lww" || knows) return this.#write(putCase, plan, done);
    return this.#gatherFor(putCase, false, ({ set }) => {
      const { hybridClock } = this.#parts;
      if (set !== null) hybridClock.observeAt(set.head, newestStamp(set.head, 0));
      this.#write(putCase, this.#planOf(putCase), done);
    });
  }

  /** The targets as of now: layouts may have changed while something was asked for first. */
  #planOf(putCase: PutCase): Plan {
    return planWrite(this.#parts.membership, putCase.partition, putCase.copies);
  }

  /** What the write is to supersede, or why it is not to happen. */
  #judge(putCase: PutCase, gathered: Gathered): ContextClock | Ended {
    const { request } = putCase;
    if (gathered.status === "too-few") return tooFewToCheck(putCase.need);
    if (gathered.status === "unknown-absence") return absenceUnknown();
    const { set } = gathered;
    const shown = set === null ? [] : shownVersions(set, this.#parts.ports.clock.nowMs());
    const clock = set === null ? NO_CONTEXT : clockOfHead(set.head);
    const { precondition } = request;
    if (precondition !== null && !this.#passes(request.name, precondition, gathered, shown)) {
      return this.#preconditionFailed(request.name, gathered, shown.length);
    }
    if (precondition === null && shown.length === 0) return this.#nothingToDelete(request.name, gathered);
    return clock;
  }

  #passes(
    name: ObjectName,
    precondition: Precondition,
    gathered: Gathered,
    shown: readonly number[],
  ): boolean {
    if (precondition.absent && shown.length > 0) return false;
    if (precondition.etags.length === 0) return true;
    const { set } = gathered;
    if (set === null || shown.length === 0) return false;
    const etag = etagOf(set.head, shown);
    return precondition.etags.some((wanted) => {
      return wanted === "*" || wanted === etag || this.#isCurrent(name, wanted, clockOfHead(set.head));
    });
  }

  /** Whether a context given as an etag has seen all that is held. */
  #isCurrent(name: ObjectName, text: string, held: ContextClock): boolean {
    const context = text === "" ? null : readContext(text, this.#parts.membership.contextKey, name);
    if (context === null) return false;
    const { entries, count } = context;
    const order = clockCompare(entries, 0, count, held.entries, 0, held.count);
    return order === EQUAL || order === AFTER;
  }

  #preconditionFailed(name: ObjectName, gathered: Gathered, siblings: number): Ended {
    const what = siblings === 0 ? "nothing is stored" : `${siblings} other version(s) are stored`;
    const detail = `The condition does not hold: ${what} under this name`;
    return refused("precondition-failed", detail, this.#contextOf(name, gathered));
  }

  #nothingToDelete(name: ObjectName, gathered: Gathered): Ended {
    const { primaries, fallbacks } = gathered;
    const context = this.#contextOf(name, gathered);
    return finished("", { context, etag: "", primaries, fallbacks, siblings: [] }, null);
  }

  #write(putCase: PutCase, plan: Plan, done: Done): void {
    return this.#writeBy(this.#makerOf(putCase), null, putCase, plan, done);
  }

  /** @param found the set of others in which the write was made before, if it was */
  #writeBy(
    maker: VersionMaker,
    found: VersionSet | null,
    putCase: PutCase,
    plan: Plan,
    done: Done,
  ): void {
    const { membership, replication, wheel } = this.#parts;
    const { request, need, partition, copies } = putCase;
    const owners = plan.layouts.map((layout) =>
      Math.min(copies, layout.replicas, layout.nodes.length),
    );
    const tally = new Tally(plan, need, owners);
    if (!tally.canBeMet(plan.targets)) return done(quorumUnreachable(plan, need));
    const { name } = request;
    const parts = { membership, replication, self: membership.self, wheel };
    const timeoutMs = this.#leftMs(putCase);
    const work = { name, partition, copies, plan, need, tally, maker, timeoutMs, found };
    const epoch = this.#requests.begin();
    const answered = (end: PutEnd): void => this.#putEnded(putCase, plan, maker, tally, end, done);
    return new Put(parts, work, answered, () => this.#requests.end(epoch)).start();
  }

  #makerOf(putCase: PutCase): VersionMaker {
    const { ports, hybridClock, dots, clockEntriesMax, replication } = this.#parts;
    const { request, context, requestId, properties, partition } = putCase;
    const { superseded } = replication;
    const parts = { clock: ports.clock, hybridClock, dots, superseded, clockEntriesMax };
    const metaBlock = request.isDelete ? NO_BYTES : encodeMeta(request.meta);
    const ttlSeconds = request.ttlSeconds > 0 ? request.ttlSeconds : (properties.ttlSeconds ?? 0);
    const expires = !request.isDelete && ttlSeconds > 0;
    return new VersionMaker(parts, {
      context,
      requestId,
      isTombstone: request.isDelete,
      isLastWriteWins: properties.policy === "lww",
      isContextRead: putCase.isContextRead,
      payload: request.isDelete ? NO_BYTES : encodePayload(metaBlock, request.body),
      metaLength: metaBlock.length,
      expiryMs: expires ? ports.clock.nowMs() + ttlSeconds * 1000 : 0,
      lateStamp: properties.policy === "lww" && putCase.mayBeRetry ? this.#lateStamp(putCase) : null,
      dotAsPair: replication.isCompletePrimary(partition),
    });
  }

  /** See LateStamp: above all that was seen when others were asked, and no later than its request. */
  #lateStamp({ requestId, asked }: PutCase): LateStamp {
    const hybridClock = new HybridClock(0, 0);
    if (asked !== null) hybridClock.observeAt(asked.head, newestStamp(asked.head, 0));
    const nowMs = Math.min(requestTimeMs(requestId), this.#parts.ports.clock.nowMs());
    return { hybridClock, nowMs };
  }

  #putEnded(
    putCase: PutCase,
    plan: Plan,
    maker: VersionMaker,
    tally: Tally,
    end: PutEnd,
    done: Done,
  ): void {
    if (end.status === "refused") return this.#notWritten(putCase, plan, end.change, done);
    if (end.status === "unknown") {
      const detail = `${tally.describe()}; the write may have happened`;
      return done(unknown("write-unknown", detail, tally));
    }
    if (putCase.request.returnBody) return this.#readBack(putCase, done);
    const shown = this.#written(putCase, maker, end.set.head);
    const { primaries, fallbacks } = tally;
    return done(finished("", { ...shown, primaries, fallbacks, siblings: [] }, null));
  }

  /** A retry of what was superseded meanwhile is done, and has nothing new to show. */
  #written(
    putCase: PutCase,
    maker: VersionMaker,
    head: Uint8Array,
  ): { context: string; etag: string } {
    const { name, context, isDelete } = putCase.request;
    if (maker.isSuperseded) return { context, etag: "" };
    const { contextKey } = this.#parts.membership;
    return {
      context: contextOfPut(putCase.context, head, maker.entry, contextKey, name),
      etag: isDelete ? "" : etagOfDots(maker.entry.subarray(0, DOT_BYTES)),
    };
  }

  #readBack(putCase: PutCase, done: Done): void {
    this.#gatherFor(putCase, false, (gathered) => {
      if (gathered.status === "found") done(this.#found(putCase.request.name, gathered));
      else done(unknown("write-unknown", "The write happened and could not be read back", gathered));
    });
  }

  /** It is not stored here: damage can be made good, another node may be able to, or that is the end. */
  #notWritten(putCase: PutCase, plan: Plan, change: Change, done: Done): void {
    if (change.status === STATUS_REFUSED_HERE) return done(refused("too-many-siblings", change.detail));
    if (change.status === STATUS_DAMAGED && !putCase.isRepaired) {
      return this.#repairThenWrite(putCase, done);
    }
    const others = plan.targets.map((target) => target.member).filter((member) => !member.isSelf);
    const ended = notStored(plan, change);
    if (putCase.isForwarded || others.length === 0) return done(ended);
    return this.#forwardPut(putCase, others, (forwarded) => {
      if (forwarded.kind === "unreachable") done(ended);
      else done(this.#forwardEnded(forwarded, "write-unknown"));
    });
  }

  /** A coordinator whose own record is damaged restores it from the others before it makes a version. */
  #repairThenWrite(putCase: PutCase, done: Done): void {
    const { replication, membership } = this.#parts;
    const { name } = putCase.request;
    this.#gatherFor(putCase, true, (gathered) => {
      const { set } = gathered;
      if (set === null) {
        const detail = "This node's copy is damaged and no other replica answered with a sound one";
        return done(refused("quorum-unreachable", detail));
      }
      const labels = { layout: membership.layouts.current.number, round: 0 };
      return replication.objects.restore(name, set, labels, () => {
        this.#write({ ...putCase, isRepaired: true }, this.#planOf(putCase), done);
      });
    });
  }

  /** The read that a put needs: of R as defaulted, or, past damage here, of whoever answers. */
  #gatherFor(putCase: PutCase, distrustsLocal: boolean, done: (gathered: Gathered) => void): void {
    const { properties, copies, request, partition } = putCase;
    const { membership } = this.#parts;
    const members = membership.layouts.reading.nodes.length;
    const timeoutMs = this.#leftMs(putCase);
    const options = { r: "default", pr: "default", timeoutMs } as const;
    const wanted = readNeed(options, properties, membership.defaults, copies, members);
    const need = distrustsLocal || typeof wanted === "string" ? { r: 1, pr: 0 } : wanted;
    const plan = planRead(membership, partition, copies);
    this.#gather(request.name, copies, plan, need, timeoutMs, distrustsLocal, done);
  }

  // Get.

  /** A get from a client or, `isForwarded`, from a node that handed it on. */
  getFor(request: GetRequest, isForwarded: boolean, done: Done): void {
    const { membership, replication } = this.#parts;
    replication.counters.gets++;
    if (this.#isStopped || !membership.ready) return done(notReady());
    const { name, options } = request;
    const properties = this.#propertiesOf(name);
    const copies = this.#copies(properties);
    const members = membership.layouts.reading.nodes.length;
    const need = readNeed(options, properties, membership.defaults, copies, members);
    if (typeof need === "string") return done(refused("bad-parameter", need));
    const plan = planRead(membership, replication.partitionOf(name), copies);
    if (isForwarded || coordinates(plan)) return this.#read(request, copies, plan, need, done);
    replication.counters.forwarded++;
    const others = plan.targets.map((target) => target.member);
    return forwardGet(others, membership.layouts.current.number, getBodyOf(request), (forwarded) => {
      if (forwarded.kind === "unreachable") this.#read(request, copies, plan, need, done);
      else done(this.#forwardEnded(forwarded, "read-timeout"));
    });
  }

  #read(request: GetRequest, copies: number, plan: Plan, need: ReadNeed, done: Done): void {
    const { name, options } = request;
    const { counters } = this.#parts.replication;
    this.#gather(name, copies, plan, need, options.timeoutMs, false, (gathered) => {
      const ended = this.#readEnded(name, need, gathered);
      if (ended.result.outcome !== "done") counters.readsFailed++;
      if (ended.result.siblings.length > 1) counters.siblingsReturned++;
      done(ended);
    });
  }

  #gather(
    name: ObjectName,
    copies: number,
    plan: Plan,
    need: ReadNeed,
    timeoutMs: number,
    distrustsLocal: boolean,
    done: (gathered: Gathered) => void,
  ): void {
    const partition = this.#parts.replication.partitionOf(name);
    const how = { name, partition, copies, plan, need, timeoutMs, distrustsLocal, about: null };
    this.#startGather(how, done);
  }

  #startGather(request: GatherRequest, done: (gathered: Gathered) => void): void {
    const { membership, replication, wheel } = this.#parts;
    const parts = { membership, replication, self: membership.self, wheel };
    const epoch = this.#requests.begin();
    new Gather(parts, request, done, () => this.#requests.end(epoch)).start();
  }

  #readEnded(name: ObjectName, need: ReadNeed, gathered: Gathered): Ended {
    if (gathered.status === "unknown-absence") return absenceUnknown();
    if (gathered.status === "too-few") return tooFewAnswered(need, gathered);
    return this.#found(name, gathered);
  }

  #found(name: ObjectName, gathered: Gathered): Ended {
    const { set, primaries, fallbacks } = gathered;
    const shown = set === null ? [] : shownVersions(set, this.#parts.ports.clock.nowMs());
    const siblings = set === null ? [] : siblingsOf(set, shown);
    if (siblings === null) {
      return unknown("read-timeout", "The metadata of a stored version cannot be read", gathered);
    }
    const context = this.#contextOf(name, gathered);
    const etag = set === null ? "" : etagOf(set.head, shown);
    const code = siblings.length === 0 ? "not-found" : "";
    return finished(code, { context, etag, primaries, fallbacks, siblings }, set);
  }

  #contextOf(name: ObjectName, gathered: Gathered): string {
    const { set, reader } = gathered;
    if (set === null || clockCount(set.head, 0) === 0) return "";
    const { contextKey } = this.#parts.membership;
    return contextOfRead(set.head, reader?.idBytes ?? null, contextKey, name);
  }

  #propertiesOf(name: ObjectName): BucketProperties {
    return this.#parts.membership.buckets.get(name.bytes, name.bucketLength);
  }

  #copies(properties: BucketProperties): number {
    return copiesOf(properties, this.#parts.membership.layouts.current.replicas);
  }
}

/** Whether this node is among the targets of a plan. */
function coordinates({ targets }: Plan): boolean {
  for (let index = 0; index < targets.length; index++) {
    if (targets[index].member.isSelf) return true;
  }
  return false;
}
