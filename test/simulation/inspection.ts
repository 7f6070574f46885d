/**
 * Looking into the nodes of a simulated cluster, past all interfaces: what each replica holds,
 * whether the owners of every name hold the same bytes, what is still to be done.
 */

import { ObjectName } from "../../core/object-name.ts";
import { partitionOf } from "../../core/ring.ts";
import {
  isTombstone,
  REQUEST_ID_BYTES,
  REQUEST_ID_OFFSET,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { Node } from "../../server/node.ts";
import { hintName } from "../../server/replication/hints.ts";
import type { Engine, IndexEntry, VersionSet } from "../../storage/engine.ts";
import { wholeBytes } from "../../storage/large-payload.ts";
import type { Cluster } from "./cluster.ts";
import type { HeldVersion } from "./oracle.ts";
import { hexOf } from "./write-attempts.ts";

/** Hints that wait at any node. */
export function hintsOf(cluster: Cluster): number {
  return sum(cluster, (node) => node.statistics()["hintsPending"]);
}

/** All repairs so far: of reads, of anti-entropy, of hints. */
export function repairsOf(cluster: Cluster): number {
  return sum(cluster, (node) => {
    const { readRepairs, antiEntropyRepairs, hintsDelivered } = node.statistics();
    return readRepairs + antiEntropyRepairs + hintsDelivered;
  });
}

/** Partitions that nodes hold and do not own. */
export function surplusOf(cluster: Cluster): number {
  return sum(cluster, (node) => node.statistics()["partitionsSurplus"]);
}

function sum(cluster: Cluster, of: (node: Node) => number): number {
  let total = 0;
  for (let index = 0; index < cluster.count; index++) {
    const node = cluster.node(index);
    if (node !== null && node.membership.ready) total += of(node);
  }
  return total;
}

/** A node's objects. */
export function engineOf(node: Node): Engine {
  if (node.objects === null) throw new Error("the node is no member yet");
  return node.objects;
}

/** What differs between the owners of a name, by the digests of their indexes; empty: nothing. */
export function disagreements(cluster: Cluster): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  for (let index = 0; index < cluster.count; index++) {
    const node = cluster.node(index);
    if (node === null && !cluster.isInside(index)) continue;
    if (node === null) return [`node ${index} is down`];
    if (!node.membership.ready) return [`node ${index} is no member`];
    for (const entry of entriesOf(engineOf(node))) {
      const place = placeOf(entry);
      if (seen.has(place)) continue;
      seen.add(place);
      found.push(...disagreement(cluster, entry));
    }
  }
  return found;
}

function disagreement(cluster: Cluster, entry: IndexEntry): string[] {
  const found: string[] = [];
  let first: string | null = null;
  for (const owner of ownersOf(cluster, entry.position0)) {
    const match = entriesOf(engineOf(owner), entry.position0).find((other) => {
      return placeOf(other) === placeOf(entry);
    });
    const digest = match === undefined ? "nothing" : `${match.digest0} ${match.digest1}`;
    first ??= digest;
    if (digest === first) continue;
    found.push(`${owner.membership.self.name} of ${placeOf(entry)}: ${digest}`);
  }
  return found;
}

/** The nodes that own a position by the newest layout. */
export function ownersOf(cluster: Cluster, position0: number): Node[] {
  const owners: Node[] = [];
  for (let index = 0; index < cluster.count; index++) {
    const node = cluster.node(index);
    if (node === null || !node.membership.ready) continue;
    const layout = node.membership.layouts.current;
    const partition = partitionOf(position0, layout.partitionBits);
    if (layout.owns(node.membership.self.id, partition)) owners.push(node);
  }
  return owners;
}

function placeOf(entry: IndexEntry): string {
  return `${entry.position0} ${entry.position1} ${entry.tag}`;
}

