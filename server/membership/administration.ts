/**
 * What an administrator does to the layout, at any node: stage changes, look at the plan, commit the
 * plan that was looked at, or revert.
 *
 *   stage ──► plan {version, token} ──► commit {version, token} ──► the next layout
 *     └────────────► revert
 *
 * A commit names the layout that was looked at, and may name the staged changes as well: where either
 * is another one by now, it is refused as stale. So of two commits at once one wins, and the other
 * administrator looks again. What decides is a majority of the current layout's nodes (consensus.ts);
 * by force, a majority of those that stay.
 */

import { CAPACITY_MAX } from "../../core/placement/terms.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { Consensus } from "./consensus.ts";
import type { Layout } from "./layout.ts";
import type { ChangeContext } from "./layout-change.ts";
import { type Member, ZONE_CHARS_MAX } from "./member.ts";
import { draftOf, type LayoutPlan, planOf, type PlanSource, tokenOf } from "./plan.ts";
import { NO_WISH, type StagedChange, type Wish } from "./staged.ts";

/** What an administrator asks for; nodes by name or by id. */
export type Order =
  | { readonly change: "join" | "leave" | "remove"; readonly node: string }
  | { readonly change: "replace"; readonly node: string; readonly by: string }
  | {
    readonly change: "change";
    readonly node: string;
    readonly capacity?: number;
    readonly zone?: string;
  };

export type Staging =
  | { readonly status: "done" }
  /** Nothing was staged: what was asked cannot be. */
  | { readonly status: "refused"; readonly sentence: string }
  /** Nothing was staged: it cannot be kept now. */
  | { readonly status: "unable"; readonly sentence: string };

export interface CommitOrder {
  /** The layout that was looked at. */
  readonly version: number;
  /** The staged changes that were looked at; "": whatever is staged. */
  readonly token: string;
  readonly isForced: boolean;
}

export type Committed =
  | { readonly status: "done"; readonly version: number }
  /** The layout or the staged changes are others than those that were looked at. */
  | { readonly status: "stale"; readonly sentence: string }
  | { readonly status: "refused"; readonly sentence: string }
  /** It cannot be done now; nothing was done. */
  | { readonly status: "unable"; readonly sentence: string }
  /** Too few members answered; it may yet happen. */
  | { readonly status: "minority"; readonly sentence: string };

export class Administration {
  readonly #clock: Clock;
  readonly #state: ClusterState;
  readonly #consensus: Consensus;

  constructor(clock: Clock, state: ClusterState, consensus: Consensus) {
    this.#clock = clock;
    this.#state = state;
    this.#consensus = consensus;
  }

  /** Nodes that ask to be let in, and what is staged. */
  get staged(): readonly StagedChange[] {
    return this.#state.staged.entries();
  }

  /** Stages all of these, or none. REQUIRES: this node is a member. */
  stage(orders: readonly Order[]): Staging {
    const wishes = new Map<string, Wish>();
    for (const order of orders) {
      const wish = this.#wishOf(order);
      if (typeof wish === "string") return { status: "refused", sentence: wish };
      if (wishes.has(wish.node)) {
        const sentence = `Node ${order.node} is named twice, wanted is one change a node`;
        return { status: "refused", sentence };
      }
      wishes.set(wish.node, wish);
    }
    return this.#set([...wishes.values()]);
  }

