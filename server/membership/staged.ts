/**
 * Staged changes: what administrators want of the next layout, until one of them commits it.
 *
 *   stage ──► one entry a node, the newer wins ──► gossip ──► every node shows the same plan
 *   commit ─► a layout whose events carry the entries' stamps ──► these entries are spent
 *   revert ─► an entry that wants nothing takes the place of each
 *
 * Entries are cluster state like any other, not one node's: whichever node an administrator asks, he
 * sees what the others have staged, and none of it goes with a node. An entry is spent once the
 * history tells of a change that answers it; that is a function of the history, so nobody has to
 * clear anything, and whoever has heard of the layout refuses the entry when it comes round again.
 *
 * A node that waits to be let in (--join-staged) is an entry of its own: it wants to join, or it just
 * waits where somebody has reverted that, or where its name is a member's and it may only replace it.
 */

import { CAPACITY_MAX } from "../../core/placement/terms.ts";
import type { Clock } from "../ports/clock.ts";
import { type Fields, MalformedDocument } from "./document.ts";
import type { Answered } from "./members.ts";
import { attributesDocument, type NodeAttributes, readAttributes, ZONE_CHARS_MAX } from "./member.ts";

/** Entries at one time; a node that asks to be let in makes one. */
export const STAGED_MAX = 2_048;

/** none: nothing is wanted of it (any more); waiting: it asks to be let in, nobody wants it yet. */
const KINDS = ["none", "waiting", "join", "leave", "remove", "replace", "change"] as const;
export type StagedKind = (typeof KINDS)[number];

/** What is wanted of one node. */
export interface Wish {
  /** Id of the node that it is about; of one that wants to join, its incarnation. */
  readonly node: string;
  readonly kind: StagedKind;
  /** What a node says of itself that is no member; null otherwise. */
  readonly attributes: NodeAttributes | null;
  /** replace: id of the node that takes over; "" otherwise. */
  readonly by: string;
  /** replace: whether the replaced one hands over what it has; else it is taken for dead. */
  readonly drains: boolean;
  /** change: 0 where it stays. */
  readonly capacity: number;
  /** change: null where it stays. */
  readonly zone: string | null;
}

export interface StagedChange extends Wish {
  /** Rises with each change of any entry; the larger wins, of equal ones the later issuer's. */
  readonly stamp: number;
  readonly issuer: string;
  /** Wall clock of the issuer. */
  readonly timeMs: number;
}

/** A wish of nothing, to be filled in. */
export const NO_WISH = { attributes: null, by: "", drains: false, capacity: 0, zone: null };

export class Staged {
  readonly #clock: Clock;
  readonly #selfId: () => string;
  readonly #answered: (id: string) => Answered | undefined;
  readonly #onSet: () => boolean;
  readonly #entries = new Map<string, StagedChange>();
  #greatestStamp = 0;

  /**
   * @param answered what the history says of a node
   * @param onSet makes the entries durable and spreads them; false when that failed
   */
  constructor(
    clock: Clock,
    selfId: () => string,
    answered: (id: string) => Answered | undefined,
    onSet: () => boolean,
  ) {
    this.#clock = clock;
    this.#selfId = selfId;
    this.#answered = answered;
    this.#onSet = onSet;
  }

