/**
 * What a node tells of itself, the cluster and its layout, to people and programs (GET /stats, /cluster,
 * /cluster/layout, /cluster/plan): made of the membership's state when it is asked for, and kept nowhere.
 */

import { balanceOf } from "../core/placement.ts";
import type { Engine, EngineStats } from "../storage/engine.ts";
import type { ClusterReport, LayoutReport, MemberReport } from "./http/http-node.ts";
import type { Layout } from "./membership/layout.ts";
import type { Member } from "./membership/member.ts";
import type { Membership } from "./membership/membership.ts";

/** What GET /cluster shows. @param self this node's id, of use before it is a member */
export function clusterReport(membership: Membership, self: string): ClusterReport {
  if (!membership.ready) {
    const layout = { version: 0, partitions: 0, replicas: 0, live: [] };
    return { cluster: "", self, members: [], layout, staged: [] };
  }
  const { current, live } = membership.layouts;
  const slots = current.slotsOfNodes();
  return {
    cluster: membership.clusterId,
    self: membership.self.id,
    members: membership.members.map((member) => reportOf(member, current, slots)),
    layout: {
      version: current.number,
      partitions: current.partitions,
      replicas: current.replicas,
      live: live.map((layout) => layout.number),
    },
    staged: membership.administration.staged.filter(({ kind }) => kind !== "none"),
  };
}

/** What GET /cluster/layout shows. */
export function layoutReport({ layouts, history }: Membership): LayoutReport {
  const { current, live, reading } = layouts;
  return {
    version: current.number,
    partitions: current.partitions,
    replicas: current.replicas,
    live: live.map(({ number }) => number),
    reading: reading.number,
    nodes: balanceOf(current).map(({ slots, idealShare, reachedShare }, index) => {
      const { id, name, zone, capacity } = current.nodes[index];
      return { id, name, zone, capacity, slots, idealShare, reachedShare };
    }),
    history,
  };
}

/** One line of GET /cluster: zone and capacity as the layout counts them. */
function reportOf(member: Member, layout: Layout, slots: Uint32Array): MemberReport {
  const { id, name, address, http, status, healthy } = member;
  const { zone, capacity } = layout.nodeById(id) ?? member;
  const partitions = slots[layout.indexOf(id)] ?? 0;
  return { id, name, address, http, zone, capacity, status, healthy, partitions };
}

/**
 * The size of a partition, estimated: its objects here, of the mean size of all here; a partition that
 * is not held here is taken to be as large as the mean of those that are.
 * @param objects null: nothing is known
 */
export function partitionBytes(
  { layouts, self }: Membership,
  objects: Engine | null,
): (partition: number) => number {
  if (objects === null) return () => 0;
  const { objects: count, liveBytes } = objects.stats();
  const { current } = layouts;
  const { id } = self;
  let owned = 0;
  for (let one = 0; one < current.partitions; one++) if (current.owns(id, one)) owned++;
  const meanBytes = owned === 0 ? 0 : liveBytes / owned;
  const objectBytes = count === 0 ? 0 : liveBytes / count;
  return (partition) => {
    const isHeld = current.owns(id, partition);
    return Math.round(isHeld ? objects.tree(partition).count * objectBytes : meanBytes);
  };
}

/** What the two stores tell of themselves in GET /stats. */
export function storeStatistics(objects: EngineStats, hints: EngineStats): Record<string, number> {
  return {
    objects: objects.objects,
    objectBytesLive: objects.liveBytes,
    objectBytesTotal: objects.totalBytes,
    indexBytes: objects.indexBytes,
    recordsDamaged: objects.damaged + hints.damaged,
    hintsPending: hints.objects,
    hintBytes: hints.totalBytes,
    segmentsCompacted: objects.segmentsCompacted + hints.segmentsCompacted,
    compactionBytesMoved: objects.bytesMoved + hints.bytesMoved,
    logBytesFreed: objects.bytesFreed + hints.bytesFreed,
  };
}

/** Counters as they stand in GET /stats: "dialled" of "wire" is wireDialled. What is no number is left out. */
export function prefixed(prefix: string, counters: object): Record<string, number> {
  const named: Record<string, number> = {};
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value !== "number") continue;
    named[prefix + name[0].toUpperCase() + name.slice(1)] = value;
  }
  return named;
}
