/** A small world for tests of the wire: nodes with Peers, and a raw client that sends any bytes. */

import {
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type FrameView,
  KIND_HELLO,
  REPLY_BIT,
  STATUS_OK,
  writeFrameHeader,
} from "../../../core/frame.ts";
import { FrameReader } from "../../../core/frame-reader.ts";
import type { Log, LogFields } from "../../../server/ports/log.ts";
import type { Socket, SocketHandler } from "../../../server/ports/network.ts";
import { encodeMessage } from "../../../server/wire/messages.ts";
import {
  type Peer,
  Peers,
  type PeersOptions,
  type ReplyHandler,
} from "../../../server/wire/peers.ts";
import { SeededRandom } from "../../random.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { type LinkState, SimulatedNetwork } from "../../simulation/network.ts";

export const CLUSTER = "c0ffee";

export interface WireNode {
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly clock: SimulatedClock;
  readonly peers: Peers;
}

export class WireWorld {
  readonly world = new World();
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  /** Warnings and errors, as "event why". */
  readonly warnings: string[] = [];
  readonly log: Log = {
    info: () => {},
    warn: (event, fields) => void this.warnings.push(lineOf(event, fields)),
    error: (event, fields) => void this.warnings.push(lineOf(event, fields)),
  };

  constructor(seed: number, links: LinkState = {}) {
    this.random = new SeededRandom(seed);
    this.network = new SimulatedNetwork(this.world, this.random, links);
  }

  /** A node that listens at "<name>:7071"; its id is made of the digit. */
  node(
    name: string,
    digit: string,
    options: PeersOptions & { cluster?: string | null; secret?: Uint8Array } = {},
  ): WireNode {
    const id = digit.repeat(16);
    const clock = new SimulatedClock(this.world, name);
    const ports = { clock, random: this.random, log: this.log };
    const cluster = options.cluster === undefined ? CLUSTER : options.cluster;
    const identity = { clusterId: () => cluster, nodeId: id, name, secret: options.secret ?? null };
    const network = this.network.port(name, clock);
    const peers = new Peers({ ...ports, network }, identity, options);
    peers.onMessage("echo", (body, _from, reply) => reply(body));
    peers.onMessage("refuse", (_body, _from, _reply, refuse) => refuse("No, said the node"));
    const address = `${name}:7071`;
    peers.listen(address, (_bound, error) => {
      if (error !== "") throw new Error(error);
    });
    this.world.run(1);
    return { name, id, address, clock, peers };
  }

  /** A connection from host "raw" that is not made by the code under test. */
  raw(address: string): RawLink {
    const clock = new SimulatedClock(this.world, "raw");
    const link = new RawLink();
    link.attach(this.network.port("raw", clock).connect(address, link));
    return link;
  }
}

function lineOf(event: string, fields: LogFields = {}): string {
  return `${event} ${String(fields.why ?? fields.what ?? "")}`.trim();
}

export interface RawFrame {
  readonly kind: number;
  readonly status: number;
  readonly correlation: number;
  readonly layout: number;
  readonly body: Uint8Array;
}

/** Speaks bytes; keeps the frames that come back. */
export class RawLink implements SocketHandler {
  readonly frames: RawFrame[] = [];
  isOpen = false;
  /** Why it was closed, "" while it is not. */
  closedWhy = "";
  closedTimes = 0;
  #socket: Socket | null = null;
  readonly #reader = new FrameReader(FRAME_BYTES_MAX, (frame) => {
    this.frames.push(copyOf(frame));
    return true;
  });

  attach(socket: Socket): void {
    this.#socket = socket;
  }
  opened(): void {
    this.isOpen = true;
  }
  received(bytes: Uint8Array): void {
    this.#reader.take(bytes);
  }
  drained(): void {}
  closed(reason: string): void {
    this.isOpen = false;
    this.closedTimes++;
    this.closedWhy = reason || "closed";
  }
  /** One write. */
  send(bytes: Uint8Array): void {
    this.#socket?.write(bytes, bytes.length, () => {});
  }
  pause(): void {
    this.#socket?.pause();
  }
  resume(): void {
    this.#socket?.resume();
  }
  close(): void {
    this.#socket?.close("the test is done");
  }
}