  /** All entries that are not spent, sorted by node. */
  entries(): StagedChange[] {
    const entries = [...this.#entries.values()];
    return entries.sort((left, right) => (left.node < right.node ? -1 : 1));
  }

  /** Those that want something. */
  wanted(): StagedChange[] {
    return this.entries().filter(wantsSomething);
  }

  of(node: string): StagedChange | undefined {
    return this.#entries.get(node);
  }

  /** Stages wishes, all or none of them. "" when done, else a sentence that says why not. */
  set(wishes: readonly Wish[]): string {
    const before = wishes.map(({ node }) => this.#entries.get(node));
    const fresh = wishes.filter(({ node }) => !this.#entries.has(node)).length;
    if (this.#entries.size + fresh > STAGED_MAX) {
      return `Cannot stage it: ${STAGED_MAX} changes are staged, which is the limit; revert them`;
    }
    for (const wish of wishes) {
      const stamp = this.#nextStamp(wish.node);
      const signed = { stamp, issuer: this.#selfId(), timeMs: this.#clock.nowMs() };
      this.apply({ ...wish, ...signed });
    }
    if (this.#onSet()) return "";
    wishes.forEach(({ node }, index) => {
      const entry = before[index];
      if (entry === undefined) this.#entries.delete(node);
      else this.#entries.set(node, entry);
    });
    return "Cannot stage it: the disk does not take it";
  }

  /**
   * Beyond what is known, and beyond what the history has answered: who staged that may be ahead with its
   * clock, and a node that joined later has never seen the entry, which was spent by then.
   */
  #nextStamp(node: string): number {
    const answered = this.#answered(node)?.staged ?? 0;
    return Math.max(this.#clock.nowMs(), this.#greatestStamp + 1, answered + 1);
  }

  /** Merges what was heard; true when it is news. */
  apply(entry: StagedChange): boolean {
    this.#greatestStamp = Math.max(this.#greatestStamp, entry.stamp);
    const known = this.#entries.get(entry.node);
    if (known !== undefined && !isNewer(entry, known)) return false;
    if (isSpent(entry, this.#answered(entry.node))) return false;
    this.#entries.set(entry.node, entry);
    return true;
  }

  /** Forgets what is spent: call after every change of the history. */
  prune(): void {
    for (const [node, entry] of this.#entries) {
      if (isSpent(entry, this.#answered(node))) this.#entries.delete(node);
    }
  }
}

export function wantsSomething({ kind }: Wish): boolean {
  return kind !== "none" && kind !== "waiting";
}

/** Whether the history has answered an entry: nothing about the node is wanted by it any more. */
function isSpent(entry: StagedChange, answered: Answered | undefined): boolean {
  if (answered === undefined) return false;
  if (answered.kind === "removed") return true;
  // A node that leaves may die on the way and be removed; nothing else can become of it.
  if (answered.kind === "left") return entry.kind !== "remove" && entry.kind !== "none";
  return answered.staged >= entry.stamp || entry.attributes !== null;
}

function isNewer(left: StagedChange, right: StagedChange): boolean {
  if (left.stamp !== right.stamp) return left.stamp > right.stamp;
  if (left.issuer !== right.issuer) return left.issuer > right.issuer;
  return JSON.stringify(stagedDocument(left)) > JSON.stringify(stagedDocument(right));
}

/** An entry as it travels. */
export function stagedDocument(entry: StagedChange): Record<string, unknown> {
  const { node, kind, attributes, by, drains, capacity, zone, stamp, issuer, timeMs } = entry;
  const said = attributes === null ? null : attributesDocument(attributes);
  return { node, kind, attributes: said, by, drains, capacity, zone, stamp, issuer, timeMs };
}

/** @throws MalformedDocument */
export function readStaged(fields: Fields): StagedChange {
  const text = fields.text("kind", 16);
  const kind = KINDS.find((known) => known === text);
  if (kind === undefined) {
    throw new MalformedDocument(`staged change is "${text}", wanted is one of ${KINDS.join(", ")}`);
  }
  const attributes = fields.has("attributes") ? readAttributes(fields.fields("attributes")) : null;
  if ((kind === "join" || kind === "waiting") && attributes === null) {
    throw new MalformedDocument(`a node that is to ${kind} says nothing of itself`);
  }
  return {
    node: fields.nodeId("node"),
    kind,
    attributes,
    by: kind === "replace" ? fields.nodeId("by") : "",
    drains: fields.raw("drains") === true,
    capacity: fields.whole("capacity", 0, CAPACITY_MAX),
    zone: fields.has("zone") ? fields.text("zone", ZONE_CHARS_MAX) : null,
    stamp: fields.whole("stamp", 0),
    issuer: fields.nodeId("issuer"),
    timeMs: fields.whole("timeMs", 0),
  };
}
