/**
 * What the staged changes would make of the current layout: a pure function of both, so that every
 * node shows the same plan, and what is committed is what was looked at.
 *
 *   layout 7 + staged changes ──► edits ──► layout 8 ──► who gets what, from whom, how many bytes,
 *                                                        how even it is, what is missing
 *
 * A plan that must not be committed says why in one sentence: fewer distinct nodes than copies, a
 * partition whose last holder would go. Both can be forced, as sometimes that is all that is left.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { balanceOf, efficiency } from "../../core/placement.ts";
import { type Move, movesBetween } from "../../core/placement/moves.ts";
import { encodeDocument } from "./document.ts";
import type { Layout, LayoutNode } from "./layout.ts";
import { type ChangeContext, type LayoutEdit, nextLayout } from "./layout-change.ts";
import { hexText, type Member, type NodeAttributes } from "./member.ts";
import { type StagedChange, wantsSomething } from "./staged.ts";

/** What a plan is made of. */
export interface PlanSource {
  readonly current: Layout;
  /** The layout that reads use: its owners are the ones that hold all there is. */
  readonly reading: Layout;
  /** All entries, those that want nothing as well. */
  readonly staged: readonly StagedChange[];
  readonly context: ChangeContext;
  memberById(id: string): Member | undefined;
}

/** The next layout, or why there is none. */
export interface Draft {
  readonly edits: readonly LayoutEdit[];
  /** Null where nothing can come of the staged changes. */
  readonly next: Layout | null;
  /** Why it must not be committed: one sentence; "" where it may. */
  readonly refusal: string;
  /** Whether it can be committed all the same, by force. */
  readonly isForceable: boolean;
}

/** A part of a node's load that moves. */
export interface Share {
  /** Id of the other node; "" where there is none: the copy comes from nobody, or is one too many. */
  readonly node: string;
  readonly partitions: number;
  readonly bytes: number;
}

export interface NodePlan {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  readonly slotsBefore: number;
  readonly slotsAfter: number;
  /** Shares of all slots, 0 to 1: by capacity alone, and what distinctness and zones leave of it. */
  readonly idealShare: number;
  readonly reachedShare: number;
  /** From whom it gets partitions, and to whom it gives them. */
  readonly gains: readonly Share[];
  readonly losses: readonly Share[];
}

/** Partitions of the planned layout that could bear less than their copies promise. */
export interface MissingRedundancy {
  /** With an owner that does not answer; and with none that does. */
  readonly ownerDown: number;
  readonly allOwnersDown: number;
  /** With two owners in one zone. */
  readonly zoneShared: number;
  /** With fewer owners than there are to be copies. */
  readonly tooFewOwners: number;
}

export interface LayoutPlan {
  /** The layout that it starts from, and a name for exactly these staged changes. */
  readonly version: number;
  readonly token: string;
  readonly staged: readonly StagedChange[];
  readonly refusal: string;
  readonly isForceable: boolean;
  readonly nodes: readonly NodePlan[];
  readonly slots: number;
  readonly movedSlots: number;
  /** Estimated. */
  readonly movedBytes: number;
  /** Mean load of a unit of capacity by that of the most loaded one, 0 to 1. */
  readonly balanceBefore: number;
  readonly balanceAfter: number;
  readonly zones: readonly { zone: string; slotsBefore: number; slotsAfter: number }[];
  readonly missing: MissingRedundancy;
}

/** A name for a set of staged changes: equal names, equal sets. */
export function tokenOf(staged: readonly StagedChange[]): string {
  const wanted = staged.filter(wantsSomething);
  const stamps = wanted.map(({ node, stamp, issuer }) => [node, stamp, issuer]);
  return hexText(sha256(encodeDocument(stamps)).slice(0, 4));
}

/** The next layout by the staged changes. */
export function draftOf(source: PlanSource): Draft {
  const edits = editsOf(source);
  if (typeof edits === "string") return refused([], edits);
  if (edits.length === 0) return refused([], "Nothing is staged, so there is nothing to commit");
  const gone = edits.filter(({ kind }) => kind === "leave" || kind === "remove").length;
  const come = edits.filter(({ kind }) => kind === "admit").length;
  if (source.current.nodes.length + come - gone < 1) {
    return refused(edits, "No node would be left, wanted is one at least");
  }
  const next = nextLayout(source.current, edits, source.context);
  const refusal = tooFewNodes(source.current, next) || partitionsWithoutHolder(source, edits);
  return { edits, next, refusal, isForceable: true };
}

