/**
 * The sentences in which a coordinator refuses, or says that it does not know: what was given or what
 * happened, and what is wanted. One function an ending, so that each has one code and one outcome.
 */

import { REQUEST_ID_AGE_MS_MAX, REQUEST_ID_AHEAD_MS_MAX } from "../../core/limits.ts";
import { STATUS_FAILED, STATUS_FULL } from "../../core/replica-frames.ts";
import type { Change } from "../replication/change.ts";
import { counted } from "./counted.ts";
import type { Gathered } from "./gather.ts";
import { ownersIn, type Plan } from "./plan.ts";
import type { ReadNeed, WriteNeed } from "./quorum.ts";
import { refused, unknown, type Ended } from "./results.ts";

/** Nobody took part. */
export const NOBODY = { primaries: 0, fallbacks: 0 };

export function notReady(): Ended {
  return refused("not-ready", "This node is not a member of a cluster yet, or is stopping");
}

/** A put whose time is over before anything was made of it. */
export function tooLate(): Ended {
  return refused(
    "quorum-unreachable",
    "The request's time was over before a node that coordinates it was found; nothing of it was written",
  );
}

export function badContext(): Ended {
  return refused(
    "bad-context",
    "The context is corrupt or belongs to another object: give the one that this object's read gave",
  );
}

/**
 * A request id whose time says that no replica may know any more whether it was made, or that it would
 * be taken for longer than replicas remember; null where it is of this time.
 */
export function refusedByAge(ageMs: number): Ended | null {
  if (ageMs > REQUEST_ID_AGE_MS_MAX) {
    const minutes = counted(Math.floor(ageMs / 60_000), "minute");
    return refused(
      "stale-request",
      `The request id was drawn ${minutes} ago, the limit for retries is ` +
        `${REQUEST_ID_AGE_MS_MAX / 60_000}: read the object, and write anew if it is not there`,
    );
  }
  if (-ageMs <= REQUEST_ID_AHEAD_MS_MAX) return null;
  return refused(
    "stale-request",
    `The request id is of a time ${Math.floor(-ageMs / 1000)} s ahead of this node's clock, the limit ` +
      `is ${REQUEST_ID_AHEAD_MS_MAX / 1000} s: correct the clock that is wrong, or send no request id`,
  );
}

export function absenceUnknown(gathered: Gathered): Ended {
  const detail = "No version was found, but too few complete replicas answered to say that there is none";
  return refused("absence-unknown", detail, "", gathered);
}

/** A write that a failing disk did not take may still be found at its next start: unknown, not refused. */
export function notStored(plan: Plan, change: Change): Ended {
  const detail = `This node cannot write: ${change.detail}`;
  if (change.status === STATUS_FAILED) return unknown("write-unknown", detail, NOBODY);
  if (change.status !== STATUS_FULL) return refused("quorum-unreachable", detail);
  if (change.of !== "disk") return refused(`${change.of}-full`, detail);
  const isHint = plan.targets.some((target) => target.member.isSelf && target.hintFor !== null);
  return refused(isHint ? "hints-full" : "disk-full", detail);
}

export function tooFewToCheck(need: WriteNeed): Ended {
  return refused(
    "quorum-unreachable",
    `Too few replicas answered to check the object before a write with w=${need.w}`,
  );
}

export function tooFewAnswered(need: ReadNeed, gathered: Gathered): Ended {
  const { primaries, fallbacks } = gathered;
  const wanted = `r=${need.r}` + (need.pr > 0 ? `, pr=${need.pr}` : "");
  const owners = need.pr > 0 ? `, ${primaries} of them owners` : "";
  const detail = `${counted(primaries + fallbacks, "replica")} answered in time${owners}; wanted is ${wanted}`;
  return unknown("read-timeout", detail, gathered);
}

/** It is known beforehand that too few would answer. */
export function readUnreachable(plan: Plan, need: ReadNeed): Ended {
  const wanted = `r=${need.r}` + (need.pr > 0 ? `, pr=${need.pr}` : "");
  const detail = `${counted(plan.targets.length, "node")} can answer this read, ${ownersIn(plan)} of them owners; wanted is ${wanted}`;
  return refused("quorum-unreachable", detail);
}

/** @param reach how far the write would come */
export function quorumUnreachable(reach: string): Ended {
  return refused("quorum-unreachable", reach);
}
