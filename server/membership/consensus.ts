/**
 * Which layout gets the next number: single-decree Paxos, one decree a number, among the nodes of
 * the layout before it.
 *
 *   proposer                                 acceptors: the nodes of layout n - 1
 *     layout-prepare {number n, ballot} ──►  promise, and what was voted for   a majority
 *     layout-accept  {n, ballot, value} ──►  vote                              a majority: decided
 *     layout-decided {value}            ──►  taken in; who misses it hears it by gossip
 *
 * So there are never two layouts with one number: two majorities of layout n - 1 share a node, and
 * layout n - 1 is one and the same for all, by the same argument. A change is a function of the
 * layout that it finds: when another value is decided for the number, it is applied anew to that
 * one and proposed under the next. An acceptor need not know layout n - 1; who counts the votes
 * does.
 *
 * A vote counts only from the disk that layout n - 1 names (`since`): a node that lost its disk has
 * forgotten what it promised, and votes again from the layout on that takes it back. In a cluster
 * of two that would be the end, as the other one alone is no majority; but there every decision
 * needed *both* votes, so the survivor's memory is complete, and it takes its fellow back alone.
 *
 * By force, an administrator takes the word of those nodes that the change removes away: a majority
 * of the others decides then. It is his word that the removed ones are dead; if they live and are
 * more, they may decide on another layout of the same number.
 *
 * Paxos Made Simple (2001); the founder of a cluster is its own majority.
 */

import type { Timer } from "../ports/clock.ts";
import type { Ports } from "../ports/ports.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import type { ClusterState } from "./cluster-state.ts";
import { Fields, MalformedDocument } from "./document.ts";
import type { Identity } from "./identity.ts";
import { decodeLayout, type Layout, type LayoutNode } from "./layout.ts";
import { LIVE_LAYOUTS_LIMIT, LIVE_LAYOUTS_MAX } from "./layouts.ts";
import {
  type Accepted,
  type Ballot,
  compareBallots,
  LAYOUT_BYTES_MAX,
  readAccepted,
  readBallot,
  type VoteAnswer,
  type Votes,
} from "./votes.ts";

/** How long a proposal tries before it says that it has no majority. */
export const PROPOSAL_MS_MAX = 10_000;
/** How long one message waits for its answer. */
const PHASE_TIMEOUT_MS = 1_500;
/** Pause before the next ballot, doubling, half of it random: two proposers get out of step. */
const RETRY_MS_MIN = 40;
const RETRY_MS_MAX = 1_280;

/** Makes the next layout from the current one; null: nothing to change; text: why it may not. */
export type LayoutChange = (current: Layout) => Layout | null | string;

export type ProposalOutcome =
  | { readonly status: "done" }
  | { readonly status: "refused"; readonly sentence: string }
  /** Too few of the current layout's nodes answered; it may yet happen. */
  | { readonly status: "minority"; readonly sentence: string };

interface Proposal {
  readonly change: LayoutChange;
  readonly done: (outcome: ProposalOutcome) => void;
  readonly deadlineMs: number;
  /** Whether the nodes that the change removes have no vote. */
  readonly isForced: boolean;
  retryMs: number;
}

