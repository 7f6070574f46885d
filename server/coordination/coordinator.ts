/**
 * The request coordinator: the paper's get and put, from a checked request to one of three outcomes.
 * Any node takes any request; this file decides who coordinates it, and with what.
 *
 *   put ─► parameters, context, request id: refused here (put-case.ts), or
 *       ─► not among the first N healthy? ─► forward, once
 *       ─► a retry, a condition, a delete without a context? ─► ask first (put-questions.ts)
 *       ─► Put (put.ts)
 *   get ─► forward, or Gather (gets.ts, gather.ts)
 *   list ─► Listing (lists.ts, listing.ts)
 *
 * The machines do the waiting; here are the decisions before and the answer after.
 */

import { SIBLINGS_WARN } from "../../core/limits.ts";
import type { ObjectName } from "../../core/object-name.ts";
import { STATUS_DAMAGED } from "../../core/replica-frames.ts";
import { versionCount } from "../../core/version-set.ts";
import type { Stage, VersionSet } from "../../storage/engine.ts";
import type { LargePayload } from "../../storage/large-payload.ts";
import type { Member } from "../membership/member.ts";
import type { Change } from "../replication/change.ts";
import { STATUS_REFUSED_HERE } from "../replication/event.ts";
import { contextOfPut } from "./context-clock.ts";
import { Explain } from "./explain.ts";
import { forwardPut, mayDoBetterElsewhere, putBodyOf, type Forwarded } from "./forward.ts";
import { Gets } from "./gets.ts";
import { Lists, listRefused } from "./lists.ts";
import { copiesFor, dateMs, propertiesOf, type CoordinatorParts, type Done, type WorkingParts } from "./parts.ts";
import { coordinates, Plans, type Plan } from "./plan.ts";
import { makerOf } from "./planned-version.ts";
import { afterWaiting, examine, isOver, leftMs, type PutCase } from "./put-case.ts";
import { PutQuestions } from "./put-questions.ts";
import { Put, type PutEnd } from "./put.ts";
import { notReady, notStored, quorumUnreachable, tooLate } from "./refusals.ts";
import { Requests } from "./requests.ts";
import { type Ended, finished, refused, unknown } from "./results.ts";
import type {
  Explanation,
  GetRequest,
  ListRequest,
  ListResult,
  PutRequest,
  Result,
  Store,
} from "./store.ts";
import { stagedRequest } from "./staging.ts";
import { Tally } from "./tally.ts";
import type { VersionMaker } from "./version-maker.ts";
import { etagOfDot } from "./view.ts";

const NOBODY_ELSE: Member[] = [];

export class Coordinator implements Store {
  readonly #parts: WorkingParts;
  readonly #requests = new Requests();
  readonly #gets: Gets;
  readonly #lists: Lists;
  readonly #questions: PutQuestions;
  #isStopped = false;
  #unanswered = 0;

