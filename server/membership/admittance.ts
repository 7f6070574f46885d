/**
 * The inner side of a join: a member lets nodes in.
 *
 *   join {incarnation, attributes}   ──►  waits with the others that ask at the moment
 *                                         one layout lets all of them in (consensus.ts)
 *   ◄── {node, since, state}              the id that it is a member by, and all that members know
 *
 * Asking again is harmless: who is in already, with the disk that asks, gets the answer at once.
 * A node that comes with `staged` is let in by an administrator: it is put among the staged changes
 * (staged.ts) and told to wait; it asks again until it is in.
 *
 * Who has the name and the address of a member but another incarnation, while that member does not
 * answer, is that member with its disk lost: it gets the id back. The same name at another address
 * is refused.
 */

import type { Clock } from "../ports/clock.ts";
import type { Peers } from "../wire/peers.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { Consensus } from "./consensus.ts";
import { Fields, MalformedDocument } from "./document.ts";
import type { Admission, Layout } from "./layout.ts";
import { layoutWith } from "./layout-change.ts";
import { type Member, type NodeAttributes, readAttributes } from "./member.ts";
import { NO_WISH } from "./staged.ts";

/** Nodes that may wait to be let in. */
const WAITING_MAX = 256;
/** A join waits so long for others to come with it: three nodes at once make one layout. */
const GATHER_MS = 20;

interface Applicant {
  readonly incarnation: string;
  readonly attributes: NodeAttributes;
  readonly reply: (value: unknown) => void;
  readonly refuse: (sentence: string) => void;
}

export interface AdmittanceParts {
  readonly clock: Clock;
  readonly peers: Peers;
  readonly state: ClusterState;
  readonly consensus: Consensus;
  readonly selfId: () => string;
  /** Whether this node may let others in. */
  readonly isMember: () => boolean;
  /** Finds out whether a member answers. */
  readonly ask: (member: Member) => void;
}

export class Admittance {
  readonly #clock: Clock;
  readonly #selfId: () => string;
  readonly #state: ClusterState;
  readonly #consensus: Consensus;
  readonly #ask: (member: Member) => void;
  #waiting: Applicant[] = [];
  #proposing = false;

  constructor(parts: AdmittanceParts) {
    const { clock, peers, selfId, state, consensus, isMember, ask } = parts;
    this.#clock = clock;
    this.#selfId = selfId;
    this.#state = state;
    this.#consensus = consensus;
    this.#ask = ask;
    peers.onMessage("join", (body, from, reply, refuse) => {
      if (from.role === "client") refuse("A client cannot join: that is for nodes");
      else if (isMember()) this.#applied(body, reply, refuse);
      else refuse("This node is no member itself yet: ask again");
    });
  }

