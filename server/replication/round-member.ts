/**
 * What every member does for a round (rounds.ts), asked by its leader (reaper.ts):
 *
 *   round-verify   an owner: which of these sets are not held just so, synced, or not to be forgotten yet?
 *   round-clean    is nothing of these partitions here that is not at its owners? Then it is watched
 *   round-raise    label anew, and wait until requests with the old labels have ended
 *   round-seal     refuse the old labels
 *   round-reap     an owner: forget these sets, where they still are just so
 *   rounds         which labels are used here
 *
 * Each answers what it promises, or refuses with a sentence that names the reason; a refusal ends the round.
 */

import { ObjectName } from "../../core/object-name.ts";
import { headDigestInto } from "../../core/version-set.ts";
import { DiskError } from "../../storage/disk.ts";
import type { Engine } from "../../storage/engine.ts";
import type { Layout } from "../membership/layout.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import { isWords } from "./comparison.ts";
import type { Completeness } from "./completeness.ts";
import type { LocalCopy } from "./local-copy.ts";
import { reapableFromMs } from "./reapable.ts";
import { ENTRY_BYTES, type ListedEntry, readEntries } from "./ranges.ts";
import type { Rounds } from "./rounds.ts";

/** Sets that one round forgets of one partition. */
export const REAPED_MAX = 1_024;

export interface RoundMemberHost {
  readonly isReplica: boolean;
  readonly selfId: string;
  /** All live layouts, oldest first. */
  readonly layouts: readonly Layout[];
  /** Hints that are kept here, for whomever. */
  readonly hintCount: number;
  nowMs(): number;
  readonly reapAfterMs: number;
  /** Calls back when all requests that have begun have ended. */
  drainRequests(done: () => void): void;
  /** Told of the head of each set that is forgotten. */
  onReaped(head: Uint8Array): void;
}

/** Of the head that is looked at; valid within one call. */
const digest = new Uint32Array(2);

/** A step that all members take: the round's id, the layout's number, partitions, and a new label for each. */
export type RoundStep = readonly [string, number, readonly number[], readonly number[]];

type Reply = (value: unknown) => void;
type Refuse = (sentence: string) => void;

export class RoundMember {
  readonly #host: RoundMemberHost;
  readonly #copy: LocalCopy;
  readonly #completeness: Completeness;
  readonly #rounds: Rounds;

  constructor(host: RoundMemberHost, copy: LocalCopy, completeness: Completeness, rounds: Rounds) {
    this.#host = host;
    this.#copy = copy;
    this.#completeness = completeness;
    this.#rounds = rounds;
  }

