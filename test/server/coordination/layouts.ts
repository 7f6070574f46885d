/** Layouts and members for tests of plans and tallies, made without a network. */

import type { PlanSource } from "../../../server/coordination/plan.ts";
import { foundLayout, type Layout } from "../../../server/membership/layout.ts";
import { layoutWith } from "../../../server/membership/layout-change.ts";
import { Member } from "../../../server/membership/member.ts";
import { Peers } from "../../../server/wire/peers.ts";
import { WireWorld } from "../wire/wire-world.ts";

const SHAPE = { clusterId: "c".repeat(16), partitionBits: 4, replicas: 3 };

function admission(digit: string) {
  const attributes = { name: `n${digit}`, address: `n${digit}:1`, http: "", zone: "", capacity: 1 };
  return { id: digit.repeat(16), incarnation: digit.repeat(16), attributes };
}

function recordOf(digit: string) {
  const { id, attributes } = admission(digit);
  return {
    id,
    version: 1,
    ...attributes,
    adopted: 0,
    synced: 0,
    reading: 0,
    drained: 0,
    partial: 0,
    actor: "",
  };
}

/** A layout of these nodes, one digit each; the first is the founder. */
export function layoutOf(digits: string, after: Layout | null = null): Layout {
  const first = foundLayout(SHAPE, admission(digits[0]), 0);
  const start = after ?? first;
  const known = new Set(start.nodes.map((node) => node.id));
  const fresh = [...digits].map(admission).filter(({ id }) => !known.has(id));
  if (fresh.length === 0) return start;
  const context = { issuer: first.nodes[0].id, timeMs: 0, oldestLive: 1, attributesOf: () => null };
  return layoutWith(start, fresh, context);
}

/** Members as the node with the digit `self` sees them; those in `unhealthy` are suspected. */
export function sourceOf(layouts: readonly Layout[], self: string, unhealthy = ""): PlanSource {
  const world = new WireWorld(1);
  const { clock } = world.node("self", "f");
  const identity = { clusterId: () => SHAPE.clusterId, nodeId: self.repeat(16), name: "self", secret: null };
  const network = world.network.port("plan", clock);
  const peers = new Peers({ clock, random: world.random, network, log: world.log }, identity);
  const members = new Map<string, Member>();
  for (const { id } of layouts.flatMap((layout) => layout.nodes)) {
    const digit = id[0];
    const peer = digit === self ? null : peers.peer(id, `n${digit}:1`);
    if (peer !== null) peer.healthy = !unhealthy.includes(digit);
    if (!members.has(id)) members.set(id, new Member(recordOf(digit), peer));
  }
  return {
    layouts: { live: layouts, reading: layouts[0] },
    memberById: (id) => members.get(id),
  };
}

/** The digits of a layout's nodes in the preference order of a partition. */
export function orderOf(layout: Layout, partition: number): string {
  const start = partition * layout.nodes.length;
  const ranks = layout.preference.subarray(start, start + layout.nodes.length);
  return Array.from(ranks, (node) => layout.nodes[node].id[0]).join("");
}