  #applied(
    body: unknown,
    reply: (value: unknown) => void,
    refuse: (sentence: string) => void,
  ): void {
    if (this.#waiting.length >= WAITING_MAX) {
      refuse(`${WAITING_MAX} nodes wait to be let in already: ask again`);
      return;
    }
    try {
      const fields = new Fields(body);
      const incarnation = fields.nodeId("incarnation");
      const attributes = readAttributes(fields);
      if (fields.raw("staged") === true && this.#mustWait(incarnation, attributes)) {
        refuse(this.#stage(incarnation, attributes));
        return;
      }
      this.#waiting.push({ incarnation, attributes, reply, refuse });
      this.#proposeSoon();
    } catch (error) {
      if (!(error instanceof MalformedDocument)) throw error;
      refuse(`Message join is malformed: ${error.message}`);
    }
  }

  /** Not in yet, and no member that comes back without its disk. */
  #mustWait(incarnation: string, attributes: NodeAttributes): boolean {
    const { layouts } = this.#state;
    if (findIncarnation(layouts.current, incarnation) !== null) return false;
    return this.#idFor(incarnation, attributes) === incarnation || !this.#isBack(attributes);
  }

  #isBack({ name, address }: NodeAttributes): boolean {
    return this.#state.members.present.some((one) => one.name === name && one.address === address);
  }

  /** Puts an applicant among the staged changes; answers what it is told. */
  #stage(incarnation: string, attributes: NodeAttributes): string {
    const { staged, members } = this.#state;
    const known = staged.of(incarnation);
    const { name } = attributes;
    const isNamesake = ({ node, attributes: other }: { node: string; attributes: unknown }) => {
      return node !== incarnation && (other as NodeAttributes | null)?.name === name;
    };
    const namesake = members.present.find((member) => member.name === name);
    const isTaken = namesake !== undefined || staged.entries().some(isNamesake);
    const kind = known?.kind ?? (isTaken ? "waiting" : "join");
    if (known === undefined || JSON.stringify(known.attributes) !== JSON.stringify(attributes)) {
      const trouble = staged.set([{ ...NO_WISH, node: incarnation, kind, attributes }]);
      if (trouble !== "") return trouble;
    }
    if (kind === "join") return "It waits until an administrator commits it (halo cluster commit)";
    if (namesake !== undefined) {
      return `A member is named "${name}": it waits to replace that one (halo cluster replace)`;
    }
    return "It waits until an administrator stages it (halo cluster join)";
  }

  #proposeSoon(): void {
    if (this.#proposing || this.#waiting.length === 0) return;
    this.#proposing = true;
    this.#clock.after(GATHER_MS, () => {
      this.#consensus.propose((current) => this.#change(current), (outcome) => {
        this.#proposing = false;
        this.#settle(outcome.status === "done" ? "" : outcome.sentence);
        this.#proposeSoon();
      });
    });
  }

  /** The layout that lets in all who may come in and are not; null where there are none. */
  #change(current: Layout): Layout | null {
    const admissions = new Map<string, Admission>();
    for (const { incarnation, attributes } of this.#waiting) {
      if (findIncarnation(current, incarnation) !== null) continue;
      const id = this.#idFor(incarnation, attributes);
      if (typeof id !== "string") continue;
      const rival = [...admissions.values()].some(
        (other) => other.id === id || other.attributes.name === attributes.name,
      );
      if (!rival) admissions.set(id, { id, incarnation, attributes });
    }
    if (admissions.size === 0) return null;
    return layoutWith(current, [...admissions.values()], {
      issuer: this.#selfId(),
      timeMs: this.#clock.nowMs(),
      oldestLive: this.#state.layouts.oldestNumber,
      attributesOf: (id) => this.#state.members.byId(id)?.record ?? null,
    });
  }

  /** The id by which an applicant becomes a member, or why it may not. */
  #idFor(incarnation: string, attributes: NodeAttributes): string | { sentence: string } {
    const { name, address } = attributes;
    const namesake = this.#state.members.present.find((member) => member.name === name);
    if (namesake === undefined) return incarnation;
    if (namesake.address !== address) return { sentence: nameTaken(namesake) };
    if (namesake.status === "leaving") return { sentence: stillLeaving(namesake) };
    if (!namesake.healthy) return namesake.id;
    this.#ask(namesake);
    return { sentence: stillThere(namesake) };
  }

  /**
   * Answers all who are in now, and those who may not come in.
   * @param trouble why the others are not in; "": they came too late for this layout
   */
  #settle(trouble: string): void {
    const { current } = this.#state.layouts;
    const left: Applicant[] = [];
    for (const applicant of this.#waiting) {
      const node = findIncarnation(current, applicant.incarnation);
      const id = node === null ? this.#idFor(applicant.incarnation, applicant.attributes) : node.id;
      if (node !== null) {
        const state = this.#state.wholeDocument();
        applicant.reply({ node: node.id, since: node.since, state });
      } else if (typeof id !== "string") applicant.refuse(id.sentence);
      else if (trouble !== "") applicant.refuse(trouble);
      else left.push(applicant);
    }
    this.#waiting = left;
  }
}

function findIncarnation(layout: Layout, incarnation: string) {
  return layout.nodes.find((node) => node.incarnation === incarnation) ?? null;
}

function nameTaken(namesake: Member): string {
  return `A member named "${namesake.name}" exists at ${namesake.address}; ` +
    "give another --name or replace it";
}

function stillLeaving(namesake: Member): string {
  return `The member named "${namesake.name}" is leaving, and its data directory is another one; ` +
    "remove it first or give another --name";
}

function stillThere(namesake: Member): string {
  return `A member named "${namesake.name}" at ${namesake.address} answers from another ` +
    "data directory; stop it first or give another --name";
}