  /** Drops what is staged, of one node or (null) all of it. */
  revert(node: string | null): Staging {
    const wanted = this.#state.staged.wanted();
    const chosen = node === null ? wanted : wanted.filter((entry) => this.#isAbout(entry, node));
    if (node !== null && chosen.length === 0) {
      return { status: "refused", sentence: `Nothing is staged for a node ${node}` };
    }
    return this.#set(chosen.map(({ node: id, attributes }) => {
      const kind = attributes === null ? "none" : "waiting";
      return { ...NO_WISH, node: id, kind, attributes };
    }));
  }

  /** What the staged changes come to. @param bytesOf estimated size of a partition */
  plan(bytesOf: (partition: number) => number): LayoutPlan {
    return planOf(this.#source(), bytesOf);
  }

  /** Makes the staged changes the next layout. */
  commit(order: CommitOrder, done: (outcome: Committed) => void): void {
    const source = this.#source();
    const stale = this.#staleness(order, source);
    if (stale !== "") return done({ status: "stale", sentence: stale });
    const draft = draftOf(source);
    const isForced = order.isForced && draft.isForceable;
    const { next } = draft;
    if (next === null || draft.refusal !== "" && !isForced) {
      return done({ status: "refused", sentence: draft.refusal });
    }
    let overtaken = "";
    const change = (current: Layout): Layout | null | string => {
      if (current.number === order.version) return next;
      if (this.#isCommitted(next)) return null;
      overtaken = staleSentence(order.version, current.number);
      return overtaken;
    };
    return this.#consensus.propose(change, (outcome) => {
      if (outcome.status === "done") done({ status: "done", version: next.number });
      else if (outcome.status === "minority") done(outcome);
      else if (overtaken !== "") done({ status: "stale", sentence: overtaken });
      else done({ status: "unable", sentence: outcome.sentence });
    }, isForced);
  }

  /** Whether a layout was decided, be it by another's proposal of it: its events are in the history. */
  #isCommitted(layout: Layout): boolean {
    const known = this.#state.members.history.filter((event) => event.layout === layout.number);
    return layout.events.every((event) => {
      return known.some((other) => {
        return other.member === event.member && other.kind === event.kind &&
          other.timeMs === event.timeMs && other.issuer === event.issuer;
      });
    });
  }

  #staleness({ version, token }: CommitOrder, { current, staged }: PlanSource): string {
    if (version !== current.number) return staleSentence(version, current.number);
    const now = tokenOf(staged);
    if (token === "" || token === now) return "";
    return `What is staged is ${now} by now and no longer ${token}: look at the plan again`;
  }

  #source(): PlanSource {
    const { layouts, members, staged } = this.#state;
    const context: ChangeContext = {
      issuer: this.#state.self.id,
      timeMs: this.#clock.nowMs(),
      oldestLive: layouts.oldestNumber,
      attributesOf: (id) => members.byId(id)?.record ?? null,
    };
    return {
      current: layouts.current,
      reading: layouts.reading,
      staged: staged.entries(),
      context,
      memberById: (id) => members.byId(id),
    };
  }

  #set(wishes: readonly Wish[]): Staging {
    const sentence = this.#state.staged.set(wishes);
    return sentence === "" ? { status: "done" } : { status: "unable", sentence };
  }

  // From what was asked to what is staged; a text says why it cannot be.

  #wishOf(order: Order): Wish | string {
    if (order.change === "join") return this.#joinWish(order.node);
    const member = this.#memberOf(order.node);
    if (member === undefined) return `There is no member ${order.node}, wanted is a name or an id`;
    const isOwner = this.#state.layouts.current.indexOf(member.id) >= 0;
    if (!isOwner && order.change !== "remove") {
      return `${member.name} is leaving already; remove it where it is dead`;
    }
    switch (order.change) {
      case "leave":
        return { ...NO_WISH, node: member.id, kind: "leave" };
      case "remove":
        return removeWish(member);
      case "replace":
        return this.#replaceWish(member, order.by);
      case "change":
        return this.#changeWish(member, order.capacity, order.zone);
    }
  }

  #joinWish(node: string): Wish | string {
    const applicant = this.#applicantOf(node);
    if (applicant === undefined) return noApplicant(node);
    const { attributes } = applicant;
    return { ...NO_WISH, node: applicant.node, kind: "join", attributes };
  }

  #replaceWish(member: Member, by: string): Wish | string {
    const applicant = this.#applicantOf(by);
    if (applicant === undefined) return noApplicant(by);
    const drains = member.healthy;
    return { ...NO_WISH, node: member.id, kind: "replace", by: applicant.node, drains };
  }

  #changeWish(member: Member, capacity = 0, zone: string | null = null): Wish | string {
    if (capacity === 0 && zone === null) return "Neither a capacity nor a zone is given";
    if (!Number.isInteger(capacity) || capacity < 0 || capacity > CAPACITY_MAX) {
      return `The capacity is ${capacity}, wanted is a whole number from 1 to ${CAPACITY_MAX}`;
    }
    if (zone !== null && zone.length > ZONE_CHARS_MAX) {
      return `The zone is ${zone.length} characters, wanted are at most ${ZONE_CHARS_MAX}`;
    }
    const before = this.#state.staged.of(member.id);
    const former = before?.kind === "change" ? before : NO_WISH;
    return {
      ...NO_WISH,
      node: member.id,
      kind: "change",
      capacity: capacity === 0 ? former.capacity : capacity,
      zone: zone ?? former.zone,
    };
  }

  #memberOf(text: string): Member | undefined {
    return this.#state.members.present.find(({ id, name }) => id === text || name === text);
  }

  #applicantOf(text: string): StagedChange | undefined {
    return this.#state.staged.entries().find((entry) => {
      return entry.attributes !== null && this.#isAbout(entry, text);
    });
  }

  #isAbout({ node, attributes }: StagedChange, text: string): boolean {
    const name = attributes?.name ?? this.#state.members.byId(node)?.name;
    return node === text || name === text;
  }
}

function removeWish(member: Member): Wish | string {
  if (member.isSelf) return `${member.name} is the node that was asked, and it lives: let it leave`;
  if (member.healthy) return `${member.name} answers: let it leave, or stop it first`;
  return { ...NO_WISH, node: member.id, kind: "remove" };
}

function noApplicant(node: string): string {
  return `No node ${node} asks to be let in: start it with --join-staged first`;
}

function staleSentence(seen: number, current: number): string {
  return `Layout ${seen} was looked at, and layout ${current} is the newest: look at the plan again`;
}
