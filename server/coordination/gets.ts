/**
 * The coordinator's gets: the checks before one, forwarding, and the answer made of what was gathered
 * (gather.ts does the waiting). Puts read through here as well.
 */

import type { ObjectName } from "../../core/object-name.ts";
import { clockCount } from "../../core/version-set.ts";
import { contextOfRead } from "./context-clock.ts";
import { forwardEnded, forwardGet, getBodyOf, type Forwarded, type LeftMs } from "./forward.ts";
import { Gather, type Gathered, type GatherRequest } from "./gather.ts";
import { copiesFor, dateMs, propertiesOf, type CoordinatorParts, type Done, type WorkingParts } from "./parts.ts";
import { coordinates, fastFirst, ownersIn, type Plan } from "./plan.ts";
import { leftMs, type PutCase } from "./put-case.ts";
import { readNeed, type ReadNeed } from "./quorum.ts";
import { absenceUnknown, readUnreachable, tooFewAnswered } from "./refusals.ts";
import type { Requests } from "./requests.ts";
import { finished, refused, unknown, type Ended } from "./results.ts";
import type { GetRequest } from "./store.ts";
import { fetchMissing } from "./staging.ts";
import { etagOf, shownVersions, siblingsOf } from "./view.ts";

export class Gets {
  readonly #parts: WorkingParts;
  readonly #requests: Requests;

  constructor(parts: WorkingParts, requests: Requests) {
    this.#parts = parts;
    this.#requests = requests;
  }

  /** A get from a client or, `isForwarded`, from a node that handed it on. REQUIRES: a member. */
  get(request: GetRequest, isForwarded: boolean, done: Done): void {
    const { membership, replication, plans, wheel } = this.#parts;
    const { name, options } = request;
    const properties = propertiesOf(this.#parts, name);
    const copies = copiesFor(this.#parts, properties);
    const members = membership.layouts.reading.nodes.length;
    const need = readNeed(options, properties, membership.defaults, copies, members);
    if (typeof need === "string") return done(refused("bad-parameter", need));
    const plan = plans.read(replication.partitionOf(name), copies);
    if (plan.targets.length < need.r || ownersIn(plan) < need.pr) return done(readUnreachable(plan, need));
    if (isForwarded || coordinates(plan)) return this.#read(request, copies, plan, need, done);
    replication.counters.forwarded++;
    const others = fastFirst(plan.targets.map((target) => target.member));
    const { number } = membership.layouts.current;
    const leftMs = this.#leftMs(options.timeoutMs);
    return forwardGet(others, number, getBodyOf(request), wheel, leftMs, (forwarded) => {
      const here = { name, options: { ...options, timeoutMs: leftMs() } };
      if (forwarded.kind === "unreachable") this.#read(here, copies, plan, need, done);
      else this.forwardEnded(name, forwarded, "read-timeout", done);
    });
  }

  /** What is left of a request's time, from now on. */
  #leftMs(timeoutMs: number): LeftMs {
    const { clock } = this.#parts.ports;
    const deadlineMs = clock.elapsedMs() + timeoutMs;
    return () => Math.max(1, Math.ceil(deadlineMs - clock.elapsedMs()));
  }

  /** How a request ends that was handed on: large payloads of what it read are fetched first. */
  forwardEnded(
    name: ObjectName,
    forwarded: Forwarded,
    code: "write-unknown" | "read-timeout",
    done: Done,
  ): void {
    if (forwarded.kind !== "answered" || forwarded.set?.payloads.includes(null) !== true) {
      return done(forwardEnded(forwarded, code, dateMs(this.#parts)));
    }
    const { member, set, result } = forwarded;
    return fetchMissing(this.#parts, name, member, set, (whole) => {
      if (whole !== null) return done(forwardEnded({ ...forwarded, set: whole }, code, dateMs(this.#parts)));
      const detail = `The value could not be fetched from ${member.name}, which answered`;
      return done(unknown(code, detail, result));
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

  /** The read that a put needs: of R as defaulted, or, past damage here, of whoever answers. */
  gatherFor(putCase: PutCase, distrustsLocal: boolean, done: (gathered: Gathered) => void): void {
    const { properties, copies, request, partition } = putCase;
    const { membership } = this.#parts;
    const members = membership.layouts.reading.nodes.length;
    const timeoutMs = leftMs(this.#parts, putCase);
    const options = { r: "default", pr: "default", timeoutMs } as const;
    const wanted = readNeed(options, properties, membership.defaults, copies, members);
    const need = distrustsLocal || typeof wanted === "string" ? { r: 1, pr: 0 } : wanted;
    const plan = this.#parts.plans.read(partition, copies);
    this.#gather(request.name, copies, plan, need, timeoutMs, distrustsLocal, done);
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
    this.gather({ name, partition, copies, plan, need, timeoutMs, distrustsLocal, about: null }, done);
  }

  gather(request: GatherRequest, done: (gathered: Gathered) => void): void {
    const epoch = this.#requests.begin();
    new Gather(this.#parts, request, done, () => this.#requests.end(epoch)).start();
  }

  #readEnded(name: ObjectName, need: ReadNeed, gathered: Gathered): Ended {
    if (gathered.status === "unknown-absence") return absenceUnknown(gathered);
    if (gathered.status === "too-few") return tooFewAnswered(need, gathered);
    return this.found(name, gathered);
  }

  /** What a client is answered that is shown what was gathered. */
  found(name: ObjectName, gathered: Gathered): Ended {
    const { set, primaries, fallbacks } = gathered;
    const shown = set === null ? [] : shownVersions(set, dateMs(this.#parts));
    const siblings = set === null ? [] : siblingsOf(set, shown);
    if (siblings === null) {
      return unknown("read-timeout", "The metadata of a stored version cannot be read", gathered);
    }
    const context = contextOf(this.#parts, name, gathered);
    const etag = set === null ? "" : etagOf(set.head, shown);
    const code = siblings.length === 0 ? "not-found" : "";
    return finished(code, { context, etag, primaries, fallbacks, siblings }, set);
  }
}

/** The context of all that was gathered; "" where nothing was. */
export function contextOf(parts: CoordinatorParts, name: ObjectName, gathered: Gathered): string {
  const { set, reader } = gathered;
  if (set === null || clockCount(set.head, 0) === 0) return "";
  const { contextKey } = parts.membership;
  return contextOfRead(set.head, reader?.idBytes ?? null, contextKey, name);
}