export class Consensus {
  readonly #ports: Ports;
  readonly #peers: Peers;
  readonly #identity: Identity;
  readonly #state: ClusterState;
  readonly #votes: Votes;
  readonly #queue: Proposal[] = [];
  #ballot: Ballot | null = null;
  #roundMax = 0;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(
    ports: Ports,
    peers: Peers,
    identity: Identity,
    state: ClusterState,
    votes: Votes,
  ) {
    this.#ports = ports;
    this.#peers = peers;
    this.#identity = identity;
    this.#state = state;
    this.#votes = votes;
    this.#serve("layout-prepare", (fields) => this.#answerPrepare(fields));
    this.#serve("layout-accept", (fields) => this.#answerAccept(fields));
    this.#serve("layout-decided", (fields) => this.#answerDecided(fields));
  }

  /** Proposals of this node wait for each other. REQUIRES: this node is a member. */
  propose(
    change: LayoutChange,
    done: (outcome: ProposalOutcome) => void,
    isForced = false,
  ): void {
    const deadlineMs = this.#ports.clock.elapsedMs() + PROPOSAL_MS_MAX;
    this.#queue.push({ change, done, deadlineMs, isForced, retryMs: RETRY_MS_MIN });
    if (this.#queue.length === 1) this.#begin();
  }

  /** Ends without calling anybody back. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#queue.length = 0;
  }

  // The proposer.

  /** Tries the proposal at the head of the queue under the next number. */
  #begin(): void {
    const proposal = this.#queue[0];
    if (proposal === undefined || this.#stopped) return;
    const { current, live } = this.#state.layouts;
    const next = proposal.change(current);
    if (next === null) this.#end({ status: "done" });
    else if (typeof next === "string") this.#end({ status: "refused", sentence: next });
    else if (live.length >= liveMaxFor(next)) this.#end(tooManyLive(live[0]));
    else if (this.#ports.clock.elapsedMs() > proposal.deadlineMs) this.#end(minority(current));
    else new Attempt(this, this.#nextBallot(), current, next, proposal.isForced).prepare();
  }

  #nextBallot(): Ballot {
    this.#roundMax++;
    this.#ballot = { round: this.#roundMax, node: this.#identity.nodeId };
    return this.#ballot;
  }

  #end(outcome: ProposalOutcome): void {
    const ended = this.#queue.shift();
    this.#ballot = null;
    ended?.done(outcome);
    this.#begin();
  }

  /** Whether the attempt with this ballot is the one under way, and its number still open. */
  isOpen(attempt: Attempt): boolean {
    if (this.#stopped || this.#ballot !== attempt.ballot) return false;
    return this.#state.layouts.newestNumber < attempt.number;
  }

  /** The attempt is over without a decision: again, after a pause unless the number is decided. */
  retry(attempt: Attempt): void {
    const proposal = this.#queue[0];
    if (proposal === undefined || this.#stopped || this.#ballot !== attempt.ballot) return;
    this.#ballot = null;
    const half = proposal.retryMs / 2;
    const pauseMs = half + this.#ports.random.below(half + 1);
    proposal.retryMs = Math.min(2 * proposal.retryMs, RETRY_MS_MAX);
    const isDecided = this.#state.layouts.newestNumber >= attempt.number;
    this.#timer = this.#ports.clock.after(isDecided ? 0 : pauseMs, () => this.#begin());
  }

  /** A value has its majority. */
  decided(attempt: Attempt, value: Uint8Array): void {
    this.#adopt(value);
    for (const node of attempt.voters) {
      this.send(node, "layout-decided", { value }, () => {});
    }
    if (this.#ballot !== attempt.ballot) return;
    if (value === attempt.ownValue) this.#end({ status: "done" });
    else this.retry(attempt);
  }

  sawRound(round: number): void {
    this.#roundMax = Math.max(this.#roundMax, round);
  }

  /** Takes in a decided layout. @throws MalformedDocument */
  #adopt(value: Uint8Array): void {
    const layout = decodeLayout(value);
    if (layout.clusterId !== this.#identity.clusterId()) {
      throw new MalformedDocument(`layout is of cluster ${layout.clusterId}`);
    }
    this.#state.adoptDecided(layout);
    this.#votes.forgetUpTo(this.#state.durableNewest);
  }

  /** Asks one voter; this node itself is asked without a message. */
  send(
    node: LayoutNode,
    type: string,
    body: Record<string, unknown>,
    done: (fields: Fields | null) => void,
  ): void {
    if (node.id === this.#identity.nodeId) {
      if (type !== "layout-decided") this.#ports.clock.soon(() => done(this.#askSelf(type, body)));
      return;
    }
    const address = this.#state.members.byId(node.id)?.address ?? node.address;
    const peer = this.#peers.peer(node.id, address);
    peer.call(type, body, PHASE_TIMEOUT_MS, (reply, error) => {
      if (!this.#stopped) done(error === "" ? readFields(reply) : null);
    });
  }

  #askSelf(type: string, body: Record<string, unknown>): Fields {
    const fields = new Fields(body);
    const prepares = type === "layout-prepare";
    return new Fields(prepares ? this.#answerPrepare(fields) : this.#answerAccept(fields));
  }

  /** Takes in what a voter says was decided already. */
  learn(fields: Fields): void {
    try {
      for (const value of fields.list("decided", LIVE_LAYOUTS_LIMIT)) {
        if (value instanceof Uint8Array) this.#adopt(value);
      }
    } catch (error) {
      if (!(error instanceof MalformedDocument)) throw error;
      this.#ports.log.warn("A peer told a malformed layout", { reason: error.message });
    }
  }

  // The acceptor.

  #serve(type: string, answer: (fields: Fields) => Record<string, unknown>): void {
    this.#peers.onMessage(type, (body, from, reply, refuse) => {
      if (!this.#mayAsk(from)) {
        refuse("Only members of this cluster decide on layouts");
        return;
      }
      try {
        reply(answer(new Fields(body)));
      } catch (error) {
        if (!(error instanceof MalformedDocument)) throw error;
        refuse(`Message ${type} is malformed: ${error.message}`);
      }
    });
  }

  #mayAsk(from: PeerIdentity): boolean {
    return !this.#stopped && from.role === "peer" && this.#identity.since > 0;
  }

  #answerPrepare(fields: Fields): Record<string, unknown> {
    const number = fields.whole("number", 1);
    const ballot = readBallot(fields.fields("ballot"));
    this.sawRound(ballot.round);
    if (number <= this.#state.layouts.newestNumber) return this.#decidedFrom(number);
    return this.#document(this.#votes.prepare(number, ballot));
  }

  #answerAccept(fields: Fields): Record<string, unknown> {
    const number = fields.whole("number", 1);
    const ballot = readBallot(fields.fields("ballot"));
    const value = fields.bytes("value", LAYOUT_BYTES_MAX);
    if (number <= this.#state.layouts.newestNumber) return this.#decidedFrom(number);
    if (decodeLayout(value).number !== number) {
      throw new MalformedDocument(`value is not a layout of number ${number}`);
    }
    return this.#document(this.#votes.accept(number, ballot, value));
  }

  #answerDecided(fields: Fields): Record<string, unknown> {
    this.#adopt(fields.bytes("value", LAYOUT_BYTES_MAX));
    return {};
  }

  #decidedFrom(number: number): Record<string, unknown> {
    const later = this.#state.layouts.live.filter((layout) => layout.number >= number);
    return { decided: later.map((layout) => layout.bytes) };
  }

  #document(answer: VoteAnswer): Record<string, unknown> {
    return { ...answer, since: this.#identity.since };
  }
}

