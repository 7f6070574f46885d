/**
 * What a data directory says of its node, for tools that look at it from outside (backup, restore):
 * read from its files alone, running or not.
 */

import type { Disk } from "../../storage/disk.ts";
import { STATE_FILE } from "./cluster-state.ts";
import { Fields, MalformedDocument } from "./document.ts";
import { IDENTITY_FILE } from "./identity.ts";
import { decodeLayout } from "./layout.ts";
import { LIVE_LAYOUTS_LIMIT } from "./layouts.ts";
import { loadDocument } from "./state-file.ts";
import { VOTES_FILE } from "./votes.ts";

/** The files that make a directory this node's of this cluster; each is replaced whole. */
export const STATE_FILES: readonly string[] = [STATE_FILE, VOTES_FILE, IDENTITY_FILE];

export interface StoredState {
  /** Ids in hexadecimal; "" where there is none yet. */
  readonly node: string;
  readonly cluster: string;
  /** The newest layout, and the partitions of the ring; 0: none is known. */
  readonly layout: number;
  readonly partitions: number;
}

/** @throws DiskError, MalformedDocument */
export function readStoredState(disk: Disk): StoredState {
  const identity = loadDocument(disk, IDENTITY_FILE);
  const state = loadDocument(disk, STATE_FILE);
  const fields = identity === null ? null : new Fields(identity);
  const layout = state === null ? null : newestLayout(new Fields(state));
  return {
    node: fields?.nodeId("nodeId") ?? "",
    cluster: fields?.has("clusterId") ? fields.nodeId("clusterId") : "",
    layout: layout?.number ?? 0,
    partitions: layout?.partitions ?? 0,
  };
}

function newestLayout(fields: Fields): ReturnType<typeof decodeLayout> {
  const newest = fields.list("layouts", LIVE_LAYOUTS_LIMIT).at(-1);
  if (newest instanceof Uint8Array) return decodeLayout(newest);
  throw new MalformedDocument("the stored state has no layout");
}
