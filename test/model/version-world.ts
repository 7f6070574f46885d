/**
 * A small world of replicas and clients around one object, played at random: what states can be
 * reached.
 *
 *   put, delete    a client through any replica: with no context, the one from its last put, or a
 *                  fresh read; stamps as a hybrid clock draws them, of replicas with wrong clocks
 *   merge          a replica gets another's state, as it is or as it was at some time
 *   twin           a client's last write once more, through another replica, under one request id
 *
 * Each replica holds packed bytes (core/) and the model's state side by side. `written` keeps each
 * version with what its writer had seen: the truth about causality, for judging what may be gone.
 */

import { ENTRY_BYTES, SINGLE } from "../../core/clock-entry.ts";
import { clockIncrement } from "../../core/vector-clock.ts";
import {
  contextAfterPutInto,
  entriesTruncated,
  eventInto,
  eventLengthMax,
} from "../../core/version-event.ts";
import { syncedLengthMax, syncInto } from "../../core/version-sync.ts";
import { clockCount, clockOffset } from "../../core/version-set.ts";
import type { SeededRandom } from "../random.ts";
import { type ModelClock, modelMerge } from "./vector-clock-model.ts";
import {
  dotOf,
  eventModel,
  joinModel,
  type ModelState,
  type ModelVersion,
  nothing,
  packVersion,
} from "./version-set-model.ts";

export interface WorldOptions {
  /** Letters of the replicas' actors. */
  readonly actors: string;
  /** Policies that versions are given, one at random each. */
  readonly policies: readonly number[];
  readonly twins: boolean;
  /**
   * Clock entries beyond which events truncate; then clients carry contexts as core/ makes them.
   */
  readonly entriesMax: number;
}

export interface Snapshot {
  readonly head: Uint8Array;
  readonly state: ModelState;
  /** Dots of the versions whose states have been merged into this one. */
  readonly met: ReadonlySet<string>;
}

export interface Replica {
  readonly actor: string;
  readonly skew: number;
  counter: number;
  head: Uint8Array;
  state: ModelState;
  met: ReadonlySet<string>;
}

export interface Written {
  readonly version: ModelVersion;
  /** What the writer had seen, as the model has it and as the bytes had it. */
  readonly context: ModelClock;
  readonly contextBytes: Uint8Array;
  /** The head that its coordinator held right after. */
  readonly head: Uint8Array;
}

interface Client {
  context: ModelClock;
  contextBytes: Uint8Array;
  last: Written | null;
}

const EMPTY = new Uint8Array(0);
const CLIENTS = 3;

export class VersionWorld {
  readonly replicas: Replica[];
  readonly written: Written[] = [];
  readonly snapshots: Snapshot[] = [{ head: EMPTY, state: nothing, met: new Set() }];
  readonly #random: SeededRandom;
  readonly #options: WorldOptions;
  readonly #clients: Client[];
  #requests = 0;
  #step = 0;
  truncated = 0;