/** One ballot for one number, through both phases. */
class Attempt {
  readonly ballot: Ballot;
  readonly number: number;
  readonly voters: readonly LayoutNode[];
  readonly ownValue: Uint8Array;
  readonly #consensus: Consensus;
  readonly #majority: number;
  #phase: "prepare" | "accept" | "over" = "prepare";
  #yes = 0;
  #answers = 0;
  #found: Accepted | null = null;

  constructor(
    consensus: Consensus,
    ballot: Ballot,
    current: Layout,
    next: Layout,
    isForced: boolean,
  ) {
    this.#consensus = consensus;
    this.ballot = ballot;
    this.number = next.number;
    this.voters = isForced ? survivors(current, next) : current.nodes;
    this.ownValue = next.bytes;
    this.#majority = majorityOf(this.voters, next, ballot.node);
  }

  prepare(): void {
    this.#ask("prepare", "layout-prepare", {});
  }

  #accept(): void {
    this.#ask("accept", "layout-accept", { value: this.#found?.value ?? this.ownValue });
  }

  #ask(phase: "prepare" | "accept", type: string, body: Record<string, unknown>): void {
    this.#phase = phase;
    this.#yes = 0;
    this.#answers = 0;
    const { number, ballot } = this;
    for (const node of this.voters) {
      this.#consensus.send(node, type, { number, ballot, ...body }, (fields) => {
        if (this.#phase !== phase) return;
        this.#answers++;
        if (fields !== null && this.#isYes(node, fields)) this.#yes++;
        this.#advance();
      });
    }
  }

  /** Whether this is a vote that counts; learns what it brings. */
  #isYes(node: LayoutNode, fields: Fields): boolean {
    try {
      if (fields.has("decided")) this.#consensus.learn(fields);
      if (fields.has("promised")) {
        this.#consensus.sawRound(readBallot(fields.fields("promised")).round);
      }
      if (fields.raw("status") !== "yes" || fields.raw("since") !== node.since) return false;
      if (this.#phase === "prepare" && fields.has("accepted")) {
        this.#find(readAccepted(fields.fields("accepted")));
      }
      return true;
    } catch (error) {
      if (error instanceof MalformedDocument) return false;
      throw error;
    }
  }

  /** Somebody has voted for a value: the one of the greatest ballot must be proposed on. */
  #find(accepted: Accepted): void {
    if (this.#found !== null && compareBallots(accepted.ballot, this.#found.ballot) <= 0) return;
    if (decodeLayout(accepted.value).number !== this.number) {
      throw new MalformedDocument(`the value voted for is not a layout of number ${this.number}`);
    }
    this.#found = accepted;
  }

  #advance(): void {
    if (!this.#consensus.isOpen(this)) this.#giveUp();
    else if (this.#yes >= this.#majority && this.#phase === "prepare") this.#accept();
    else if (this.#yes >= this.#majority) this.#decide();
    else if (this.#yes + this.voters.length - this.#answers < this.#majority) this.#giveUp();
  }

  #giveUp(): void {
    this.#phase = "over";
    this.#consensus.retry(this);
  }

  #decide(): void {
    this.#phase = "over";
    this.#consensus.decided(this, this.#found?.value ?? this.ownValue);
  }
}

