/**
 * What a put asks before it is written, one after the other and only where it must:
 *
 *   it may be a retry                            was it made before? (asked-write.ts)
 *   a condition, or a delete without a context   what is held? (precondition.ts)
 *   a last write without a copy here             which stamps does it have to exceed?
 *
 * The ordinary put asks nothing.
 */

import type { VersionSet } from "../../storage/engine.ts";
import { madeBefore, type AskedWrite } from "./asked-write.ts";
import type { Gathered } from "./gather.ts";
import type { Gets } from "./gets.ts";
import type { Done, WorkingParts } from "./parts.ts";
import { planAsk, type Plan } from "./plan.ts";
import { makerOf } from "./planned-version.ts";
import { judge } from "./precondition.ts";
import { leftMs, type PutCase } from "./put-case.ts";
import { unknown } from "./results.ts";
import type { VersionMaker } from "./version-maker.ts";

/** Of the time that is left, the question whether a write was made before gets one part in so many. */
const ASK_PART = 2;
const HIDDEN = "A node knows of this write, and did not show in time what became of it";
/** More than there are nodes: all that were asked, or all that answer in time. */
const EVERYBODY = { r: 1_000_000, pr: 0 };

/** @param found the set of others in which the write was made before, if it was */
export type Write = (
  maker: VersionMaker,
  found: VersionSet | null,
  putCase: PutCase,
  plan: Plan,
  done: Done,
) => void;

export class PutQuestions {
  readonly #parts: WorkingParts;
  readonly #gets: Gets;
  readonly #write: Write;

  /** @param write told when all has been asked, unless the write ends before */
  constructor(parts: WorkingParts, gets: Gets, write: Write) {
    this.#parts = parts;
    this.#gets = gets;
    this.#write = write;
  }

  /**
   * A write that may be a retry is asked about before anything is made of it. Where nobody who answers
   * knows of it, it is a write like any other.
   */
  ask(putCase: PutCase, plan: Plan, done: Done): void {
    if (!putCase.mayBeRetry) return this.#checkFirst(putCase, plan, done);
    const maker = makerOf(this.#parts, putCase);
    return this.#askOthers(putCase, maker.write, (gathered) => {
      const found = madeBefore(gathered.set, gathered.superseded, maker.write);
      if (found === "unsure") return done(unknown("write-unknown", HIDDEN, gathered));
      const planNow = this.#planOf(putCase);
      if (found === null) return this.#checkFirst({ ...putCase, asked: gathered.set }, planNow, done);
      this.#parts.replication.counters.retriesRecognised++;
      maker.isSuperseded = !maker.isMadeIn(found.head);
      return this.#write(maker, found, putCase, planNow, done);
    });
  }

  #askOthers(putCase: PutCase, about: AskedWrite, done: (gathered: Gathered) => void): void {
    const { partition, copies, request } = putCase;
    const { name } = request;
    const plan = planAsk(this.#parts.membership, partition, copies);
    const timeoutMs = Math.max(1, Math.floor(leftMs(this.#parts, putCase) / ASK_PART));
    const how = { need: EVERYBODY, timeoutMs, distrustsLocal: false, about };
    this.#gets.gather({ name, partition, copies, plan, ...how }, done);
  }

  /** Reads first where a condition or a delete without a context asks for it. */
  #checkFirst(putCase: PutCase, plan: Plan, done: Done): void {
    const { request } = putCase;
    const readsFirst = request.isDelete && request.context === "";
    if (request.precondition === null && !readsFirst) return this.#stampFirst(putCase, plan, done);
    return this.#gets.gatherFor(putCase, false, (gathered) => {
      const verdict = judge(this.#parts, putCase, gathered);
      if ("result" in verdict) return done(verdict);
      const read = { ...putCase, context: verdict, isContextRead: true };
      return this.#writeAs(read, this.#planOf(putCase), done);
    });
  }

  /**
   * A last write wins by its stamp, which has to exceed all that is held. A coordinator without a copy
   * of its own asks for them; where too few answer it writes all the same, since writes are always taken.
   */
  #stampFirst(putCase: PutCase, plan: Plan, done: Done): void {
    const hasCopy = plan.targets.some((target) => target.member.isSelf && target.hintFor === null);
    const knows = hasCopy || putCase.asked !== null;
    if (putCase.properties.policy !== "lww" || knows) return this.#writeAs(putCase, plan, done);
    return this.#gets.gatherFor(putCase, false, ({ set }) => {
      this.#writeAs({ ...putCase, asked: set }, this.#planOf(putCase), done);
    });
  }

  #writeAs(putCase: PutCase, plan: Plan, done: Done): void {
    this.#write(makerOf(this.#parts, putCase), null, putCase, plan, done);
  }

  /** The targets as of now: layouts may have changed while something was asked for first. */
  #planOf(putCase: PutCase): Plan {
    return this.#parts.plans.write(putCase.partition, putCase.copies);
  }
}