  serve(peers: Peers): void {
    const on = (type: string, answer: (body: readonly unknown[], reply: Reply, refuse: Refuse) => void): void => {
      peers.onMessage(type, (body, from: PeerIdentity, reply, refuse) => {
        if (from.role !== "peer" || !this.#host.isReplica) return refuse("this node is no replica now");
        return answer(Array.isArray(body) ? (body as unknown[]) : [], reply, refuse);
      });
    };
    on("round-verify", ([partition, listing], reply, refuse) => {
      if (!isListing(partition, listing)) return refuse("round-verify wants a partition and a listing");
      return this.verify(Number(partition), listing, reply, refuse);
    });
    on("round-clean", ([id, layout, partitions], reply, refuse) => {
      const isSound = typeof id === "string" && isWords([layout], 1) && this.#arePartitions(partitions);
      if (!isSound) return refuse("round-clean wants an id, a layout's number and partitions");
      return this.clean(id, Number(layout), partitions, reply, refuse);
    });
    on("round-raise", ([id, layout, partitions, labels], reply, refuse) => {
      if (!this.#isStep(id, layout, partitions, labels)) return refuse("round-raise wants an id, a layout, partitions, labels");
      return this.raise([String(id), Number(layout), partitions as number[], labels as number[]], reply, refuse);
    });
    on("round-seal", ([id, layout, partitions, labels], reply, refuse) => {
      if (!this.#isStep(id, layout, partitions, labels)) return refuse("round-seal wants an id, a layout, partitions, labels");
      return this.seal([String(id), Number(layout), partitions as number[], labels as number[]], reply, refuse);
    });
    on("round-reap", ([partition, listing, label], reply, refuse) => {
      if (!isListing(partition, listing) || !isWords([label], 1)) return refuse("round-reap wants a partition, a listing, a label");
      return this.reap(Number(partition), listing, Number(label), reply, refuse);
    });
    on("rounds", (_body, reply) => reply(this.#rounds.allLabels()));
  }

  /** Places of the listed sets that cannot be forgotten by this owner's leave. */
  verify(partition: number, listing: Uint8Array, reply: Reply, refuse: Refuse): void {
    if (!this.#isPartition(partition) || !this.#completeness.isComplete(partition)) {
      return refuse(`partition ${partition} is not whole here`);
    }
    const { engine } = this.#copy;
    const places: number[] = [];
    readEntries(listing).forEach((entry, index) => {
      if (this.#reapable(engine, entry) === null) places.push(index);
    });
    return engine.sync((isDurable) => {
      if (isDurable) reply(places);
      else refuse("what is held here cannot be synced");
    });
  }

  /** Labels of these partitions, once they are watched. */
  clean(id: string, layout: number, partitions: readonly number[], reply: Reply, refuse: Refuse): void {
    if (!this.#isIn(layout)) return refuse("the layout is changing");
    const dirt = this.#dirt(partitions);
    if (dirt !== "") return refuse(dirt);
    this.#rounds.watch(id, partitions);
    return reply(partitions.map((partition) => this.#rounds.label(partition)));
  }

  raise([id, layout, partitions, labels]: RoundStep, reply: Reply, refuse: Refuse): void {
    const isStanding = (): boolean => this.#isIn(layout) && this.#rounds.isWatched(id, partitions);
    if (!isStanding() || !this.#rounds.raise(partitions, labels)) return refuse("the round is broken here");
    return this.#host.drainRequests(() => {
      if (isStanding()) reply(true);
      else refuse("the round is broken here");
    });
  }

  seal([id, layout, partitions, labels]: RoundStep, reply: Reply, refuse: Refuse): void {
    const isStanding = this.#isIn(layout) && this.#rounds.isWatched(id, partitions);
    if (!isStanding || this.#dirt(partitions) !== "") return refuse("the round is broken here");
    try {
      this.#rounds.seal(partitions, labels);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return refuse(`it cannot be stored here: ${error.message}`);
    }
    return reply(true);
  }

  /** How many of the listed sets were forgotten: what is another one by now stays. */
  reap(partition: number, listing: Uint8Array, label: number, reply: Reply, refuse: Refuse): void {
    if (!this.#isPartition(partition) || !this.#rounds.isSealed(partition, label)) {
      return refuse("the round has not closed here");
    }
    const { engine } = this.#copy;
    let count = 0;
    for (const entry of readEntries(listing)) {
      const found = this.#reapable(engine, entry);
      if (found === null) continue;
      const outcome = engine.remove(new ObjectName(found.name), entry.digest0, entry.digest1);
      if (outcome.status !== "done") return refuse(`a set cannot be forgotten: ${outcome.detail}`);
      this.#host.onReaped(found.head);
      count++;
    }
    return reply(count);
  }

  /** Name and head of a set that is held just so and may be forgotten; null: it is not, or may not. */
  #reapable(engine: Engine, entry: ListedEntry): { readonly name: Uint8Array; readonly head: Uint8Array } | null {
    const outcome = engine.readEntryHead(entry);
    if (outcome.status !== "found") return null;
    const { head } = outcome;
    headDigestInto(head, 0, head.length, digest, 0);
    if (digest[0] !== entry.digest0 || digest[1] !== entry.digest1) return null;
    return reapableFromMs(head, this.#host.reapAfterMs) <= this.#host.nowMs() ? outcome : null;
  }

  /** Why these partitions are not clean here: something is kept that is not at its owners; "": they are. */
  #dirt(partitions: readonly number[]): string {
    const { layouts, hintCount, selfId } = this.#host;
    if (hintCount > 0) return `${hintCount} hints are kept here`;
    for (const partition of partitions) {
      const isOwner = layouts[0].owns(selfId, partition);
      if (isOwner && !this.#completeness.isComplete(partition)) return `partition ${partition} is not whole here`;
      if (isOwner || this.#copy.engine.tree(partition).count === 0) continue;
      return `partition ${partition} has not been given up here yet`;
    }
    return "";
  }

  #isIn(layout: number): boolean {
    const { layouts } = this.#host;
    return layouts.length === 1 && layouts[0].number === layout;
  }

  #isPartition(partition: number): boolean {
    return partition < this.#host.layouts[0].partitions;
  }

  #arePartitions(value: unknown): value is number[] {
    return isWords(value, -1) && value.length <= 1_024 && value.every((one) => this.#isPartition(one));
  }

  #isStep(id: unknown, layout: unknown, partitions: unknown, labels: unknown): boolean {
    return typeof id === "string" && isWords([layout], 1) && this.#arePartitions(partitions) &&
      isWords(labels, partitions.length);
  }
}

function isListing(partition: unknown, listing: unknown): listing is Uint8Array {
  return isWords([partition], 1) && listing instanceof Uint8Array &&
    listing.length % ENTRY_BYTES === 0 && listing.length <= REAPED_MAX * ENTRY_BYTES;
}
