/**
 * All that the members of a cluster agree on, as this node knows it: charter, layouts, members and
 * their history, staged changes, bucket properties, tokens. File `membership.cbor` in the data directory.
 *
 *   digest     what is known, by numbers: newest layout, versions of records, stamps of buckets
 *   delta      what another one's digest lacks
 *   merge      a delta in; each part merges by its own rule, all of them commute
 *
 * Two nodes with equal digests hold equal states. What this node says of itself is durable before
 * it is said; what others said is stored within a second, as forgetting it is no worse than hearing
 * it late.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { BUCKET_BYTES_MAX, NODES_MAX } from "../../core/limits.ts";
import { DiskError } from "../../storage/disk.ts";
import type { Timer } from "../ports/clock.ts";
import type { Ports } from "../ports/ports.ts";
import {
  bucketBytes,
  bucketDocument,
  bucketKey,
  type BucketRecord,
  Buckets,
  readBucketRecord,
} from "./buckets.ts";
import { type Charter, charterDocument, readCharter } from "./charter.ts";
import { encodeDocument, Fields, MalformedDocument } from "./document.ts";
import type { Identity } from "./identity.ts";
import { decodeLayout, type Layout, readEvent } from "./layout.ts";
import { LIVE_LAYOUTS_LIMIT, LiveLayouts, type Trackers } from "./layouts.ts";
import {
  type Member,
  type MemberRecord,
  readRecord,
  recordDocument,
  sinceOf,
} from "./member.ts";
import { type LinkMaker, Members } from "./members.ts";
import { readStaged, Staged, type StagedChange, stagedDocument } from "./staged.ts";
import { loadDocument, saveDocument } from "./state-file.ts";
import { readTokenRecord, tokenDocument, type TokenRecord, Tokens } from "./tokens.ts";

export const STATE_FILE = "membership.cbor";
/** What others said is stored this long after it was heard, at the latest. */
const SAVE_DELAY_MS = 1_000;
/** Layouts in one delta: at least one, and no more than fit in this. */
const DELTA_LAYOUT_BYTES_MAX = 384 << 10;
const LIST_MAX = 1_000_000;
const DIGEST_HASH_BYTES = 8;

/** What the state tells its owner. */
export interface ClusterStateHooks {
  drainRequests(done: () => void): void;
  onLayoutsChanged(): void;
  onRetired(layout: Layout): void;
  /** This node has something new to say: spread it without waiting for the next round. */
  onOwnNews(): void;
}

export class ClusterState {
  readonly members: Members;
  readonly layouts: LiveLayouts;
  readonly buckets: Buckets;
  readonly staged: Staged;
  readonly tokens: Tokens;
  readonly #ports: Ports;
  readonly #identity: Identity;
  readonly #hooks: ClusterStateHooks;
  #charter: Charter | null = null;
  #hash: Uint8Array | null = null;
  #saveTimer: Timer | null = null;
  #durableNewest = 0;

