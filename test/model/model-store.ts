/**
 * The store as its contract reads, in a page: one copy, no nodes, no disk; a version is an object,
 * a clock is a set of dots. It answers late, refuses at times and at times leaves its client in
 * doubt, as the contract allows. The simulator's oracle is tried on it: as it stands the oracle
 * must find nothing, and with any of the planted bugs the oracle must find that bug.
 */

import { valueBytes } from "../../server/coordination/value.ts";
import type { ObjectName } from "../../core/object-name.ts";
import type { Clock } from "../../server/ports/clock.ts";
import type {
  Explanation,
  GetRequest,
  ListRequest,
  ListResult,
  PutRequest,
  Result,
  Sibling,
  Store,
} from "../../server/coordination/store.ts";
import type { SeededRandom } from "../random.ts";

/** Bugs that can be planted, each a way in which real stores have lost or made up data. */
export const PLANTS = [
  "acknowledges and loses",
  "refuses and writes",
  "brings a deleted value back",
  "drops a sibling",
  "forgets a dot in a context",
  "context covers what was not shown",
  "answers another key's value",
  "answers a cut value",
  "answers twice",
  "never answers",
  "lets the older write win",
  "retry makes a second version",
  "counts replicas that were not there",
  "reads before its own writes",
  "leaves a key out of a listing",
  "lists a key twice",
  "lists what was deleted",
] as const;
export type Plant = (typeof PLANTS)[number];

interface Version {
  readonly dot: number;
  readonly isTombstone: boolean;
  readonly requestId: string;
  readonly sibling: Sibling;
}

interface Entry {
  versions: Version[];
  /** Every dot that is or was here. */
  clock: Set<number>;
  /** As it was before the last write, for a bug. */
  before: Version[];
}

const refusal = { context: "", etag: "", primaries: 0, fallbacks: 0, siblings: [] };

export class ModelStore implements Store {
  readonly entries = new Map<string, Entry>();
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #plant: Plant | null;
  readonly #owners: number;
  readonly #seenRequests = new Set<string>();
  #dots = 0;

  /** Nothing is large here. */
  stage(_name: ObjectName): null {
    return null;
  }

  constructor(clock: Clock, random: SeededRandom, owners: number, plant: Plant | null) {
    this.#clock = clock;
    this.#random = random;
    this.#owners = owners;
    this.#plant = plant;
  }

  put(request: PutRequest, done: (result: Result) => void): void {
    this.#later(() => this.#answerPut(request, this.#once(done)));
  }

  get(request: GetRequest, done: (result: Result) => void): void {
    this.#later(() => this.#once(done)(this.#read(request.name)));
  }

  list(request: ListRequest, done: (result: ListResult) => void): void {
    // No draw: a seed means the same run with listings and without.
    this.#clock.after(7, () => this.#once(done)(this.#page(request)));
  }

  explain(_name: ObjectName, _timeoutMs: number, done: (explanation: Explanation) => void): void {
    done({ position: "", partition: 0, partitions: 1, layout: 1, preference: [] });
  }

  /** What is held for a key: what the replicas would agree on. */
  held(key: string): { requestId: string; isTombstone: boolean }[] {
    return this.#entry(key).versions;
  }

  #answerPut(request: PutRequest, done: (result: Result) => void): void {
    if (this.#random.chance(1, 12)) return this.#refuse(request, done);
    const inDoubt = this.#random.chance(1, 12);
    if (inDoubt && this.#random.chance(1, 2)) return done(unknown());
    const result = this.#write(request);
    this.#later(() => done(inDoubt && result.outcome === "done" ? unknown() : result));
  }

  #refuse(request: PutRequest, done: (result: Result) => void): void {
    if (this.#plants("refuses and writes", 2)) this.#write(request);
    done({ outcome: "refused", code: "quorum-unreachable", detail: "", ...refusal });
  }

  #write(request: PutRequest): Result {
    const key = textOf(request.name);
    const entry = this.#entry(key);
    const requestId = hexOf(request.requestId ?? new Uint8Array(16));
    const isTwin = this.#seenRequests.has(requestId) &&
      this.#plant !== "retry makes a second version";
    if (!isTwin) {
      const holdsValue = entry.versions.some((version) => !version.isTombstone);
      if (request.precondition !== null && holdsValue) {
        return { outcome: "refused", code: "precondition-failed", detail: "", ...refusal };
      }
      this.#seenRequests.add(requestId);
      this.#apply(key, entry, request, requestId);
    }
    if (request.returnBody) return this.#read(request.name);
    const own = entry.versions.find((version) => version.requestId === requestId);
    const covered = [...dotsOf(request.context), ...(own === undefined ? [] : [own.dot])];
    const replicas = this.#plants("counts replicas that were not there", 5) ? 0 : this.#owners;
    // A retry of what was overwritten meanwhile has no version to name.
    const etag = own === undefined ? "" : `${own.dot}`;
    return { ...done(covered.join(" ")), etag, primaries: replicas };
  }

