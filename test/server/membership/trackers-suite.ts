/**
 * Live layouts against a model of data: nodes write and read while layouts follow each other and
 * news about the trackers arrives late, twice, out of order or never.
 *
 *   a write   is begun under the live layouts that its node knows, and is stored in each at its end
 *   a sync    brings the node, for each live layout up to the target, what that and older ones hold
 *   a read    is begun under its node's reading layout; at its end every write that had been
 *             completed when it began must be there: stored in that layout, or copied by its nodes
 *
 * A write that meets a node which has retired one of its layouts is refused as stale and counts for
 * nothing. A read never does: nobody retires what somebody reads by.
 */

import { foundLayout, Layout } from "../../../server/membership/layout.ts";
import { layoutWith } from "../../../server/membership/layout-change.ts";
import {
  LIVE_LAYOUTS_MAX,
  LiveLayouts,
  type Trackers,
} from "../../../server/membership/layouts.ts";
import { Member, type MemberRecord, sinceOf } from "../../../server/membership/member.ts";
import { Members } from "../../../server/membership/members.ts";
import type { Peer } from "../../../server/wire/peers.ts";
import { roundsHere, SeededRandom } from "../../random.ts";
import type { Case, Check } from "../../suite.ts";

const SEEDS = roundsHere(45);
const STEPS = 1_000;
const NODES_MAX = 6;

interface Request {
  readonly layouts: readonly number[];
  /** A write's number; a read's list of the writes that it has to see. */
  readonly write: number;
  readonly wanted: readonly number[];
}

interface News {
  readonly layouts: readonly Layout[];
  readonly records: readonly MemberRecord[];
}

class Model {
  readonly random: SeededRandom;
  readonly nodes: ModelNode[] = [];
  readonly completed: number[] = [];
  /** Layout number → writes stored there by their coordinators. */
  readonly stored = new Map<number, Set<number>>();
  newest: Layout;
  writes = 0;
  reads = 0;
  stale = 0;
  trouble = "";
  #news: { to: ModelNode; news: News }[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    const founder = { id: idOf(0), incarnation: idOf(0), attributes: attributesOf(0) };
    const shape = { clusterId: idOf(99), partitionBits: 0, replicas: 3 };
    this.newest = foundLayout(shape, founder, 1);
    const node = new ModelNode(this, idOf(0));
    node.start([this.newest], [], 1);
    this.nodes.push(node);
  }

  step(): void {
    const node = this.nodes[this.random.below(this.nodes.length)];
    const kind = this.random.below(20);
    if (kind < 5) node.write();
    else if (kind < 9) node.read();
    else if (kind < 13) node.endSome();
    else if (kind < 14) node.syncSome();
    else if (kind < 17) this.#tell(node);
    else if (kind < 19) this.#deliver();
    else if (this.random.chance(1, 4)) this.#change(node);
  }

  /** Everybody hears everything and all requests end: one layout has to be left. */
  calm(): void {
    for (let round = 0; round < 60; round++) {
      for (const node of this.nodes) {
        node.endAll();
        node.syncSome();
        for (const other of this.nodes) other.hear(node.news());
      }
    }
    for (const node of this.nodes) {
      if (node.layouts.live.length === 1 && node.layouts.current === this.newest) continue;
      this.trouble ||= `${node.id} is left with layouts ${node.layouts.live.length}`;
    }
  }

  #tell(node: ModelNode): void {
    const to = this.nodes[this.random.below(this.nodes.length)];
    const news = node.news();
    const isShort = this.random.chance(1, 2);
    this.#news.push({ to, news: isShort ? { ...news, layouts: [] } : news });
  }

  #deliver(): void {
    if (this.#news.length === 0) return;
    const index = this.random.below(this.#news.length);
    const { to, news } = this.#news[index];
    if (this.random.chance(2, 3)) this.#news.splice(index, 1);
    to.hear(news);
  }

  /** Whoever knows the newest layout may be the one who makes the next. */
  #change(node: ModelNode): void {
    if (node.layouts.current !== this.newest) return;
    if (node.layouts.live.length >= LIVE_LAYOUTS_MAX) return;
    const isNew = this.nodes.length < NODES_MAX && this.random.chance(1, 2);
    const index = isNew ? this.nodes.length : this.random.below(this.nodes.length);
    const context = {
      issuer: node.id,
      timeMs: 1,
      oldestLive: node.layouts.oldestNumber,
      attributesOf: () => null,
    };
    const id = idOf(index);
    const admission = { id, incarnation: id, attributes: attributesOf(index) };
    const changed = layoutWith(this.newest, [admission], context);
    this.newest = isNew ? changed : keepSince(this.newest, changed);
    node.hear({ layouts: [this.newest], records: [] });
    if (!isNew) return;
    const joined = new ModelNode(this, idOf(index));
    joined.start(node.layouts.live, node.news().records, node.layouts.reading.number);
    this.nodes.push(joined);
  }

  /** Whether a node of one of these layouts has retired it. */
  isStale(numbers: readonly number[]): boolean {
    return this.nodes.some((node) => numbers.some((number) => node.layouts.isRetired(number)));
  }

  holds(number: number): Set<number> {
    const held = this.stored.get(number) ?? new Set<number>();
    this.stored.set(number, held);
    return held;
  }

  /** The first of the writes that a read by layout `number` does not find wherever it asks. */
  missing(number: number, writes: readonly number[]): number | undefined {
    const held = this.holds(number);
    const copies = this.nodes
      .filter((node) => node.layouts.byNumber(number)?.nodeById(node.id))
      .map((node) => node.copies(number));
    return writes.find((write) => {
      return !held.has(write) && !(copies.length > 0 && copies.every((copy) => copy.has(write)));
    });
  }
}

