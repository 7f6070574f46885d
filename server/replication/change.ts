/** What came of a write to this node's copy (local-copy.ts): a status, and the set that is held then. */

import { STATUS_CLOSED, STATUS_DONE } from "../../core/replica-frames.ts";
import { headDigestInto } from "../../core/version-set.ts";
import type { Room } from "../../storage/disk.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { NO_REQUESTS } from "./request-list.ts";

/** What came of a join or an event. */
export interface Change {
  /** STATUS_… of core/replica-frames. */
  readonly status: number;
  readonly detail: string;
  /** Where the status is STATUS_FULL: of what there is too little here. */
  readonly of: Room;
  /** The set that is held now: its head whole, a payload only where it was given. */
  readonly set: VersionSet;
  readonly digest0: number;
  readonly digest1: number;
  readonly isChanged: boolean;
  /** Of an event: the writes that it superseded and that may still be retried (request-list.ts). */
  readonly superseded: Uint8Array;
}

const EMPTY_HEAD = new Uint8Array(8);
EMPTY_HEAD[0] = 1;
/** What is held under a name that was never written. */
export const NOTHING: VersionSet = { head: EMPTY_HEAD, payloads: [] };

const digest = new Uint32Array(2);

/** Of what is held now. */
export function changeDone(set: VersionSet, isChanged: boolean, superseded: Uint8Array = NO_REQUESTS): Change {
  headDigestInto(set.head, 0, set.head.length, digest, 0);
  return {
    status: STATUS_DONE,
    detail: "",
    of: "disk",
    set,
    digest0: digest[0],
    digest1: digest[1],
    isChanged,
    superseded,
  };
}

/** Of a state whose round has closed. */
export function closedChange(): Change {
  return changeFailed(STATUS_CLOSED, "its round has closed: what there is now has to be read again");
}

/** Nothing was written. */
export function changeFailed(status: number, detail: string, of: Room = "disk"): Change {
  const digests = { digest0: 0, digest1: 0 };
  return { status, detail, of, set: NOTHING, ...digests, isChanged: false, superseded: NO_REQUESTS };
}