  constructor(ports: Ports, identity: Identity, linkTo: LinkMaker, hooks: ClusterStateHooks) {
    const selfId = () => identity.nodeId;
    this.#ports = ports;
    this.#identity = identity;
    this.#hooks = hooks;
    this.members = new Members(selfId, linkTo);
    this.buckets = new Buckets(ports.clock, selfId, () => this.#saveOwnNews());
    this.tokens = new Tokens(ports.clock, selfId, () => this.#saveOwnNews());
    const answered = (id: string) => this.members.answered(id);
    this.staged = new Staged(ports.clock, selfId, answered, () => this.#saveOwnNews());
    this.layouts = new LiveLayouts(selfId, {
      memberById: (id) => this.members.byId(id),
      raiseTrackers: (trackers) => this.#raiseTrackers(trackers),
      saveLayouts: () => this.save(),
      drainRequests: (done) => hooks.drainRequests(done),
      onLayoutsChanged: () => hooks.onLayoutsChanged(),
      onRetired: (layout) => hooks.onRetired(layout),
    });
  }

  /** REQUIRES: this node is a member. */
  get charter(): Charter {
    if (this.#charter === null) throw new Error("no charter is known: this node is no member yet");
    return this.#charter;
  }

  /** The newest layout that is sure to be known after a crash. */
  get durableNewest(): number {
    return this.#durableNewest;
  }

  /** This node as a member. REQUIRES: it is one. */
  get self(): Member {
    const self = this.members.byId(this.#identity.nodeId);
    if (self === undefined) throw new Error("this node is no member yet");
    return self;
  }

  /** Reads the file; false where there is none. @throws DiskError, MalformedDocument */
  load(): boolean {
    const document = loadDocument(this.#ports.disk, STATE_FILE);
    if (document === null) return false;
    this.#takeWhole(readWhole(document));
    this.#durableNewest = this.layouts.newestNumber;
    return true;
  }

  /** Begins a cluster of this node alone. @throws DiskError */
  found(charter: Charter, layout: Layout): void {
    this.#charter = charter;
    this.layouts.restore([layout], layout.number);
    this.members.applyLayout(layout);
    this.#store();
  }

  /**
   * Takes the whole state from the member that admitted this node.
   * @param nodeId the id by which it was admitted
   * @param beMember makes this node the member that it was admitted as; called once the state is
   *   known to be well-formed, and before it is used
   * @throws DiskError, MalformedDocument
   */
  takeOver(document: unknown, nodeId: string, beMember: (charter: Charter) => void): void {
    const whole = readWhole(document);
    if (!whole.delta.layouts.some((layout) => layout.indexOf(nodeId) >= 0)) {
      throw new MalformedDocument(`the state has no layout with node ${nodeId}`);
    }
    beMember(whole.charter);
    this.#takeWhole(whole);
    this.#store();
  }

  /** The whole state, for a file or for a node that is being admitted. */
  wholeDocument(): Record<string, unknown> {
    return {
      charter: charterDocument(this.charter),
      reading: this.layouts.reading.number,
      layouts: this.layouts.live.map((layout) => layout.bytes),
      events: this.members.history.map((event) => ({ ...event })),
      records: this.members.everyone.map((member) => recordDocument(member.record)),
      buckets: this.buckets.records().map(bucketDocument),
      staged: this.staged.entries().map(stagedDocument),
      tokens: this.tokens.records().map(tokenDocument),
    };
  }

  #takeWhole(whole: Whole): void {
    this.#charter = whole.charter;
    this.layouts.restore(whole.delta.layouts, whole.reading);
    this.#mergeParts(whole.delta);
  }

  /** Writes everything now; false (and a line in the log) when the disk does not take it. */
  save(): boolean {
    try {
      this.#store();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#ports.log.error("Cannot store the cluster state", { reason: error.message });
      return false;
    }
  }

  #store(): void {
    this.#hash = null;
    saveDocument(this.#ports.disk, STATE_FILE, this.wholeDocument());
    this.#durableNewest = this.layouts.newestNumber;
    this.#saveTimer?.cancel();
    this.#saveTimer = null;
  }

  #saveSoon(): void {
    this.#hash = null;
    this.#saveTimer ??= this.#ports.clock.after(SAVE_DELAY_MS, () => {
      this.#saveTimer = null;
      this.save();
    });
  }

  #saveOwnNews(): boolean {
    const saved = this.save();
    if (saved) this.#hooks.onOwnNews();
    return saved;
  }

  /** Stops the clock; what was heard within the last second is stored. */
  stop(): void {
    if (this.#saveTimer !== null) this.save();
  }

  /** Changes what this node says of itself; false when the disk refuses: nothing is changed. */
  updateSelf(changes: Partial<Omit<MemberRecord, "id" | "version">>): boolean {
    const before = this.self.record;
    const after = { ...before, ...changes };
    const said = JSON.stringify(recordDocument(before));
    if (JSON.stringify(recordDocument(after)) === said) return true;
    this.members.apply({ ...after, version: before.version + 1 });
    if (this.#saveOwnNews()) return true;
    this.self.update(before, this.self.status);
    return false;
  }

  /** This node, which leaves, holds nothing any more; true when that is durable. */
  reportDrained(): boolean {
    const last = this.members.lastEvent(this.#identity.nodeId);
    if (last?.kind !== "left" || this.self.drained >= last.layout) return false;
    return this.updateSelf({ drained: last.layout });
  }

  /** Whether this node has left and holds nothing any more: until others know, it alone can say so. */
  get hasDrained(): boolean {
    const last = this.members.lastEvent(this.#identity.nodeId);
    return last?.kind === "left" && this.self.drained >= last.layout;
  }

  #raiseTrackers(trackers: Trackers): boolean {
    const { adopted, synced, reading } = this.self;
    return this.updateSelf({
      adopted: Math.max(adopted, trackers.adopted ?? 0),
      synced: Math.max(synced, trackers.synced ?? 0),
      reading: Math.max(reading, trackers.reading ?? 0),
    });
  }

  /** Takes in a layout that was decided; does nothing unless it is the next one. */
  adoptDecided(layout: Layout): void {
    if (layout.number !== this.layouts.newestNumber + 1) return;
    this.members.applyLayout(layout);
    this.staged.prune();
    this.layouts.adopt([layout]);
    this.save();
    this.layouts.evaluate();
    this.#hooks.onOwnNews();
  }

  /** What is known, by numbers. */
  digest(): Record<string, unknown> {
    return {
      newest: this.layouts.newestNumber,
      records: this.members.everyone.map(({ id, version }) => [id, version]),
      buckets: this.buckets.records().map((record) => [
        bucketBytes(record.bucket),
        record.stamp,
        record.node,
      ]),
      staged: this.staged.entries().map(({ node, stamp, issuer }) => [node, stamp, issuer]),
      ...withTokens(this.tokens.records().map(({ name, stamp, node }) => [name, stamp, node])),
    };
  }

  /** A short hash of the digest: equal hashes, equal states. */
  digestHash(): Uint8Array {
    this.#hash ??= sha256(encodeDocument(this.digest())).slice(0, DIGEST_HASH_BYTES);
    return this.#hash;
  }

  /** What the holder of this digest lacks. @throws MalformedDocument */
  deltaFor(digest: unknown): Record<string, unknown> {
    const fields = new Fields(digest);
    const newest = fields.whole("newest", 0);
    const versions = readPairs(fields, "records");
    const stamps = readStamps(fields);
    const staged = readIssuedStamps(fields, "staged");
    const tokens = readIssuedStamps(fields, "tokens");
    const isNews = (record: BucketRecord) => {
      const theirs = stamps.get(record.bucket);
      if (theirs === undefined || theirs.stamp !== record.stamp) {
        return theirs === undefined || theirs.stamp < record.stamp;
      }
      return theirs.node < record.node;
    };
    return {
      layouts: this.#layoutsAfter(newest).map((layout) => layout.bytes),
      events: this.members.history.filter((event) => event.layout > newest),
      records: this.members.everyone
        .filter((member) => (versions.get(member.id) ?? -1) < member.version)
        .map((member) => recordDocument(member.record)),
      buckets: this.buckets.records().filter(isNews).map(bucketDocument),
      staged: this.staged.entries().filter(({ node, stamp, issuer }) => {
        const theirs = staged.get(node);
        if (theirs === undefined || theirs.stamp !== stamp) return (theirs?.stamp ?? -1) < stamp;
        return theirs.issuer < issuer;
      }).map(stagedDocument),
      ...withTokens(
        this.tokens.records().filter(({ name, stamp, node }) => {
          const theirs = tokens.get(name);
          if (theirs === undefined || theirs.stamp !== stamp) return (theirs?.stamp ?? -1) < stamp;
          return theirs.issuer < node;
        }).map(tokenDocument),
      ),
    };
  }

  #layoutsAfter(newest: number): Layout[] {
    const wanted: Layout[] = [];
    let bytes = 0;
    for (const layout of this.layouts.live) {
      if (layout.number <= newest) continue;
      bytes += layout.bytes.length;
      if (wanted.length > 0 && bytes > DELTA_LAYOUT_BYTES_MAX) break;
      wanted.push(layout);
    }
    return wanted;
  }

  /** Merges what another member knows; true when any of it was news. @throws MalformedDocument */
  merge(document: unknown): boolean {
    const delta = readDelta(new Fields(document), this.charter.clusterId);
    const fresh = delta.layouts.filter((layout) => layout.number > this.layouts.newestNumber);
    this.#reportTwins(delta.layouts);
    const before = this.self.record;
    const isPolicyNews = this.#mergeBuckets(delta.buckets);
    const isFarewell = delta.records.some(({ id, drained }) => {
      return drained > (this.members.byId(id)?.drained ?? 0);
    });
    const news = this.#mergeParts(delta) || isPolicyNews;
    this.#keepOwnWord(before);
    this.layouts.adopt(fresh);
    // A node that forgot a bucket's policy in a crash would make versions of another policy.
    // The last word of a node that goes: it may be stopped once anybody has it for good.
    if (fresh.length > 0 || isPolicyNews || isFarewell) this.save();
    else if (news) this.#saveSoon();
    if (news || fresh.length > 0) this.layouts.evaluate();
    return news || fresh.length > 0;
  }

  #mergeParts(delta: Delta): boolean {
    let news = this.#mergeBuckets(delta.buckets);
    if (this.members.applyEvents(delta.events)) news = true;
    for (const layout of delta.layouts) if (this.members.applyLayout(layout)) news = true;
    for (const record of delta.records) if (this.members.apply(record)) news = true;
    for (const entry of delta.staged) if (this.staged.apply(entry)) news = true;
    for (const record of delta.tokens) if (this.tokens.apply(record)) news = true;
    this.staged.prune();
    return news;
  }

  #mergeBuckets(records: readonly BucketRecord[]): boolean {
    let news = false;
    for (const record of records) if (this.buckets.apply(record)) news = true;
    return news;
  }

  /**
   * A newer record of this node than its own can only come of a data directory that went back in
   * time: go on from the larger version, with what is true here, so that others listen. (One of a
   * later `since` is another directory's, let in for this one: membership.ts ends this node then.)
   */
  #keepOwnWord(before: MemberRecord): void {
    const { version } = this.self;
    if (version === before.version || sinceOf(version) > sinceOf(before.version)) return;
    this.#ports.log.warn("The cluster knows newer news of this node than the node itself", {
      known: version,
      own: before.version,
    });
    this.members.apply({ ...before, version: version + 1 });
    this.#saveOwnNews();
  }

  /** Two layouts with one number would be a broken promise of consensus: say so, keep ours. */
  #reportTwins(layouts: readonly Layout[]): void {
    for (const layout of layouts) {
      const own = this.layouts.byNumber(layout.number);
      if (own === null || sameBytes(own.bytes, layout.bytes)) continue;
      this.#ports.log.error("Two layouts have one number", { number: layout.number });
    }
  }
}

