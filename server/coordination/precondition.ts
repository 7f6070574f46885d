/**
 * What a write that reads first makes of what it read: the context that it supersedes, or its end (the
 * condition does not hold, there is nothing to delete, too little is known).
 */

import type { ObjectName } from "../../core/object-name.ts";
import { AFTER, EQUAL, clockCompare } from "../../core/vector-clock.ts";
import { NO_CONTEXT, clockOfHead, readContext, type ContextClock } from "./context-clock.ts";
import type { Gathered } from "./gather.ts";
import { contextOf } from "./gets.ts";
import { dateMs, type CoordinatorParts } from "./parts.ts";
import type { PutCase } from "./put-case.ts";
import { absenceUnknown, tooFewToCheck } from "./refusals.ts";
import { finished, refused, type Ended } from "./results.ts";
import type { Precondition } from "./store.ts";
import { etagOf, shownVersions } from "./view.ts";

/** What the write is to supersede, or why it is not to happen. */
export function judge(
  parts: CoordinatorParts,
  putCase: PutCase,
  gathered: Gathered,
): ContextClock | Ended {
  const { name, precondition } = putCase.request;
  if (gathered.status === "too-few") return tooFewToCheck(putCase.need);
  if (gathered.status === "unknown-absence") return absenceUnknown(gathered);
  const { set } = gathered;
  const shown = set === null ? [] : shownVersions(set, dateMs(parts));
  if (precondition !== null && !passes(parts, name, precondition, gathered, shown)) {
    return preconditionFailed(parts, name, gathered, shown.length);
  }
  if (precondition === null && shown.length === 0) return nothingToDelete(parts, name, gathered);
  return set === null ? NO_CONTEXT : clockOfHead(set.head);
}

function passes(
  parts: CoordinatorParts,
  name: ObjectName,
  precondition: Precondition,
  { set }: Gathered,
  shown: readonly number[],
): boolean {
  if (precondition.absent && shown.length > 0) return false;
  if (precondition.etags.length === 0) return true;
  if (set === null || shown.length === 0) return false;
  const etag = etagOf(set.head, shown);
  return precondition.etags.some((wanted) => {
    return wanted === "*" || wanted === etag || isCurrent(parts, name, wanted, clockOfHead(set.head));
  });
}

/** Whether a context given as an etag has seen all that is held. */
function isCurrent(
  { membership }: CoordinatorParts,
  name: ObjectName,
  text: string,
  held: ContextClock,
): boolean {
  const context = text === "" ? null : readContext(text, membership.contextKey, name);
  if (context === null) return false;
  const { entries, count } = context;
  const order = clockCompare(entries, 0, count, held.entries, 0, held.count);
  return order === EQUAL || order === AFTER;
}

function preconditionFailed(
  parts: CoordinatorParts,
  name: ObjectName,
  gathered: Gathered,
  siblings: number,
): Ended {
  const what = siblings === 0 ? "nothing is stored" : `${siblings} other version(s) are stored`;
  const detail = `The condition does not hold: ${what} under this name`;
  return refused("precondition-failed", detail, contextOf(parts, name, gathered), gathered);
}

function nothingToDelete(parts: CoordinatorParts, name: ObjectName, gathered: Gathered): Ended {
  const { primaries, fallbacks } = gathered;
  const context = contextOf(parts, name, gathered);
  return finished("", { context, etag: "", primaries, fallbacks, siblings: [] }, null);
}
