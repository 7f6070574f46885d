/**
 * The heads of names whose replicas differ, fetched from each that holds one and merged: whether anything
 * is shown is known then, as with a get, and no body has travelled.
 */

import { isWellFormedHead, versionCount } from "../../core/version-set.ts";
import { ObjectName } from "../../core/object-name.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Member } from "../membership/member.ts";
import { LIST_HEADS } from "../replication/bucket-runs.ts";
import { mergeWherePossible } from "../replication/merge-sets.ts";
import type { ListedName } from "./listing-merge.ts";
import { dateMs, type CoordinatorParts } from "./parts.ts";
import { shownVersions } from "./view.ts";

/** `shown` has the names of which all is known; `failed` those who did not answer. */
export type HeadsDone = (shown: ReadonlyMap<ListedName, boolean>, failed: readonly Member[]) => void;

const SLASH = 0x2f;

export class HeadFetch {
  readonly #parts: CoordinatorParts;
  readonly #bucket: Uint8Array;
  readonly #names: readonly ListedName[];
  readonly #timeoutMs: number;
  /** Heads that came, by name. */
  readonly #heads = new Map<ListedName, Uint8Array[]>();
  /** Names of which somebody has not said what it holds. */
  readonly #open = new Set<ListedName>();

  constructor(
    parts: CoordinatorParts,
    bucket: Uint8Array,
    names: readonly ListedName[],
    timeoutMs: number,
  ) {
    this.#parts = parts;
    this.#bucket = bucket;
    this.#names = names;
    this.#timeoutMs = timeoutMs;
    for (const name of names) this.#heads.set(name, []);
  }

  start(done: HeadsDone): void {
    const members = new Set(this.#names.flatMap(({ held }) => held.map(({ member }) => member)));
    const failed: Member[] = [];
    let left = members.size;
    for (const member of members) {
      const names = this.#names.filter(({ held }) => held.some((one) => one.member === member));
      this.#ask(member, names, (heads) => {
        if (heads === null) failed.push(member);
        this.#take(names, heads ?? []);
        if (--left === 0) done(this.#judge(), failed);
      });
    }
  }

  #ask(
    member: Member,
    names: readonly ListedName[],
    done: (heads: (Uint8Array | null)[] | null) => void,
  ): void {
    const { replication, membership } = this.#parts;
    const bytes = names.map(({ key }) => this.#nameOf(key));
    if (member.peer === null) {
      return done(replication.runs.heads(bytes.map((name) => new ObjectName(name))));
    }
    const body = [membership.layouts.current.number, bytes];
    return member.peer.call(LIST_HEADS, body, this.#timeoutMs, (reply) => done(readHeads(reply)));
  }

  #take(names: readonly ListedName[], heads: readonly (Uint8Array | null)[]): void {
    for (let index = 0; index < names.length; index++) {
      const head = index < heads.length ? heads[index] : undefined;
      if (head === undefined) this.#open.add(names[index]);
      else if (head !== null) this.#heads.get(names[index])?.push(head);
    }
  }

  #judge(): Map<ListedName, boolean> {
    const nowMs = dateMs(this.#parts);
    const shown = new Map<ListedName, boolean>();
    for (const [name, heads] of this.#heads) {
      if (this.#open.has(name)) continue;
      const sets = heads.map(bodiless);
      const merged = sets.length === 0 ? null : sets.reduce(mergeWherePossible);
      shown.set(name, merged !== null && shownVersions(merged, nowMs).length > 0);
    }
    return shown;
  }

  #nameOf(key: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(this.#bucket.length + 1 + key.length);
    bytes.set(this.#bucket);
    bytes[this.#bucket.length] = SLASH;
    bytes.set(key, this.#bucket.length + 1);
    return bytes;
  }
}

/** The heads of an answer, or null where one is none. */
function readHeads(reply: unknown): (Uint8Array | null)[] | null {
  if (!Array.isArray(reply) || reply.length === 0) return null;
  const isHead = (head: unknown): head is Uint8Array | null => {
    return head === null || (head instanceof Uint8Array && isWellFormedHead(head, 0, head.length));
  };
  return reply.every(isHead) ? reply : null;
}

function bodiless(head: Uint8Array): VersionSet {
  return { head, payloads: new Array<null>(versionCount(head, 0)).fill(null) };
}
