/**
 * Stores a finished state durably at every owner of its name: what a restore brings, and what a node hands over
 * before it forgets it. Done means that all of them have it on disk; to be told again is harmless, it is a join.
 */

import type { ObjectName } from "../../core/object-name.ts";
import { PURPOSE_ANTI_ENTROPY, STATUS_DONE } from "../../core/replica-frames.ts";
import type { VersionSet, WriteLabels } from "../../storage/engine.ts";
import type { Member } from "../membership/member.ts";
import type { LocalCopy } from "./local-copy.ts";
import type { RoomOwner } from "./room.ts";

/** Syncs of a busy disk are waited for. */
const STORE_TIMEOUT_MS = 10_000;

/** What it needs of the room. */
export interface OwnersRoom {
  readonly members: readonly Member[];
  readonly objects: LocalCopy;
  /** Ids of the owners in any live layout that are not gone for good. */
  ownersOf(name: ObjectName): readonly string[];
  labelsOf(name: ObjectName): WriteLabels;
  readonly deliver: RoomOwner["deliver"];
}

export interface FinishedState {
  readonly name: ObjectName;
  readonly set: VersionSet;
  /** Writes that the set's versions have superseded, to be told with it (request-list.ts). */
  readonly superseded: Uint8Array;
}

/** Calls back once, with "", or with one sentence where an owner does not have it. */
export function storeAtOwners(room: OwnersRoom, state: FinishedState, done: (detail: string) => void): void {
  const ids = new Set(room.ownersOf(state.name));
  const owners = room.members.filter((member) => ids.has(member.id));
  let detail = owners.length < ids.size || ids.size === 0 ? "An owner of it is not known here" : "";
  let left = owners.length;
  if (left === 0) return done(detail);
  for (const owner of owners) {
    const ended = (problem: string): void => {
      if (problem !== "" && detail === "") detail = `${owner.name} has not stored it: ${problem}`;
      if (--left === 0) done(detail);
    };
    if (owner.isSelf) storeHere(room, state, ended);
    else storeThere(room, owner, state, ended);
  }
}

function storeHere({ objects, labelsOf }: OwnersRoom, state: FinishedState, done: (problem: string) => void): void {
  const { name, set, superseded } = state;
  const change = objects.join(name, set, labelsOf(name), superseded);
  if (change.status !== STATUS_DONE) return done(change.detail);
  return objects.engine.sync((isDurable) => done(isDurable ? "" : "it could not be synced"));
}

function storeThere(
  { deliver }: OwnersRoom,
  owner: Member,
  { name, set, superseded }: FinishedState,
  done: (problem: string) => void,
): void {
  const timeoutMs = STORE_TIMEOUT_MS;
  const how = { purpose: PURPOSE_ANTI_ENTROPY, durable: true, hintFor: null, superseded, timeoutMs };
  const load = (give: (whole: VersionSet) => void): void => give(set);
  deliver(owner, name, set, how, load, ({ failure, status, isDurable }) => {
    if (failure !== "") done(failure);
    else done(status === STATUS_DONE && isDurable ? "" : `status ${status}`);
  });
}
