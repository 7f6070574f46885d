/**
 * Gossip: every second this node and one other make their states equal.
 *
 *   A                                            B
 *     gossip {hash of A's digest}           ──►
 *     ◄──  {wall clock}                          equal: that was all
 *     ◄──  {wall clock, B's digest}              else
 *     gossip-delta {what B lacks, A's digest} ─►  merges
 *     ◄──  {what A lacks}                        A merges
 *
 * So news reaches all of n nodes in O(log n) rounds, and equal states cost a few dozen bytes. What
 * this node itself has to say does not wait for the round: it is offered to a few members at once,
 * which in a small cluster is all of them.
 *
 * A node that has left or was removed hears so from whomever it asks, by the field `gone` beside the
 * answer: who says it has all that the node had to say (departure.ts says how many have to).
 *
 * Now and then the round goes to somebody whom it would not choose: a suspected member, or a removed
 * one (who learns of it so).
 *
 * A *strange* seed is one whose address no member has. It may be an alias; but it may be a member that
 * has got a new address, and so may have all others. Strange seeds are asked at the start, and beside
 * each round as long as some member is not heard of.
 */

import type { Timer } from "../ports/clock.ts";
import type { Ports } from "../ports/ports.ts";
import type { Peer, PeerIdentity, Peers } from "../wire/peers.ts";
import type { ClusterState } from "./cluster-state.ts";
import { Fields, MalformedDocument } from "./document.ts";
import { isGone, type Member } from "./member.ts";
import type { ClockSkew } from "./skew.ts";

export const ROUND_MS = 1_000;
/** Rounds are this much shorter or longer, by chance, so that nodes do not march in step. */
const ROUND_JITTER_MS = 200;
/** Own news is offered to this many members … */
const NEWS_PEERS = 3;
/** … after this pause, in which more of it may gather. */
const NEWS_DELAY_MS = 40;
const GOSSIP_TIMEOUT_MS = 2_000;
/** One round in so many goes to somebody unhealthy or removed. */
const ODD_ROUND = 8;
/** So many strange seeds are asked at once. */
const SEEDS_AT_ONCE = 3;

export class Gossip {
  readonly #ports: Ports;
  readonly #peers: Peers;
  readonly #state: ClusterState;
  readonly #skew: ClockSkew;
  readonly #seeds: readonly string[];
  readonly #beforeRound: () => void;
  readonly #onGone: (teller: string) => void;
  #roundTimer: Timer | null = null;
  #newsTimer: Timer | null = null;
  #running = false;
  #rounds = 0;

  /**
   * @param beforeRound puts into the state what this node has to say
   * @param onGone the member with this id says that this node is none any more
   */
  constructor(
    ports: Ports,
    peers: Peers,
    state: ClusterState,
    skew: ClockSkew,
    seeds: readonly string[],
    beforeRound: () => void,
    onGone: (teller: string) => void,
  ) {
    this.#ports = ports;
    this.#peers = peers;
    this.#state = state;
    this.#skew = skew;
    this.#seeds = seeds;
    this.#beforeRound = beforeRound;
    this.#onGone = onGone;
    this.#serve("gossip", (fields) => this.#answerHash(fields));
    this.#serve("gossip-delta", (fields) => this.#answerDelta(fields));
  }

  /** Rounds since the start. */
  get rounds(): number {
    return this.#rounds;
  }

  /** REQUIRES: this node is a member. */
  start(): void {
    this.#running = true;
    this.#scheduleRound();
    this.spreadNews();
    this.#askStrangeSeeds();
  }

  stop(): void {
    this.#running = false;
    this.#roundTimer?.cancel();
    this.#newsTimer?.cancel();
    this.#newsTimer = null;
  }

  /** Offers what this node has to say to a few members, soon. */
  spreadNews(): void {
    if (!this.#running || this.#newsTimer !== null) return;
    this.#newsTimer = this.#ports.clock.after(NEWS_DELAY_MS, () => {
      this.#newsTimer = null;
      for (const member of this.#some(this.#healthyOthers(), NEWS_PEERS)) this.exchangeWith(member);
    });
  }

