/**
 * Which nodes there are, and which of them coordinates what. The layout is pulled every ten seconds while the client
 * is in use, and at once when an answer says that a node reads by a newer one.
 *
 *   seeds ─► any of them: layout ─► nodes by id ─► the owners of a name's partition, then all others
 */

import { KIND_MESSAGE, STATUS_OK } from "../core/frame.ts";
import type { FrameView } from "../core/frame.ts";
import { encodeMessage, decodeMessage } from "./messages.ts";
import { copiesOf, type Layout, readLayout, rowOf } from "./layout.ts";
import { type NodeOptions, RemoteNode } from "./remote-node.ts";
import { type Routes, suspectedLast, troubleOf } from "./routes.ts";
import type { Runtime, Timer } from "./runtime.ts";

const REFRESH_MS = 10_000;
/** Where some nodes know a newer layout and others not yet. */
const REFRESH_MS_MIN = 100;
/** An answer is waited for so long before another node is asked as well. */
const PATIENCE_MS = 1_000;
/** So many times slower than the fastest, and so much, a node is asked after the others. */
const SLOW_TIMES = 4;
const SLOW_MS = 5;

export class Topology implements Routes {
  readonly #runtime: Runtime;
  readonly #options: NodeOptions;
  readonly #seeds: RemoteNode[];
  #layout: Layout | null = null;
  /** In the order of the layout's places. */
  #nodes: RemoteNode[] = [];
  #pulledMs = -Infinity;
  #pull: Pull | null = null;
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(runtime: Runtime, addresses: readonly string[], options: NodeOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#seeds = addresses.map((address) => new RemoteNode(runtime, address, options));
  }

  /** Number of the layout; 0 before there is one. */
  get number(): number {
    return this.#layout?.number ?? 0;
  }

  /** All members, or before they are known the seeds. */
  get nodes(): readonly RemoteNode[] {
    return this.#nodes.length > 0 ? this.#nodes : this.#seeds;
  }