function refused(edits: readonly LayoutEdit[], refusal: string): Draft {
  return { edits, next: null, refusal, isForceable: false };
}

/** The edits that the entries ask for, or why they do not go together: one sentence. */
function editsOf(source: PlanSource): LayoutEdit[] | string {
  const edits: LayoutEdit[] = [];
  const heirs = new Set(source.staged.map(({ by }) => by).filter((id) => id !== ""));
  for (const entry of source.staged) {
    if (entry.kind === "join" && heirs.has(entry.node)) continue;
    const edit = editOf(source, entry);
    if (typeof edit === "string") return edit;
    if (edit !== null) edits.push(edit);
  }
  return nameTakenTwice(source.current, edits) || edits;
}

function editOf(source: PlanSource, entry: StagedChange): LayoutEdit | string | null {
  const { node: id, kind, stamp: staged } = entry;
  const isOwner = source.current.indexOf(id) >= 0;
  switch (kind) {
    case "none":
    case "waiting":
      return null;
    case "join":
      return entry.attributes === null ? null : admitEdit(id, entry.attributes, staged);
    case "leave":
      return isOwner ? { kind, id, staged } : null;
    case "remove": {
      const isLeaving = source.memberById(id)?.status === "leaving";
      return isOwner || isLeaving ? { kind, id, staged } : null;
    }
    case "replace":
      return isOwner ? replaceEdit(source, entry) : null;
    case "change": {
      const { capacity, zone } = entry;
      return isOwner ? { kind, id, capacity, zone, staged } : null;
    }
  }
}

function admitEdit(id: string, attributes: NodeAttributes, staged: number): LayoutEdit {
  return { kind: "admit", admission: { id, incarnation: id, attributes }, staged };
}

function replaceEdit(source: PlanSource, entry: StagedChange): LayoutEdit | string {
  const heir = source.staged.find(({ node }) => node === entry.by);
  if (heir === undefined || heir.attributes === null) {
    const name = source.current.nodeById(entry.node)?.name ?? entry.node;
    return `Node ${entry.by}, which is to replace ${name}, does not ask to be let in any more`;
  }
  const by = { id: heir.node, incarnation: heir.node, attributes: heir.attributes };
  const { node: id, drains, stamp: staged } = entry;
  return { kind: "replace", id, by, drains, staged, stagedBy: heir.stamp };
}

/** "" where every name is one node's. */
function nameTakenTwice(current: Layout, edits: readonly LayoutEdit[]): string {
  const gone = new Set(edits.flatMap((edit) => {
    return edit.kind === "admit" || edit.kind === "change" ? [] : [edit.id];
  }));
  const names = new Set(current.nodes.filter(({ id }) => !gone.has(id)).map(({ name }) => name));
  for (const edit of edits) {
    const admission = edit.kind === "admit" ? edit.admission : edit.kind === "replace" ? edit.by : null;
    if (admission === null) continue;
    const { name } = admission.attributes;
    if (names.has(name)) return `The name "${name}" would be that of two members, wanted is one`;
    names.add(name);
  }
  return "";
}

function tooFewNodes(current: Layout, next: Layout): string {
  const count = next.nodes.length;
  if (count >= next.replicas || count >= current.nodes.length) return "";
  return `${count} nodes would be left, and ${next.replicas} copies want ${next.replicas} ` +
    "distinct nodes: let others join first, or replace the node";
}

/** Removed nodes give nothing to anybody: somebody else has to hold what they held. */
function partitionsWithoutHolder(source: PlanSource, edits: readonly LayoutEdit[]): string {
  const dead = deadBy(edits);
  if (dead.size === 0) return "";
  const { reading } = source;
  const isHolder = reading.nodes.map(({ id }) => {
    return !dead.has(id) && source.memberById(id)?.status !== "removed";
  });
  const width = reading.ownersPerPartition;
  let lost = 0;
  for (let start = 0; start < reading.owners.length; start += width) {
    if (!reading.owners.subarray(start, start + width).some((node) => isHolder[node])) lost++;
  }
  if (lost === 0) return "";
  return `${lost} partitions would be left without a node that holds them, and what is in them ` +
    "would be lost: wait until other nodes have taken them over, or bring one of the dead back";
}

/**
 * What the staged changes come to.
 * @param bytesOf estimated size of a partition
 */