function copyOf(frame: FrameView): RawFrame {
  const { kind, status, correlation, layout, bytes, start, end } = frame;
  return { kind, status, correlation, layout, body: bytes.slice(start, end) };
}

/** A whole frame. */
export function frameOf(
  kind: number,
  correlation: number,
  body: Uint8Array,
  status = STATUS_OK,
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  writeFrameHeader(bytes, 0, kind, 0, status, correlation, 0, body.length);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

export interface HelloFields {
  readonly protocol?: unknown;
  readonly cluster?: unknown;
  readonly node?: unknown;
  readonly name?: unknown;
  readonly role?: unknown;
  readonly [more: string]: unknown;
}

/** A HELLO of a client unless told otherwise. */
export function helloOf(fields: HelloFields = {}): Uint8Array {
  const hello = {
    protocol: 1,
    cluster: CLUSTER,
    node: null,
    name: "raw",
    role: "client",
    ...fields,
  };
  return frameOf(KIND_HELLO, 0, encodeMessage(hello));
}

export const KIND_HELLO_REPLY = KIND_HELLO | REPLY_BIT;

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** A listener that greets like a node and then does what a test says with each frame it gets. */
export class RogueNode {
  readonly address = "rogue:1";
  readonly id = "e".repeat(16);
  readonly received: RawFrame[] = [];
  onFrame: (frame: RawFrame, answer: (bytes: Uint8Array) => void) => void = () => {};

  constructor(world: WireWorld) {
    const clock = new SimulatedClock(world.world, "rogue");
    world.network.port("rogue", clock).listen(
      this.address,
      (socket) => this.#serve(socket),
      () => {},
    );
    world.world.run(1);
  }

  #serve(socket: Socket): SocketHandler {
    const answer = (bytes: Uint8Array): void => socket.write(bytes, bytes.length, () => {});
    const reader = new FrameReader(FRAME_BYTES_MAX, (view) => {
      const frame = copyOf(view);
      if (frame.kind === KIND_HELLO) answer(this.#welcome());
      else {
        this.received.push(frame);
        this.onFrame(frame, answer);
      }
      return true;
    });
    return {
      opened: () => {},
      received: (bytes) => void reader.take(bytes),
      drained: () => {},
      closed: () => {},
    };
  }

  #welcome(): Uint8Array {
    const welcome = { protocol: 1, cluster: CLUSTER, node: this.id, name: "rogue" };
    return frameOf(KIND_HELLO_REPLY, 0, encodeMessage(welcome));
  }
}

/** Counts how requests end, by tag; notes an end that comes before request() returned. */
export class Ends implements ReplyHandler {
  readonly byTag = new Map<number, string[]>();
  readonly frames: RawFrame[] = [];
  inRequest = false;
  tooEarly = 0;

  replied(tag: number, frame: FrameView): void {
    this.frames.push(copyOf(frame));
    this.#end(tag, "replied");
  }

  failed(tag: number, reason: string): void {
    this.#end(tag, reason);
  }

  /** Sends one request with that body; whether it was accepted. */
  request(peer: Peer, kind: number, tag: number, body: Uint8Array, timeoutMs = 1_000): boolean {
    this.inRequest = true;
    const offset = peer.request(kind, 0, 0, body.length, timeoutMs, this, tag);
    this.inRequest = false;
    if (offset >= 0) peer.buffer.set(body, offset);
    return offset >= 0;
  }

  of(tag: number): string {
    return (this.byTag.get(tag) ?? []).join(",");
  }

  count(how: string): number {
    return [...this.byTag.values()].filter((ends) => ends.join(",") === how).length;
  }

  #end(tag: number, how: string): void {
    if (this.inRequest) this.tooEarly++;
    const ends = this.byTag.get(tag);
    if (ends === undefined) this.byTag.set(tag, [how]);
    else ends.push(how);
  }
}