  constructor(given: CoordinatorParts) {
    const parts = { ...given, plans: new Plans(given.membership) };
    this.#parts = parts;
    this.#gets = new Gets(parts, this.#requests);
    this.#lists = new Lists(parts, this.#requests);
    this.#questions = new PutQuestions(parts, this.#gets, (maker, found, putCase, plan, done) => {
      this.#write(maker, found, putCase, plan, done);
    });
  }

  put(request: PutRequest, done: (result: Result) => void): void {
    this.putFor(request, false, (ended) => done(ended.result));
  }

  get(request: GetRequest, done: (result: Result) => void): void {
    this.getFor(request, false, (ended) => done(ended.result));
  }

  list(request: ListRequest, done: (result: ListResult) => void): void {
    const { membership, replication } = this.#parts;
    replication.counters.listings++;
    if (this.#isStopped || !membership.ready) {
      return done(listRefused("not-ready", notReady().result.detail));
    }
    return this.#lists.list(request, done);
  }

  explain(name: ObjectName, timeoutMs: number, done: (explanation: Explanation) => void): void {
    const { membership, replication } = this.#parts;
    const layout = membership.layouts.current;
    const properties = propertiesOf(this.#parts, name);
    const copies = Math.min(copiesFor(this.#parts, properties), layout.nodes.length);
    const memberById = (id: string): Member | undefined => membership.memberById(id);
    const parts = { replication, memberById, layout, copies, nowMs: dateMs(this.#parts) };
    new Explain(parts, name, replication.partitionOf(name), done).start(timeoutMs);
  }

  /** Requests that have not been answered. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Number of the layout that reads use; 0 before this node is a member. */
  get layoutNumber(): number {
    const { membership } = this.#parts;
    return membership.ready ? membership.layouts.reading.number : 0;
  }

  get nowMs(): number {
    return dateMs(this.#parts);
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

  /** A get from a client or, `isForwarded`, from a node that handed it on. */
  getFor(request: GetRequest, isForwarded: boolean, done: Done): void {
    const { membership, replication } = this.#parts;
    replication.counters.gets++;
    if (this.#isFull) return done(this.#overloaded());
    if (this.#isStopped || !membership.coordinates) return done(notReady());
    return this.#gets.get(request, isForwarded, this.#timed(done));
  }

  /** A put from a client or, `isForwarded`, from a node that handed it on. */
  putFor(request: PutRequest, isForwarded: boolean, done: Done): void {
    const { membership, replication } = this.#parts;
    const { counters } = replication;
    if (request.isDelete) counters.deletes++;
    else counters.puts++;
    if (this.#isFull) return done(this.#overloaded());
    const isReady = !this.#isStopped && membership.coordinates;
    const staged = isReady ? stagedRequest(this.#parts, request) : notReady();
    const counted: Done = (ended) => {
      if (ended.result.outcome === "refused") counters.writesRefused++;
      if (ended.result.outcome === "unknown") counters.writesUnknown++;
      if ("stage" in staged) staged.stage?.drop();
      done(ended);
    };
    if ("result" in staged) return counted(staged);
    const examined = examine(this.#parts, staged.request, isForwarded);
    if ("result" in examined) return counted(examined);
    return this.#route(examined, this.#timed(counted));
  }

  /** Whether as many requests wait for their answer as may. */
  get #isFull(): boolean {
    return this.#unanswered >= this.#parts.requestsMax;
  }

  /** Early, and certain: whoever comes now would wait for all who came before. */
  #overloaded(): Ended {
    this.#parts.replication.counters.requestsOverloaded++;
    return refused("overloaded", `${this.#unanswered} requests wait for their answer here, as many as may`);
  }

  /** Notes what a request took, whether its client is here or at another node. */
  #timed(done: Done): Done {
    const { ports, foreground } = this.#parts;
    const beganMs = ports.clock.elapsedMs();
    this.#unanswered++;
    return (ended) => {
      this.#unanswered--;
      foreground.note(ports.clock.elapsedMs() - beganMs);
      done(ended);
    };
  }

  stage(name: ObjectName): Stage | null {
    const { membership, replication } = this.#parts;
    if (this.#isStopped || !membership.coordinates) return null;
    return replication.objects.engine.stage(name);
  }

  /** The payload that came before a put that was handed on; null: it did not, or is given up already. */
  stagedFor(name: ObjectName, requestId: Uint8Array): LargePayload | null {
    const { bodies, objects } = this.#parts.replication;
    return bodies.find({ engine: objects.engine, name, about: requestId }, null);
  }

  /** The put that it came for has ended. */
  dropStaged(name: ObjectName, requestId: Uint8Array): void {
    const { bodies, objects } = this.#parts.replication;
    bodies.drop({ engine: objects.engine, name, about: requestId });
  }

  #route(putCase: PutCase, done: Done): void {
    const plan = this.#planOf(putCase);
    const elsewhere = this.#betterCoordinators(putCase, plan);
    if (elsewhere.length === 0) return this.#questions.ask(putCase, plan, done);
    return this.#forwardPut(putCase, elsewhere, (forwarded) => {
      const planNow = this.#planOf(putCase);
      const isRefused = forwarded.kind === "answered" && mayDoBetterElsewhere(forwarded.result);
      const isOurs = forwarded.kind === "unreachable" || (isRefused && coordinates(planNow));
      if (isOurs) return this.#questions.ask(afterWaiting(this.#parts, putCase), planNow, done);
      return this.#forwardEnded(putCase, forwarded, done);
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
    const body = putBodyOf(putCase.request, putCase.requestId);
    const { number } = membership.layouts.current;
    const staged = putCase.request.staged ?? null;
    forwardPut(members, number, body, staged, replication.pushes, () => leftMs(this.#parts, putCase), done);
  }

  #forwardEnded({ request }: PutCase, forwarded: Forwarded, done: Done): void {
    this.#gets.forwardEnded(request.name, forwarded, "write-unknown", done);
  }

  #planOf(putCase: PutCase): Plan {
    return this.#parts.plans.write(putCase.partition, putCase.copies);
  }

  #write(
    maker: VersionMaker,
    found: VersionSet | null,
    putCase: PutCase,
    plan: Plan,
    done: Done,
  ): void {
    // Its client has sent it again long ago, and overwritten it perhaps (regression 0022).
    if (isOver(this.#parts, putCase)) return done(tooLate());
    const { request, need, partition, copies } = putCase;
    const owners = plan.layouts.map((layout) =>
      Math.min(copies, layout.replicas, layout.nodes.length),
    );
    const tally = new Tally(plan, need, owners);
    if (!tally.canBeMet(plan.targets)) return done(quorumUnreachable(tally.describeReach(plan.targets)));
    const { name } = request;
    const timeoutMs = leftMs(this.#parts, putCase);
    const { round } = putCase;
    const work = { name, partition, copies, plan, need, tally, maker, timeoutMs, found, round };
    const epoch = this.#requests.begin();
    const answered = (end: PutEnd): void => this.#putEnded(putCase, plan, maker, tally, end, done);
    return new Put(this.#parts, work, answered, () => this.#requests.end(epoch)).start();
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
    const { counters } = this.#parts.replication;
    if (versionCount(end.set.head, 0) >= SIBLINGS_WARN) counters.siblingsMany++;
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
      etag: isDelete ? "" : etagOfDot(maker.entry, 0),
    };
  }

  #readBack(putCase: PutCase, done: Done): void {
    this.#gets.gatherFor(putCase, false, (gathered) => {
      if (gathered.status === "found") done(this.#gets.found(putCase.request.name, gathered));
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
      else this.#forwardEnded(putCase, forwarded, done);
    });
  }

  /** A coordinator whose own record is damaged restores it from the others before it makes a version. */
  #repairThenWrite(putCase: PutCase, done: Done): void {
    const { replication, membership } = this.#parts;
    const { name } = putCase.request;
    this.#gets.gatherFor(putCase, true, (gathered) => {
      const { set } = gathered;
      if (set === null) {
        const detail = "This node's copy is damaged and no other replica answered with a sound one";
        return done(refused("quorum-unreachable", detail));
      }
      const labels = { layout: membership.layouts.current.number, round: putCase.round };
      return replication.objects.restore(name, set, labels, () => {
        const maker = makerOf(this.#parts, putCase);
        const repaired = { ...putCase, isRepaired: true };
        this.#write(maker, null, repaired, this.#planOf(putCase), done);
      });
    });
  }
}