  constructor(random: SeededRandom, options: WorldOptions) {
    this.#random = random;
    this.#options = options;
    this.replicas = [...options.actors].map((actor) => ({
      actor,
      skew: random.below(30),
      counter: 0,
      head: EMPTY,
      state: nothing,
      met: new Set(),
    }));
    this.#clients = Array.from({ length: CLIENTS }, () => ({
      context: new Map(),
      contextBytes: EMPTY,
      last: null,
    }));
  }

  /** Plays one step; returns the replica that changed. */
  step(): Replica {
    this.#step++;
    const replica = this.#pick(this.replicas);
    const client = this.#pick(this.#clients);
    const what = this.#random.below(20);
    if (what < 8) this.#merge(replica, this.#pick(this.snapshots));
    else if (what < 10 && this.#options.twins) this.#writeAgain(replica, client);
    else this.#write(replica, client, what === 19);
    this.snapshots.push({ head: replica.head, state: replica.state, met: replica.met });
    return replica;
  }

  /** Merges the states of all replicas into one. */
  settle(): Snapshot {
    const all = this.replicas[0];
    for (const other of this.replicas) this.#merge(all, other);
    return all;
  }

  #write(replica: Replica, client: Client, tombstone: boolean): void {
    this.#chooseContext(client);
    const policies = this.#options.policies;
    this.#make(replica, client, {
      ...this.#newDot(replica, client),
      policy: policies[this.#random.below(policies.length)],
      tombstone,
      expiryMs: this.#random.chance(1, 30) ? 9 : 0,
      request: this.#random.chance(1, 9) ? 0 : ++this.#requests,
      content: 1 + this.#random.below(1000),
    });
  }

  /** The same write as before, with the context that it was given then, through another replica. */
  #writeAgain(replica: Replica, client: Client): void {
    if (client.last === null) return;
    client.context = client.last.context;
    client.contextBytes = client.last.contextBytes;
    this.#make(replica, client, {
      ...client.last.version,
      ...this.#newDot(replica, client),
    });
  }

  #chooseContext(client: Client): void {
    const choice = this.#random.below(4);
    if (choice === 0) {
      client.context = new Map();
      client.contextBytes = EMPTY;
    } else if (choice < 3) {
      const read = this.#pick(this.replicas);
      client.context = read.state.seen;
      client.contextBytes = clockOf(read.head);
    }
  }

  /** The next dot of the replica, and a stamp beyond all that it or the context has seen. */
  #newDot(replica: Replica, client: Client): { actor: string; counter: number; stamp: number } {
    let stamp = this.#step + replica.skew;
    for (const clock of [replica.state.seen, client.context]) {
      for (const seen of clock.values()) stamp = Math.max(stamp, seen.stamp + 1);
    }
    return { actor: replica.actor, counter: ++replica.counter, stamp };
  }

  #make(replica: Replica, client: Client, version: ModelVersion): void {
    const context = client.context;
    const contextBytes = client.contextBytes;
    const packed = packVersion(version);
    const asPair = this.#random.chance(3, 4) ? 1 : 0;
    const head = eventOn(replica.head, contextBytes, packed, asPair, this.#options.entriesMax);
    this.truncated += entriesTruncated;
    replica.head = head;
    replica.state = eventModel(replica.state, context, version);
    replica.met = new Set([...replica.met, dotOf(version)]);
    const own = new Map([[dotOf(version), { stamp: version.stamp, pinned: false }]]);
    client.context = modelMerge(context, own);
    client.contextBytes = this.#options.entriesMax === Infinity
      ? withDot(contextBytes, packed)
      : contextAfterPut(contextBytes, head, packed);
    client.last = { version, context, contextBytes, head };
    this.written.push(client.last);
  }

  #merge(replica: Replica, from: Snapshot): void {
    replica.head = mergeOf(replica.head, from.head);
    replica.state = joinModel(replica.state, from.state);
    replica.met = new Set([...replica.met, ...from.met]);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)];
  }
}

/** The allocating twins of core's functions, for tests. */
export function mergeOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  const target = new Uint8Array(syncedLengthMax(left, 0, right, 0));
  const length = syncInto(left, 0, right, 0, target, 0, new Int32Array(256));
  return target.slice(0, length);
}

export function eventOn(
  held: Uint8Array,
  context: Uint8Array,
  version: Uint8Array,
  dotAsPair = 1,
  entriesMax = Infinity,
): Uint8Array {
  const entries = context.length / ENTRY_BYTES;
  const target = new Uint8Array(eventLengthMax(held, 0, entries));
  const sources = new Int32Array(256);
  const length = eventInto(
    held,
    0,
    context,
    0,
    entries,
    version,
    0,
    dotAsPair,
    entriesMax,
    target,
    0,
    sources,
  );
  return target.slice(0, length);
}

export function clockOf(head: Uint8Array): Uint8Array {
  const offset = clockOffset(head, 0);
  return head.slice(offset, offset + clockCount(head, 0) * ENTRY_BYTES);
}

export function contextAfterPut(
  context: Uint8Array,
  head: Uint8Array,
  version: Uint8Array,
): Uint8Array {
  const target = new Uint8Array(context.length + 9 * ENTRY_BYTES);
  const given = context.length / ENTRY_BYTES;
  const count = contextAfterPutInto(context, 0, given, head, 0, version, 0, target, 0);
  return target.slice(0, count * ENTRY_BYTES);
}

/** The context with the dot of one more version. */
export function withDot(context: Uint8Array, version: Uint8Array): Uint8Array {
  const target = new Uint8Array(context.length + ENTRY_BYTES);
  target.set(context);
  const count = clockIncrement(target, 0, context.length / ENTRY_BYTES, version, 0, SINGLE);
  return target.slice(0, count * ENTRY_BYTES);
}
