/**
 * From one layout to the next: a pure function of the layout and the changes that are made to it, so
 * that whoever plans a layout, proposes it or proposes it anew makes the same bytes.
 *
 *   admit     a new node takes its share; one that lost its disk keeps its place
 *   leave     a node goes, and hands over what it has: it stays in the layouts before (layouts.ts)
 *   remove    a node that is dead goes; nothing is waited for
 *   replace   a new node takes exactly the slots of one that goes
 *   change    another capacity, another zone
 *
 * Name and addresses of a node are what it says of itself by now. Capacity and zone are not: they
 * decide what moves, so they change by a change that was looked at, and not by a restart with
 * another flag.
 */

import { assign } from "../../core/placement.ts";
import {
  type Admission,
  Layout,
  type LayoutNode,
  type MembershipEvent,
  type MembershipEventKind,
  nodeOf,
} from "./layout.ts";
import type { NodeAttributes } from "./member.ts";

/** Where and when a change is made. */
export interface ChangeContext {
  readonly issuer: string;
  readonly timeMs: number;
  /** The oldest layout that the issuer holds live: what a returning node counts as complete for. */
  readonly oldestLive: number;
  /** What nodes say of themselves by now; null: go on with what the layout says. */
  attributesOf(id: string): NodeAttributes | null;
}

/** `staged`: the stamp of the staged change behind it, 0 where there is none. */
export type LayoutEdit =
  | { readonly kind: "admit"; readonly admission: Admission; readonly staged: number }
  | { readonly kind: "leave" | "remove"; readonly id: string; readonly staged: number }
  | {
    readonly kind: "replace";
    readonly id: string;
    readonly by: Admission;
    /** Whether the replaced node hands over what it has; else it is taken for dead. */
    readonly drains: boolean;
    readonly staged: number;
    readonly stagedBy: number;
  }
  | {
    readonly kind: "change";
    readonly id: string;
    /** 0: as it is. */
    readonly capacity: number;
    /** Null: as it is. */
    readonly zone: string | null;
    readonly staged: number;
  };

/**
 * The layout that follows `current` when these nodes are let in. New nodes take their share; a node
 * that returns without its disk keeps its place. REQUIRES: at least one admission, ids distinct.
 */
export function layoutWith(
  current: Layout,
  admissions: readonly Admission[],
  context: ChangeContext,
): Layout {
  const edits = admissions.map((admission) => ({ kind: "admit" as const, admission, staged: 0 }));
  return nextLayout(current, edits, context);
}

/**
 * The layout that follows `current` by these edits.
 * REQUIRES: at least one edit, at most one about a node, and a node is left.
 */
export function nextLayout(
  current: Layout,
  edits: readonly LayoutEdit[],
  context: ChangeContext,
): Layout {
  const change = new Change(current, context);
  for (const edit of edits) change.make(edit);
  return change.layout();
}

class Change {
  readonly #current: Layout;
  readonly #context: ChangeContext;
  readonly #number: number;
  readonly #nodes: Map<string, LayoutNode>;
  readonly #events: MembershipEvent[] = [];
  /** Replaced nodes, and who has their slots from now on. */
  readonly #heirs = new Map<string, string>();
  #isMoving = false;

  constructor(current: Layout, context: ChangeContext) {
    this.#current = current;
    this.#context = context;
    this.#number = current.number + 1;
    this.#nodes = new Map(current.nodes.map((node) => [node.id, refresh(node, context)]));
  }

  make(edit: LayoutEdit): void {
    switch (edit.kind) {
      case "admit":
        return this.#admit(edit.admission, edit.staged, "");
      case "leave":
        return this.#drop(edit.id, "left", edit.staged, "");
      case "remove":
        return this.#drop(edit.id, "removed", edit.staged, "");
      case "replace": {
        const { id, by, drains, staged, stagedBy } = edit;
        const name = this.#nameOf(id);
        this.#heirs.set(id, by.id);
        this.#drop(id, drains ? "left" : "removed", staged, `replaced by ${by.attributes.name}`);
        return this.#admit(by, stagedBy, `in the place of ${name}`);
      }
      case "change":
        return this.#change(edit.id, edit.capacity, edit.zone, edit.staged);
    }
  }

  #admit(admission: Admission, staged: number, note: string): void {
    const { id, attributes } = admission;
    const former = this.#nodes.get(id);
    const node = nodeOf(admission, this.#number);
    if (former === undefined) {
      this.#isMoving = true;
      this.#nodes.set(id, { ...node, synced: this.#number - 1 });
    } else {
      const { capacity, zone } = former;
      this.#nodes.set(id, { ...node, capacity, zone, synced: this.#context.oldestLive });
    }
    const kind = former === undefined ? "joined" : "returned";
    this.#note(kind, id, attributes.name, staged, note);
  }

  #drop(id: string, kind: "left" | "removed", staged: number, note: string): void {
    this.#note(kind, id, this.#nameOf(id), staged, note);
    // A node that was leaving already owns nothing in the current layout.
    if (this.#nodes.delete(id)) this.#isMoving = true;
  }

  #change(id: string, capacity: number, zone: string | null, staged: number): void {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new RangeError(`node ${id} is not in layout ${this.#current.number}`);
    const changed = {
      ...node,
      capacity: capacity === 0 ? node.capacity : capacity,
      zone: zone ?? node.zone,
    };
    const parts: string[] = [];
    if (changed.capacity !== node.capacity) {
      parts.push(`capacity ${node.capacity} to ${changed.capacity}`);
    }
    if (changed.zone !== node.zone) parts.push(`zone "${node.zone}" to "${changed.zone}"`);
    this.#nodes.set(id, changed);
    this.#isMoving = true;
    this.#note("changed", id, node.name, staged, parts.join(", "));
  }

  #nameOf(id: string): string {
    return this.#nodes.get(id)?.name ?? this.#context.attributesOf(id)?.name ?? "";
  }

  #note(kind: MembershipEventKind, member: string, name: string, staged: number, note: string) {
    const { issuer, timeMs } = this.#context;
    this.#events.push({ kind, layout: this.#number, member, name, timeMs, issuer, note, staged });
  }

  layout(): Layout {
    const { clusterId, partitionBits, replicas } = this.#current;
    const nodes = [...this.#nodes.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
    const request = { nodes, partitionBits, replicas, former: this.#former() };
    const owners = this.#isMoving ? assign(request).owners : this.#current.owners;
    const number = this.#number;
    const events = this.#events;
    return new Layout({ clusterId, partitionBits, replicas, number, nodes, owners, events }, null);
  }

  /** The current layout, as if heirs had been there in the place of those whom they replace. */
  #former() {
    const { nodes, owners } = this.#current;
    const renamed = nodes.map((node) => ({ ...node, id: this.#heirs.get(node.id) ?? node.id }));
    return { nodes: renamed, owners };
  }
}

function refresh(node: LayoutNode, context: ChangeContext): LayoutNode {
  const attributes = context.attributesOf(node.id);
  if (attributes === null) return node;
  const { name, address, http } = attributes;
  return { ...node, name, address, http };
}