  /** Calls back once a layout is known, or all seeds were asked for it in vain: then requests are sent to them as it is. */
  whenKnown(ready: () => void): void {
    if (this.#layout !== null || this.#isClosed) return ready();
    this.#waiting.push(ready);
    return this.refresh();
  }

  /** The owners, then all others. */
  route(name: Uint8Array, isWrite: boolean, preferred: string): RemoteNode[] {
    this.#refreshLater();
    const layout = this.#layout;
    if (layout === null) return [...this.#seeds];
    const row = rowOf(layout, name);
    const owners: RemoteNode[] = [];
    const copies = Math.min(copiesOf(layout, name), layout.ownersPerPartition);
    for (let rank = 0; rank < copies; rank++) {
      owners.push(this.#nodes[layout.owners[row + rank]]);
    }
    const ordered = isWrite ? slowLast(owners) : cheapFirst(owners);
    const others = cheapFirst(this.#nodes.filter((node) => !owners.includes(node)));
    const all = [...ordered, ...others];
    const first = preferred === "" ? undefined : owners.find(({ id }) => id === preferred);
    const list = first === undefined ? all : [first, ...all.filter((node) => node !== first)];
    return suspectedLast(list);
  }

  /** Any node, best first, for what is not about one name. */
  anyone(): RemoteNode[] {
    this.#refreshLater();
    return suspectedLast(cheapFirst([...this.nodes]));
  }

  /** An answer carried the number of the layout that its node reads by. */
  seen(number: number): void {
    if (number <= this.number) return;
    if (this.#runtime.elapsedMs() - this.#pulledMs >= REFRESH_MS_MIN) this.refresh();
  }

  /** Pulls the layout, unless that is under way. */
  refresh(): void {
    if (this.#pull !== null || this.#isClosed) return;
    const everyone = [...new Set([...this.#nodes, ...this.#seeds])];
    const pull = new Pull(this.#runtime, suspectedLast(cheapFirst(everyone)), this.#layout, (layout) => {
      this.#pull = null;
      if (layout !== null) this.#adopt(layout);
      this.#tell();
    });
    this.#pull = pull;
    pull.start();
  }

  /** Why no node can be reached, one sentence. */
  get trouble(): string {
    return troubleOf(this.nodes);
  }

  /** Whether the nodes that can be reached do not let this client in. */
  get isRefused(): boolean {
    return this.nodes.some((node) => node.isRefused);
  }

  close(): void {
    this.#isClosed = true;
    this.#pull?.stop();
    for (const node of new Set([...this.#nodes, ...this.#seeds])) node.close();
    this.#tell();
  }

  #refreshLater(): void {
    if (this.#runtime.elapsedMs() - this.#pulledMs >= REFRESH_MS) this.refresh();
  }

  /** Nodes stay the same objects, with their connections, for as long as id and address stay. */
  #adopt(layout: Layout): void {
    this.#pulledMs = this.#runtime.elapsedMs();
    if (layout.number < this.number) return;
    const known = [...this.#nodes, ...this.#seeds];
    const nodes = layout.places.map(({ id, name, address }) => {
      const found = known.find((node) => node.address === address && (node.id === id || node.id === ""));
      const node = found ?? new RemoteNode(this.#runtime, address, this.#options);
      node.id = id;
      node.name = name;
      return node;
    });
    const gone = this.#nodes.filter((node) => !nodes.includes(node) && !this.#seeds.includes(node));
    this.#layout = layout;
    this.#nodes = nodes;
    // What is under way at a node that has left may still be answered.
    for (const node of gone) this.#runtime.after(REFRESH_MS, () => node.close(), true);
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const ready of waiting) ready();
  }
}

/** In their order, but those that are much slower than the fastest at last. */
function slowLast(nodes: RemoteNode[]): RemoteNode[] {
  let bestMs = Infinity;
  for (const node of nodes) bestMs = Math.min(bestMs, node.usualMs);
  const isSlow = (node: RemoteNode): boolean => node.usualMs > SLOW_TIMES * bestMs + SLOW_MS;
  if (!nodes.some(isSlow)) return nodes;
  return [...nodes.filter((node) => !isSlow(node)), ...nodes.filter(isSlow)];
}

function cheapFirst(nodes: RemoteNode[]): RemoteNode[] {
  return nodes.sort((left, right) => left.costMs - right.costMs);
}

/** Asks one node after the other, until one tells the layout. */
class Pull {
  readonly #runtime: Runtime;
  readonly #nodes: readonly RemoteNode[];
  readonly #known: Layout | null;
  readonly #done: (layout: Layout | null) => void;
  #index = 0;
  #timer: Timer | null = null;
  #isDone = false;

  constructor(
    runtime: Runtime,
    nodes: readonly RemoteNode[],
    known: Layout | null,
    done: (layout: Layout | null) => void,
  ) {
    this.#runtime = runtime;
    this.#nodes = nodes;
    this.#known = known;
    this.#done = done;
  }

  start(): void {
    this.#next();
  }

  stop(): void {
    this.#isDone = true;
    this.#timer?.cancel();
  }

  #next(): void {
    this.#timer?.cancel();
    if (this.#isDone) return;
    if (this.#index >= this.#nodes.length) return this.#end(null);
    const node = this.#nodes[this.#index++];
    this.#timer = this.#runtime.after(PATIENCE_MS, () => this.#next(), this.#known !== null);
    this.#ask(node);
  }

  #ask(node: RemoteNode): void {
    const beganMs = this.#runtime.elapsedMs();
    const question = encodeMessage(["layout", [this.#known?.number ?? 0]]);
    node.request(KIND_MESSAGE, 0, question.length, (target, offset) => target.set(question, offset), {
      replied: (frame) => {
        node.answered(this.#runtime.elapsedMs() - beganMs);
        const layout = this.#read(frame);
        if (layout === null) this.#next();
        else this.#end(layout);
      },
      failed: () => {
        node.failed();
        this.#next();
      },
    });
  }

  #read(frame: FrameView): Layout | null {
    if (frame.status !== STATUS_OK) return null;
    return readLayout(decodeMessage(frame.bytes, frame.start, frame.end), this.#known);
  }

  #end(layout: Layout | null): void {
    if (this.#isDone) return;
    this.stop();
    this.#done(layout);
  }
}
