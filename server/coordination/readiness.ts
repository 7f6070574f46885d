/**
 * Whether a load balancer should send clients here: a read quorum of every partition is reachable from
 * this node (or, for writes, enough healthy nodes stand to take one).
 */

import type { Membership } from "../membership/membership.ts";
import { counted } from "./counted.ts";
import { readNeed, writeNeed } from "./quorum.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Why not; "" when ready. */
  readonly detail: string;
}

const READY: Readiness = { ready: true, detail: "" };

/** @param partial partitions that this node owns and is partial for */
export function readinessOf(
  membership: Membership,
  partial: number,
  forWrite: boolean,
): Readiness {
  return forWrite ? writeReadiness(membership) : readReadiness(membership, partial);
}

function readReadiness(membership: Membership, partial: number): Readiness {
  const { reading } = membership.layouts;
  const options = { r: "default", pr: "default", timeoutMs: 0 } as const;
  const { defaults } = membership;
  const need = readNeed(options, {}, defaults, reading.replicas, reading.nodes.length);
  if (typeof need === "string") return { ready: false, detail: need };
  const answers = reading.nodes.map((node) => {
    const member = membership.memberById(node.id);
    if (member === undefined || !member.healthy) return 0;
    return (member.isSelf ? partial : member.partial) === 0 ? 1 : 0;
  });
  const { owners, ownersPerPartition } = reading;
  for (let start = 0; start < owners.length; start += ownersPerPartition) {
    let count = 0;
    for (let rank = 0; rank < ownersPerPartition; rank++) count += answers[owners[start + rank]];
    if (count >= need.r) continue;
    const partition = start / ownersPerPartition;
    const reached = counted(count, "complete owner");
    const detail = `Of partition ${partition} ${reached} can be reached, wanted is r=${need.r}`;
    return { ready: false, detail };
  }
  return READY;
}

function writeReadiness(membership: Membership): Readiness {
  const { current, live } = membership.layouts;
  const options = { w: "default", dw: "default", pw: "default", timeoutMs: 0 } as const;
  const members = current.nodes.length;
  const need = writeNeed(options, {}, membership.defaults, current.replicas, members);
  if (typeof need === "string") return { ready: false, detail: need };
  for (const layout of live) {
    const healthy = layout.nodes.filter((node) => membership.memberById(node.id)?.healthy === true);
    const wanted = Math.min(need.w, layout.nodes.length);
    if (healthy.length >= wanted) continue;
    const detail = `${counted(healthy.length, "node")} can be reached, wanted is w=${wanted}`;
    return { ready: false, detail };
  }
  return READY;
}