/** All index entries of an engine, or those with one first position word. */
function entriesOf(engine: Engine, position0: number | null = null): IndexEntry[] {
  const entries: IndexEntry[] = [];
  engine.scan(position0 ?? 0, position0 ?? 0xffffffff, (entry) => {
    entries.push({ ...entry });
    return true;
  });
  return entries;
}

const decoder = new TextDecoder();

/** Nodes that run and hold a write live, among their objects or as a hint for somebody. */
export function holdersOf(cluster: Cluster, key: string, requestId: string): number {
  let holders = 0;
  for (let index = 0; index < cluster.count; index++) {
    const node = cluster.node(index);
    if (node !== null && holdsWrite(node, key, requestId)) holders++;
  }
  return holders;
}

/** Whether a node holds a write live under its name, or as a hint for anybody it ever knew. */
/** The requests of the versions in a head. */
export function requestIdsOf(head: Uint8Array): string[] {
  return versionsOf({ head, payloads: [] }).map(({ requestId }) => requestId);
}

export function holdsWrite(node: Node, key: string, requestId: string): boolean {
  const { objects, hints } = node;
  if (objects === null || hints === null) return false;
  const name = new ObjectName(encoder.encode(key));
  if (holds(objects, name, requestId)) return true;
  if (hints.stats().objects === 0) return false;
  const { membership } = node;
  const ids = new Set(membership.history.map(({ member }) => member));
  return [...ids].some((id) => {
    const owner = membership.memberById(id);
    return owner !== undefined && holds(hints, hintName(owner.idBytes, name), requestId);
  });
}

/** REQUIRES: the engine answers before it returns. */
function holds(engine: Engine, name: ObjectName, requestId: string): boolean {
  let isHeld = false;
  engine.read(name, (outcome) => {
    if (outcome.status !== "found") return;
    isHeld = versionsOf(outcome.set).some((version) => version.requestId === requestId);
  });
  return isHeld;
}

const encoder = new TextEncoder();

/**
 * What every name's owners hold, read in full; `differs` is told of bytes that are not the same.
 */
export function heldBy(
  cluster: Cluster,
  differs: (key: string, detail: string) => void,
): Map<string, HeldVersion[]> {
  const held = new Map<string, HeldVersion[]>();
  const bytes = new Map<string, string>();
  for (let index = 0; index < cluster.count; index++) {
    const node = cluster.node(index);
    if (node === null) continue;
    for (const entry of entriesOf(engineOf(node))) {
      if (!ownersOf(cluster, entry.position0).includes(node)) continue;
      const { key, set } = readSet(engineOf(node), entry);
      const all = hexOf(set.head) + set.payloads.map((payload) => hexOf(wholeBytes(payload ?? none))).join(" ");
      if (!bytes.has(key)) {
        bytes.set(key, all);
        held.set(key, versionsOf(set));
      } else if (bytes.get(key) !== all) differs(key, `node ${index} holds other bytes`);
    }
  }
  return held;
}

const none = new Uint8Array(0);

/** REQUIRES: the engine answers before it returns. */
function readSet(engine: Engine, entry: IndexEntry): { key: string; set: VersionSet } {
  let found: { key: string; set: VersionSet } | null = null;
  engine.readEntry(entry, (name, outcome) => {
    if (name === null || outcome.status !== "found") return;
    found = { key: decoder.decode(name.bytes), set: outcome.set };
  });
  if (found === null) throw new Error(`an entry of the index cannot be read: ${placeOf(entry)}`);
  return found;
}

function versionsOf(set: VersionSet): HeldVersion[] {
  const versions: HeldVersion[] = [];
  for (let index = 0; index < versionCount(set.head, 0); index++) {
    const version = versionOffset(0, index);
    const start = version + REQUEST_ID_OFFSET;
    const requestId = hexOf(set.head.subarray(start, start + REQUEST_ID_BYTES));
    // Twins, one write that two coordinators took, stay in the head and are shown as one.
    if (versions.some((other) => other.requestId === requestId)) continue;
    versions.push({ requestId, isTombstone: isTombstone(set.head, version) });
  }
  return versions;
}