interface Delta {
  readonly layouts: readonly Layout[];
  readonly events: readonly ReturnType<typeof readEvent>[];
  readonly records: readonly MemberRecord[];
  readonly buckets: readonly BucketRecord[];
  readonly staged: readonly StagedChange[];
  readonly tokens: readonly TokenRecord[];
}

interface Whole {
  readonly charter: Charter;
  readonly reading: number;
  readonly delta: Delta;
}

/** @throws MalformedDocument */
function readWhole(document: unknown): Whole {
  const fields = new Fields(document);
  const charter = readCharter(fields.fields("charter"));
  const delta = readDelta(fields, charter.clusterId);
  if (delta.layouts.length === 0) throw new MalformedDocument("the state has no layout");
  return { charter, reading: fields.whole("reading", 0), delta };
}

/** @throws MalformedDocument */
function readDelta(fields: Fields, clusterId: string): Delta {
  const layouts = fields.list("layouts", LIVE_LAYOUTS_LIMIT).map(readLayout);
  for (let index = 0; index < layouts.length; index++) {
    if (layouts[index].clusterId !== clusterId) {
      throw new MalformedDocument(`layout is of cluster ${layouts[index].clusterId}`);
    }
    if (index > 0 && layouts[index].number !== layouts[index - 1].number + 1) {
      throw new MalformedDocument("layouts are not numbered one after the other");
    }
  }
  return {
    layouts,
    events: fields.list("events", LIST_MAX).map((event) => readEvent(new Fields(event))),
    records: fields.list("records", LIST_MAX).map((record) => readRecord(new Fields(record))),
    buckets: fields.list("buckets", LIST_MAX).map((record) => readBucketRecord(new Fields(record))),
    staged: laterList(fields, "staged").map((entry) => readStaged(new Fields(entry))),
    tokens: laterList(fields, "tokens").map((record) => readTokenRecord(new Fields(record))),
  };
}