class ModelNode {
  readonly id: string;
  readonly members: Members;
  readonly layouts: LiveLayouts;
  readonly #model: Model;
  readonly #copied = new Map<number, Set<number>>();
  #requests: Request[] = [];
  #drains: { left: Set<Request>; done: () => void }[] = [];

  constructor(model: Model, id: string) {
    this.id = id;
    this.#model = model;
    this.members = new Members(() => id, () => ({ healthy: true, address: "" }) as Peer);
    this.layouts = new LiveLayouts(() => id, {
      memberById: (other) => this.members.byId(other),
      raiseTrackers: (trackers) => this.#raise(trackers),
      saveLayouts: () => !model.random.chance(1, 10),
      drainRequests: (done) => this.#drain(done),
      onLayoutsChanged: () => {},
      onRetired: () => {},
    });
  }

  start(layouts: readonly Layout[], records: readonly MemberRecord[], reading: number): void {
    for (const layout of layouts) this.members.applyLayout(layout);
    for (const record of records) this.members.apply(record);
    this.layouts.restore(layouts, reading);
    this.layouts.evaluate();
  }

  news(): News {
    return {
      layouts: this.layouts.live,
      records: this.members.everyone.map((member: Member) => member.record),
    };
  }

  hear(news: News): void {
    for (const layout of news.layouts) this.members.applyLayout(layout);
    for (const record of news.records) this.members.apply(record);
    this.layouts.adopt(news.layouts);
    this.layouts.evaluate();
  }

  copies(number: number): Set<number> {
    const copied = this.#copied.get(number) ?? new Set<number>();
    this.#copied.set(number, copied);
    return copied;
  }

  write(): void {
    const layouts = this.layouts.live.map((layout) => layout.number);
    this.#requests.push({ layouts, write: this.#model.writes++, wanted: [] });
  }

  read(): void {
    const layouts = [this.layouts.reading.number];
    this.#requests.push({ layouts, write: -1, wanted: [...this.#model.completed] });
  }

  endSome(): void {
    for (const request of [...this.#requests]) {
      if (this.#model.random.chance(2, 3)) this.#end(request);
    }
  }

  endAll(): void {
    for (const request of [...this.#requests]) this.#end(request);
    this.#endDrains();
  }

  syncSome(): void {
    const target = this.layouts.syncTarget;
    if (target === 0) return;
    const found = new Set<number>();
    for (const { number } of this.layouts.live) {
      if (number > target) break;
      for (const write of this.#model.holds(number)) found.add(write);
      for (const node of this.#model.nodes) {
        for (const write of node.copies(number)) found.add(write);
      }
      for (const write of found) this.copies(number).add(write);
    }
    this.layouts.reportSynced(target);
  }

  #end(request: Request): void {
    if (request.write >= 0) this.#endWrite(request);
    else this.#endRead(request);
    this.#requests = this.#requests.filter((other) => other !== request);
    for (const drain of this.#drains) drain.left.delete(request);
    this.#endDrains();
  }

  #endWrite(request: Request): void {
    const model = this.#model;
    if (model.isStale(request.layouts)) {
      model.stale++;
      return;
    }
    for (const number of request.layouts) model.holds(number).add(request.write);
    model.completed.push(request.write);
  }

  #endRead(request: Request): void {
    const model = this.#model;
    const [number] = request.layouts;
    model.reads++;
    if (model.isStale([number])) model.trouble ||= `a read by layout ${number} was stale`;
    const lost = model.missing(number, request.wanted);
    if (lost !== undefined) model.trouble ||= `a read by layout ${number} misses write ${lost}`;
  }

  #drain(done: () => void): void {
    this.#drains.push({ left: new Set(this.#requests), done });
    this.#endDrains();
  }

  #endDrains(): void {
    const ended = this.#drains.filter((drain) => drain.left.size === 0);
    this.#drains = this.#drains.filter((drain) => drain.left.size > 0);
    for (const drain of ended) drain.done();
  }

  #raise(trackers: Trackers): boolean {
    const self = this.members.byId(this.id);
    if (self === undefined || this.#model.random.chance(1, 20)) return false;
    const { adopted, synced, reading } = self;
    const raised = {
      adopted: Math.max(adopted, trackers.adopted ?? 0),
      synced: Math.max(synced, trackers.synced ?? 0),
      reading: Math.max(reading, trackers.reading ?? 0),
    };
    this.members.apply({ ...self.record, ...raised, version: self.version + 1 });
    return true;
  }
}

/** Model nodes do not lose their disks: a change without a new node keeps all `since`. */
function keepSince(before: Layout, changed: Layout): Layout {
  const nodes = changed.nodes.map((node) => before.nodeById(node.id) ?? node);
  return new Layout({ ...changed, nodes, events: [] }, null);
}

function idOf(index: number): string {
  return index.toString(16).padStart(16, "0");
}

function attributesOf(index: number) {
  return { name: `m${index}`, address: `m${index}:1`, http: "", zone: "", capacity: 1 };
}

function readsMissNothing(check: Check): void {
  let reads = 0;
  let stale = 0;
  let layouts = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const model = new Model(seed);
    for (let step = 0; step < STEPS && model.trouble === ""; step++) model.step();
    model.calm();
    if (model.trouble !== "") check.ok(false, `seed ${seed}: ${model.trouble}`);
    reads += model.reads;
    stale += model.stale;
    layouts += model.newest.number;
  }
  check.ok(layouts > 4 * SEEDS, `${layouts} layouts were made`);
  check.ok(reads > 4 * stale, `${reads} reads and writes counted, ${stale} were stale`);
  check.equal(sinceOf(0), 0, "no node has lost its disk here");
}

export const suite: readonly Case[] = [
  { name: "reads miss no completed write while layouts follow each other", run: readsMissNothing },
];