  /** Makes the states of this node and of all healthy members equal; calls back at the end. */
  exchangeWithAll(done: () => void): void {
    const peers = this.#healthyOthers().flatMap((member) => member.peer ?? []);
    let left = peers.length;
    if (left === 0) done();
    for (const peer of peers) {
      this.#exchange(peer, () => {
        if (--left === 0) done();
      });
    }
  }

  /** Makes the states of this node and a member equal. */
  exchangeWith(member: Member): void {
    if (member.peer !== null) this.#exchange(member.peer, () => {});
  }

  #scheduleRound(): void {
    const delayMs = ROUND_MS - ROUND_JITTER_MS + this.#ports.random.below(2 * ROUND_JITTER_MS + 1);
    this.#roundTimer = this.#ports.clock.after(delayMs, () => this.#round());
  }

  #round(): void {
    this.#scheduleRound();
    this.#rounds++;
    this.#beforeRound();
    this.#state.layouts.evaluate();
    if (this.#missesSomebody()) this.#askStrangeSeeds();
    const healthy = this.#healthyOthers();
    const isOdd = healthy.length === 0 || this.#ports.random.below(ODD_ROUND) === 0;
    const doubted = this.#state.members.everyone.filter(
      (member) => !member.healthy || isGone(member.status),
    );
    const others = isOdd && doubted.length > 0 ? doubted : healthy;
    for (const member of this.#some(others, 1)) this.exchangeWith(member);
  }

  #missesSomebody(): boolean {
    return this.#state.members.present.some((member) => !member.healthy);
  }

  #askStrangeSeeds(): void {
    if (this.#seeds.length === 0) return;
    const known = new Set(this.#state.members.everyone.map((member) => member.address));
    const strange = this.#seeds.filter((address) => !known.has(address));
    for (const address of this.#some(strange, SEEDS_AT_ONCE)) this.#askSeed(address);
  }

  #askSeed(address: string): void {
    const link = this.#peers.connectTo(address, "peer");
    this.#exchange(link, () => link.close("the exchange is over"));
  }

  #healthyOthers(): Member[] {
    return this.#state.members.present.filter((member) => !member.isSelf && member.healthy);
  }

  /** Up to `count` of these, chosen by chance. */
  #some<T>(all: readonly T[], count: number): T[] {
    const left = [...all];
    const chosen: T[] = [];
    while (chosen.length < count && left.length > 0) {
      chosen.push(...left.splice(this.#ports.random.below(left.length), 1));
    }
    return chosen;
  }

  // The asking side.

  #exchange(peer: Peer, over: () => void): void {
    const sentMs = this.#ports.clock.elapsedMs();
    const question = { hash: this.#state.digestHash() };
    peer.call("gossip", question, GOSSIP_TIMEOUT_MS, (reply, error) => {
      const compare = () => this.#compare(peer, new Fields(reply), sentMs, over);
      if (error !== "" || !this.#running) over();
      else this.#checked("gossip", compare, over);
    });
  }

  #compare(peer: Peer, reply: Fields, sentMs: number, over: () => void): void {
    const nowMs = this.#ports.clock.elapsedMs();
    this.#skew.measured(peer.id, reply.whole("wallMs", 0), sentMs, nowMs);
    if (!reply.has("digest")) {
      if (reply.raw("gone") === true) this.#onGone(peer.id);
      over();
      return;
    }
    const delta = this.#state.deltaFor(reply.raw("digest"));
    const message = { delta, digest: this.#state.digest() };
    peer.call("gossip-delta", message, GOSSIP_TIMEOUT_MS, (answer, error) => {
      const merge = () => {
        const fields = new Fields(answer);
        this.#state.merge(fields.raw("delta"));
        if (fields.raw("gone") === true) this.#onGone(peer.id);
      };
      if (error === "" && this.#running) this.#checked("gossip-delta", merge, () => {});
      over();
    });
  }

  /** Runs what reads a peer's words; malformed ones end in the log, and in `otherwise`. */
  #checked(what: string, run: () => void, otherwise: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof MalformedDocument)) throw error;
      this.#ports.log.warn("A peer's gossip is malformed", { what, reason: error.message });
      otherwise();
    }
  }

  // The answering side.

  #serve(type: string, answer: (fields: Fields) => Record<string, unknown>): void {
    this.#peers.onMessage(type, (body, from: PeerIdentity, reply, refuse) => {
      if (!this.#running || from.role !== "peer") {
        refuse("This node does not gossip with others than members of its cluster");
        return;
      }
      try {
        const content = answer(new Fields(body));
        reply(this.#isGone(from) ? { ...content, gone: true } : content);
      } catch (error) {
        if (!(error instanceof MalformedDocument)) throw error;
        refuse(`Message ${type} is malformed: ${error.message}`);
      }
    });
  }

  #isGone({ nodeId }: PeerIdentity): boolean {
    const member = nodeId === null ? undefined : this.#state.members.byId(nodeId);
    return member !== undefined && isGone(member.status);
  }

  #answerHash(fields: Fields): Record<string, unknown> {
    const theirs = fields.bytes("hash", 64);
    const ours = this.#state.digestHash();
    const wallMs = this.#ports.clock.nowMs();
    const equal = theirs.length === ours.length && ours.every((byte, at) => byte === theirs[at]);
    return equal ? { wallMs } : { wallMs, digest: this.#state.digest() };
  }

  #answerDelta(fields: Fields): Record<string, unknown> {
    this.#state.merge(fields.raw("delta"));
    return { delta: this.#state.deltaFor(fields.raw("digest")) };
  }
}