function readLayout(value: unknown): Layout {
  if (value instanceof Uint8Array) return decodeLayout(value);
  throw new MalformedDocument("layout is not of bytes");
}

function readPairs(fields: Fields, name: string): Map<string, number> {
  const pairs = new Map<string, number>();
  for (const pair of fields.list(name, NODES_MAX * 16)) {
    if (!Array.isArray(pair)) throw new MalformedDocument(`field ${name} is no list of pairs`);
    const [id, version]: unknown[] = pair;
    if (typeof id !== "string" || typeof version !== "number") {
      throw new MalformedDocument(`field ${name} is no list of ids and versions`);
    }
    pairs.set(id, version);
  }
  return pairs;
}

/** A list that is absent in what was written before there was such a thing. */
function laterList(fields: Fields, name: string): readonly unknown[] {
  return fields.has(name) ? fields.list(name, LIST_MAX) : [];
}

/** Tokens are not spoken of where there are none: nodes that know nothing of them say the same. */
function withTokens<One>(tokens: readonly One[]): { tokens?: readonly One[] } {
  return tokens.length === 0 ? {} : { tokens };
}

function readIssuedStamps(
  fields: Fields,
  name: string,
): Map<string, { stamp: number; issuer: string }> {
  const stamps = new Map<string, { stamp: number; issuer: string }>();
  for (const entry of laterList(fields, name)) {
    if (!Array.isArray(entry)) throw new MalformedDocument(`stamps of ${name} are no lists`);
    const [key, stamp, issuer]: unknown[] = entry;
    if (typeof key !== "string" || typeof stamp !== "number" || typeof issuer !== "string") {
      throw new MalformedDocument(`stamps of ${name} are malformed`);
    }
    stamps.set(key, { stamp, issuer });
  }
  return stamps;
}

function readStamps(fields: Fields): Map<string, { stamp: number; node: string }> {
  const stamps = new Map<string, { stamp: number; node: string }>();
  for (const entry of fields.list("buckets", LIST_MAX)) {
    if (!Array.isArray(entry)) throw new MalformedDocument("bucket stamps are no lists");
    const [bucket, stamp, node]: unknown[] = entry;
    const isBucket = bucket instanceof Uint8Array && bucket.length <= BUCKET_BYTES_MAX;
    if (!isBucket || typeof stamp !== "number" || typeof node !== "string") {
      throw new MalformedDocument("bucket stamps are malformed");
    }
    stamps.set(bucketKey(bucket), { stamp, node });
  }
  return stamps;
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
