/**
 * This node's votes on layouts: the acceptor of single-decree Paxos, one decree a layout number.
 * File `votes.cbor` in the data directory.
 *
 *   promised(n)   the greatest ballot that was asked for number n: no smaller one is served now
 *   accepted(n)   the value that was voted for last, with its ballot
 *
 * Invariant: an answer leaves only after what it promises is durable. A vote is forgotten only when
 * the layout that was decided for its number, or a later one, is durable at this node.
 *
 * Lamport, "Paxos Made Simple" (2001), section 2.2.
 */

import { type Disk, DiskError } from "../../storage/disk.ts";
import type { Log } from "../ports/log.ts";
import { Fields } from "./document.ts";
import { loadDocument, saveDocument } from "./state-file.ts";

export const VOTES_FILE = "votes.cbor";
/** Numbers that may be open at once: a proposer is never far ahead of its acceptors. */
export const VOTES_MAX = 64;
export const LAYOUT_BYTES_MAX = 2 << 20;

/** Ballots are ordered by round, then by the id of their proposer. */
export interface Ballot {
  readonly round: number;
  readonly node: string;
}

export interface Accepted {
  readonly ballot: Ballot;
  /** A layout's bytes. */
  readonly value: Uint8Array;
}

export type VoteAnswer =
  /** Promised or voted; `accepted` is what had been voted for before. */
  | { readonly status: "yes"; readonly accepted: Accepted | null }
  /** A greater ballot was promised. */
  | { readonly status: "no"; readonly promised: Ballot }
  /** Too many open numbers, or the disk does not take it: as good as no answer. */
  | { readonly status: "unable" };

interface Vote {
  readonly promised: Ballot;
  readonly accepted: Accepted | null;
}

export class Votes {
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #votes = new Map<number, Vote>();

  constructor(disk: Disk, log: Log) {
    this.#disk = disk;
    this.#log = log;
  }

  /** @throws DiskError, MalformedDocument: a node that cannot read its votes must not vote */
  load(): void {
    const document = loadDocument(this.#disk, VOTES_FILE);
    if (document === null) return;
    for (const item of new Fields(document).list("votes", VOTES_MAX)) {
      const fields = new Fields(item);
      const promised = readBallot(fields.fields("promised"));
      const accepted = fields.has("accepted") ? readAccepted(fields.fields("accepted")) : null;
      this.#votes.set(fields.whole("number", 1), { promised, accepted });
    }
  }

  /** Phase 1: promises not to serve smaller ballots, unless a greater one was promised. */
  prepare(number: number, ballot: Ballot): VoteAnswer {
    const vote = this.#votes.get(number);
    if (vote !== undefined && compareBallots(vote.promised, ballot) > 0) {
      return { status: "no", promised: vote.promised };
    }
    const accepted = vote?.accepted ?? null;
    return this.#store(number, vote, { promised: ballot, accepted }, accepted);
  }

  /** Phase 2: votes for a value, unless a greater ballot was promised. */
  accept(number: number, ballot: Ballot, value: Uint8Array): VoteAnswer {
    const vote = this.#votes.get(number);
    if (vote !== undefined && compareBallots(vote.promised, ballot) > 0) {
      return { status: "no", promised: vote.promised };
    }
    const before = vote?.accepted ?? null;
    return this.#store(number, vote, { promised: ballot, accepted: { ballot, value } }, before);
  }

  /** Forgets the votes for decided numbers. REQUIRES: layout `number` is durable. */
  forgetUpTo(number: number): void {
    for (const open of [...this.#votes.keys()]) if (open <= number) this.#votes.delete(open);
  }

  #store(
    number: number,
    before: Vote | undefined,
    after: Vote,
    accepted: Accepted | null,
  ): VoteAnswer {
    if (before === undefined && this.#votes.size >= VOTES_MAX) return { status: "unable" };
    this.#votes.set(number, after);
    try {
      saveDocument(this.#disk, VOTES_FILE, { votes: this.#documents() });
      return { status: "yes", accepted };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (before === undefined) this.#votes.delete(number);
      else this.#votes.set(number, before);
      this.#log.error("Cannot store a vote", { number, reason: error.message });
      return { status: "unable" };
    }
  }

  #documents(): Record<string, unknown>[] {
    const numbers = [...this.#votes.keys()].sort((left, right) => left - right);
    return numbers.map((number) => ({ number, ...this.#votes.get(number) }));
  }
}

/** Below, at or above zero as `left` is smaller than, equal to or greater than `right`. */
export function compareBallots(left: Ballot, right: Ballot): number {
  if (left.round !== right.round) return left.round - right.round;
  if (left.node === right.node) return 0;
  return left.node < right.node ? -1 : 1;
}

/** @throws MalformedDocument */
export function readBallot(fields: Fields): Ballot {
  return { round: fields.whole("round", 1), node: fields.nodeId("node") };
}

/** @throws MalformedDocument */
export function readAccepted(fields: Fields): Accepted {
  const ballot = readBallot(fields.fields("ballot"));
  return { ballot, value: fields.bytes("value", LAYOUT_BYTES_MAX) };
}
