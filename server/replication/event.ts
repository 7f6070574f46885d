/**
 * An event of the paper's clocks: a coordinator makes a version on top of what is held, in memory alone. The
 * dot, the stamp and what the version covers are its maker's; storing it is the local copy's (local-copy.ts).
 */

import type { ObjectName } from "../../core/object-name.ts";
import { STATUS_FULL, STATUS_NOT_READY } from "../../core/replica-frames.ts";
import { FROM_EVENT, eventInto, eventLengthMax } from "../../core/version-event.ts";
import { versionCount } from "../../core/version-set.ts";
import { DiskError, isOutOfRoom, missingRoom } from "../../storage/disk.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Payload } from "../../storage/large-payload.ts";
import { type Change, changeDone, changeFailed } from "./change.ts";
import { SetScratch } from "./set-scratch.ts";

/** A version about to be made. `entry` is its packed version entry with the new dot. */
export interface NewVersion {
  readonly entry: Uint8Array;
  readonly payload: Payload;
}

/** Looks at the head that is held (empty: nothing) and says what is to be made of it. */
export interface EventMaker {
  /** The new version, or null where nothing is to be written (a twin that is already here). */
  make(name: ObjectName, head: Uint8Array): NewVersion | null;
  readonly context: Uint8Array;
  readonly contextCount: number;
  readonly dotAsPair: boolean;
  readonly clockEntriesMax: number;
  /** Refuses a result by its head before it is written; "" lets it pass. */
  check(head: Uint8Array): string;
}

/** STATUS of an event that `check` refused; above those that travel. */
export const STATUS_REFUSED_HERE = 255;

/** Of the event under way. */
const scratch = new SetScratch();

/** An event on top of `held`, in memory alone: bodies that stay are null in the result. */
export function eventOver(name: ObjectName, held: VersionSet, maker: EventMaker): Change {
  try {
    return madeOver(name, held, maker);
  } catch (error) {
    // Nothing was written: the dot could not be reserved, or what is held (a peer may have sent it)
    // leaves no room for one version, or no stamp, more.
    if (error instanceof RangeError) return changeFailed(STATUS_REFUSED_HERE, error.message);
    if (!(error instanceof DiskError)) throw error;
    if (!isOutOfRoom(error)) return changeFailed(STATUS_NOT_READY, error.message);
    return changeFailed(STATUS_FULL, error.message, missingRoom(error));
  }
}

function madeOver(name: ObjectName, held: VersionSet, maker: EventMaker): Change {
  const version = maker.make(name, held.head);
  if (version === null) return changeDone(bodiless(held), false);
  scratch.reserve(eventLengthMax(held.head, 0, maker.contextCount), held, held);
  const length = eventInto(
    held.head,
    0,
    maker.context,
    0,
    maker.contextCount,
    version.entry,
    0,
    maker.dotAsPair ? 1 : 0,
    maker.clockEntriesMax,
    scratch.bytes,
    0,
    scratch.sources,
  );
  const head = scratch.bytes.slice(0, length);
  const refusal = maker.check(head);
  if (refusal !== "") return changeFailed(STATUS_REFUSED_HERE, refusal);
  const payloads: (Payload | null)[] = [];
  for (let index = 0; index < versionCount(head, 0); index++) {
    payloads.push(scratch.sources[index] === FROM_EVENT ? version.payload : null);
  }
  return changeDone({ head, payloads }, true);
}

function bodiless(set: VersionSet): VersionSet {
  return { head: set.head.slice(), payloads: set.payloads.map(() => null) };
}