/** Votes that decide: more than half; in a layout of two, one may take the other back alone. */
function majorityOf(voters: readonly LayoutNode[], next: Layout, proposer: string): number {
  const takesBack = next.events.some(
    (event) => event.kind === "returned" && event.member !== proposer,
  );
  if (voters.length === 2 && takesBack && voters.some(({ id }) => id === proposer)) return 1;
  return Math.floor(voters.length / 2) + 1;
}

/** The nodes of the current layout that the next one does not take for dead. */
function survivors(current: Layout, next: Layout): LayoutNode[] {
  const dead = new Set(next.events.filter(({ kind }) => kind === "removed").map((e) => e.member));
  return current.nodes.filter(({ id }) => !dead.has(id));
}

function liveMaxFor(next: Layout): number {
  const takesBack = next.events.some((event) => event.kind === "returned");
  return takesBack ? LIVE_LAYOUTS_LIMIT : LIVE_LAYOUTS_MAX;
}

function minority(current: Layout): ProposalOutcome {
  const sentence = `No majority of the ${current.nodes.length} nodes of layout ${current.number} ` +
    "answered, wanted is one to change the layout";
  return { status: "minority", sentence };
}

function tooManyLive(oldest: Layout): ProposalOutcome {
  const sentence = `${LIVE_LAYOUTS_MAX} layouts are live, the oldest is ${oldest.number}: ` +
    "wait until every member has taken over what the newer ones gave it";
  return { status: "refused", sentence };
}

function readFields(reply: unknown): Fields | null {
  try {
    return new Fields(reply);
  } catch (error) {
    if (error instanceof MalformedDocument) return null;
    throw error;
  }
}