  #apply(key: string, entry: Entry, request: PutRequest, requestId: string): void {
    const depends = request.isDelete || request.precondition !== null;
    const readsFirst = request.context === "" && depends;
    const covered = new Set(readsFirst ? entry.clock : dotsOf(request.context));
    const dot = ++this.#dots;
    const sibling = { body: request.body, meta: request.meta, timeMs: dot, expiryMs: 0 };
    const version = { dot, isTombstone: request.isDelete, requestId, sibling };
    const stays = entry.versions.filter((held) => !covered.has(held.dot));
    entry.before = entry.versions;
    entry.clock.add(dot);
    if (this.#plants("acknowledges and loses", 20)) return;
    if (key.startsWith("last/")) {
      const loses = this.#plants("lets the older write win", 4) && entry.versions.length > 0;
      entry.versions = loses ? entry.versions : [version];
      return;
    }
    if (this.#plants("drops a sibling", 4)) stays.shift();
    const isBack = request.isDelete && this.#plants("brings a deleted value back", 2);
    entry.versions = [...(isBack ? entry.versions : stays), version];
  }

  #read(name: ObjectName): Result {
    const entry = this.#entry(textOf(name));
    const source = this.#plants("reads before its own writes", 5) ? entry.before : entry.versions;
    const values = source.filter((version) => !version.isTombstone);
    const covered = [...entry.clock];
    if (this.#plants("forgets a dot in a context", 3)) {
      for (const version of values) covered.splice(covered.indexOf(version.dot), 1);
    }
    if (this.#plants("context covers what was not shown", 4)) values.pop();
    const siblings = values.map((version) => this.#shown(version.sibling));
    const code = siblings.length === 0 ? "not-found" : "";
    return { ...done(covered.join(" ")), code, primaries: this.#owners, siblings };
  }

  /** Keys in the order of their texts; a cursor is the last one's. */
  #page({ bucket, cursor, limit }: ListRequest): ListResult {
    const start = `${decoder.decode(bucket)}/`;
    const showsAll = this.#plants("lists what was deleted", 2);
    const keys = [...this.entries].filter(([key, { versions }]) => {
      return key.startsWith(start) && (showsAll || versions.some((version) => !version.isTombstone));
    }).map(([key]) => key.slice(start.length)).sort().filter((key) => key > cursor);
    const page = keys.slice(0, limit);
    const last = page[page.length - 1] ?? "";
    if (this.#plants("leaves a key out of a listing", 4)) page.pop();
    if (page.length > 0 && this.#plants("lists a key twice", 4)) page.splice(-1, 1, page[0]);
    return {
      outcome: "done",
      code: "",
      detail: "",
      keys: page.map((key) => new TextEncoder().encode(key)),
      cursor: keys.length > limit ? last : "",
      primaries: this.#owners,
    };
  }

  #shown(sibling: Sibling): Sibling {
    if (this.#plants("answers a cut value", 10)) {
      return { ...sibling, body: valueBytes(sibling.body).subarray(0, sibling.body.length - 1) };
    }
    if (!this.#plants("answers another key's value", 10)) return sibling;
    const other = [...this.entries.values()].find((entry) => entry.versions.length > 0);
    return other?.versions[0].sibling ?? sibling;
  }

  #entry(key: string): Entry {
    const found = this.entries.get(key);
    if (found !== undefined) return found;
    const made = { versions: [], clock: new Set<number>(), before: [] };
    this.entries.set(key, made);
    return made;
  }

  #plants(plant: Plant, oneIn: number): boolean {
    return this.#plant === plant && this.#random.chance(1, oneIn);
  }

  /** The callback as the contract has it, or as a bug has it. */
  #once<Reply>(done: (result: Reply) => void): (result: Reply) => void {
    if (this.#plants("never answers", 20)) return () => {};
    if (!this.#plants("answers twice", 20)) return done;
    return (result) => {
      done(result);
      done(result);
    };
  }

  #later(run: () => void): void {
    this.#clock.after(1 + this.#random.below(40), run);
  }
}

function done(context: string): Result {
  const counts = { primaries: 0, fallbacks: 0, siblings: [] };
  return { outcome: "done", code: "", detail: "", context, etag: "", ...counts };
}

function unknown(): Result {
  return { outcome: "unknown", code: "write-unknown", detail: "", ...refusal };
}

function dotsOf(context: string): number[] {
  return context === "" ? [] : context.split(" ").map(Number);
}

const decoder = new TextDecoder();

function textOf(name: ObjectName): string {
  return decoder.decode(name.bytes);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