export function planOf(source: PlanSource, bytesOf: (partition: number) => number): LayoutPlan {
  const { current, staged } = source;
  const draft = draftOf(source);
  const next = draft.next ?? current;
  const isDead = deadBy(draft.edits);
  const moves = movesBetween(current, next, current.partitions, (id) => !isDead.has(id));
  return {
    version: current.number,
    token: tokenOf(staged),
    // What was reverted is kept for those who have not heard of it.
    staged: staged.filter(({ kind }) => kind !== "none"),
    refusal: draft.refusal,
    isForceable: draft.isForceable,
    nodes: nodePlans(current, next, moves, bytesOf),
    slots: next.owners.length,
    movedSlots: moves.length,
    movedBytes: moves.reduce((sum, { partition }) => sum + bytesOf(partition), 0),
    balanceBefore: balance(current),
    balanceAfter: balance(next),
    zones: zonePlans(current, next),
    missing: missingRedundancy(next, (id) => source.memberById(id)?.healthy ?? true),
  };
}

/** Nodes that go without handing anything over. */
function deadBy(edits: readonly LayoutEdit[]): Set<string> {
  return new Set(edits.flatMap((edit) => {
    const isDead = edit.kind === "remove" || edit.kind === "replace" && !edit.drains;
    return isDead ? [edit.id] : [];
  }));
}

function nodePlans(
  current: Layout,
  next: Layout,
  moves: readonly Move[],
  bytesOf: (partition: number) => number,
): NodePlan[] {
  const before = current.slotsOfNodes();
  const shares = balanceOf(next);
  const everyone = new Map<string, LayoutNode>();
  for (const node of [...current.nodes, ...next.nodes]) everyone.set(node.id, node);
  const ids = [...everyone.keys()].sort();
  return ids.map((id) => {
    const { name, zone, capacity } = everyone.get(id) ?? next.nodes[0];
    const after = shares[next.indexOf(id)];
    const gained = moves.filter(({ to }) => to === id);
    const lost = moves.filter(({ loser }) => loser === id);
    return {
      id,
      name,
      zone,
      capacity,
      slotsBefore: before[current.indexOf(id)] ?? 0,
      slotsAfter: after?.slots ?? 0,
      idealShare: after?.idealShare ?? 0,
      reachedShare: after?.reachedShare ?? 0,
      gains: sharesOf(gained, ({ from }) => from, bytesOf),
      losses: sharesOf(lost, ({ to }) => to, bytesOf),
    };
  });
}

function sharesOf(
  moves: readonly Move[],
  otherOf: (move: Move) => string,
  bytesOf: (partition: number) => number,
): Share[] {
  const shares = new Map<string, Share>();
  for (const move of moves) {
    const node = otherOf(move);
    const { partitions, bytes } = shares.get(node) ?? { partitions: 0, bytes: 0 };
    const grown = { partitions: partitions + 1, bytes: bytes + bytesOf(move.partition) };
    shares.set(node, { node, ...grown });
  }
  return [...shares.values()].sort((left, right) => (left.node < right.node ? -1 : 1));
}

function balance(layout: Layout): number {
  return efficiency(balanceOf(layout).map(({ node, slots }) => slots / node.capacity));
}

function zonePlans(current: Layout, next: Layout) {
  const zones = new Map<string, { slotsBefore: number; slotsAfter: number }>();
  const add = (layout: Layout, field: "slotsBefore" | "slotsAfter"): void => {
    const slots = layout.slotsOfNodes();
    layout.nodes.forEach(({ zone }, index) => {
      const counts = zones.get(zone) ?? { slotsBefore: 0, slotsAfter: 0 };
      counts[field] += slots[index];
      zones.set(zone, counts);
    });
  };
  add(current, "slotsBefore");
  add(next, "slotsAfter");
  return [...zones].map(([zone, counts]) => ({ zone, ...counts }))
    .sort((left, right) => (left.zone < right.zone ? -1 : 1));
}

function missingRedundancy(layout: Layout, isUp: (id: string) => boolean): MissingRedundancy {
  const ups = layout.nodes.map(({ id }) => isUp(id));
  const width = layout.ownersPerPartition;
  const missing = { ownerDown: 0, allOwnersDown: 0, zoneShared: 0, tooFewOwners: 0 };
  for (let start = 0; start < layout.owners.length; start += width) {
    const row = [...layout.owners.subarray(start, start + width)];
    const down = row.filter((node) => !ups[node]).length;
    if (down > 0) missing.ownerDown++;
    if (down === width) missing.allOwnersDown++;
    if (new Set(row.map((node) => layout.nodes[node].zone)).size < width) missing.zoneShared++;
    if (width < layout.replicas) missing.tooFewOwners++;
  }
  return missing;
}
