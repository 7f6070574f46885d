/**
 * A simulated network: the Network port of many nodes in one World, as bad as one asks it to be.
 *
 *   host "n1"  ──── link n1→n2: delay, loss, duplicates, clog, cut ────►  host "n2"
 *              ◄─── link n2→n1: its own state ───────────────────────
 *
 * What a link does to one `write`:
 *   delay       uniform around the mean; order within a connection is kept, as TCP keeps it
 *   loss        the write vanishes whole (harsher than TCP: what follows still arrives)
 *   duplicate   it is delivered twice
 *   clog        it is held until the clog ends
 *   cut         it vanishes, and so does what is under way; new connections time out
 * Writes hold whole frames, so frames stay whole; a delivery may still be cut into two pieces, as
 * TCP may. The receiver's bytes are scribbled over when `received` returns: they were only lent.
 *
 * The kernel of a host takes up to 256 KiB of what the other side has not read; beyond that writes
 * are pending, as with a reader that does not read. A process that is killed leaves its host up:
 * the other sides are told (after the delay), late bytes are answered with a reset. A host that
 * vanishes (silent) tells nobody: half-open connections, until it is back and answers them with
 * resets.
 */

import type { Listener, Network, Socket, SocketHandler } from "../../server/ports/network.ts";
import type { SeededRandom } from "../random.ts";
import type { SimulatedClock, World, WorldEvent } from "./clock.ts";

/** One direction between two hosts. Change the fields at any time. */
export class Link {
  /** Time under way in milliseconds: uniform from the minimum to as far beyond the mean. */
  delayMsMin = 0.2;
  delayMsMean = 0.5;
  /** Writes lost, duplicated, cut into two deliveries: out of 1,000. */
  lossPermille = 0;
  duplicatePermille = 0;
  splitPermille = 0;
  /** Nothing gets through, connections included. */
  cut = false;
  /** Until when (microseconds of the world) deliveries are held back. */
  cloggedUntil = 0;
  // What happened here.
  writes = 0;
  bytes = 0;
  lost = 0;
  duplicated = 0;
}

export type LinkState = Partial<
  Pick<
    Link,
    | "delayMsMin"
    | "delayMsMean"
    | "lossPermille"
    | "duplicatePermille"
    | "splitPermille"
    | "cut"
    | "cloggedUntil"
  >
>;

/** What a kernel takes for a reader that does not read. */
const KERNEL_BYTES = 256 << 10;
/** After this long a connection attempt that nobody answers is given up, as a kernel would. */
const CONNECT_TIMEOUT_MS = 8_000;
const CONNECT_REPEATS = 2;
/** Ports for the dialling side. */
const FIRST_DIAL_PORT = 40_000;

class Host {
  readonly name: string;
  /** The process that uses this host's network now. */
  clock: SimulatedClock | null = null;
  /** Whether its kernel answers. */
  up = true;
  readonly listeners = new Map<number, SimulatedListener>();
  readonly sockets = new Set<SimulatedSocket>();
  nextPort = FIRST_DIAL_PORT;

  constructor(name: string) {
    this.name = name;
  }
}

export class SimulatedNetwork {
  readonly world: World;
  readonly random: SeededRandom;
  /** What a link between two hosts begins as. */
  readonly defaults: LinkState;
  readonly #hosts = new Map<string, Host>();
  readonly #links = new Map<string, Link>();

  constructor(world: World, random: SeededRandom, defaults: LinkState = {}) {
    this.world = world;
    this.random = random;
    this.defaults = defaults;
  }

  /** The Network port of a process (its clock) on a host; the process before it must be dead. */
  port(name: string, clock: SimulatedClock): Network {
    const host = this.host(name);
    host.clock = clock;
    host.up = true;
    return new HostNetwork(this, host, clock);
  }

  /** The direction from one host to another. */
  link(source: string, target: string): Link {
    const key = `${source}>${target}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = Object.assign(new Link(), this.defaults);
      this.#links.set(key, link);
    }
    return link;
  }

  /** Changes both directions. */
  setBoth(left: string, right: string, state: LinkState): void {
    Object.assign(this.link(left, right), state);
    Object.assign(this.link(right, left), state);
  }

  /** Changes every direction between the hosts that are known so far, and the defaults. */
  setAll(state: LinkState): void {
    Object.assign(this.defaults, state);
    for (const link of this.#links.values()) Object.assign(link, state);
  }

  /** Lets nothing through from source to target; the other direction stays. */
  cutOneWay(source: string, target: string): void {
    this.link(source, target).cut = true;
  }

  cut(left: string, right: string): void {
    this.setBoth(left, right, { cut: true });
  }

  /** Ends all cuts and clogs, or those between two hosts. Loss, duplicates and delays stay. */
  heal(left?: string, right?: string): void {
    const state = { cut: false, cloggedUntil: 0 };
    if (left !== undefined && right !== undefined) this.setBoth(left, right, state);
    else this.setAll(state);
  }

  /** Holds back what goes from source to target for so long. */
  clog(source: string, target: string, durationMs: number): void {
    const until = this.world.now + Math.ceil(durationMs * 1000);
    const link = this.link(source, target);
    link.cloggedUntil = Math.max(link.cloggedUntil, until);
  }

  /**
   * The process on a host is dead: its clock is killed, its sockets and listeners are gone. The
   * other sides are told by its kernel, or, `silent`, not at all: the machine has lost its power.
   */
  kill(name: string, options: { silent?: boolean } = {}): void {
    const host = this.host(name);
    host.clock?.kill();
    host.clock = null;
    host.listeners.clear();
    host.up = options.silent !== true;
    for (const socket of [...host.sockets]) socket.abandon(host.up);
  }

  /** Sockets that are open at a host: for tests of leaks. */
  openSockets(name: string): number {
    return this.host(name).sockets.size;
  }

  host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new Host(name);
      this.#hosts.set(name, host);
    }
    return host;
  }

  /** Microseconds that something takes on a link, drawn anew each time. */
  delay(link: Link): number {
    const least = Math.floor(link.delayMsMin * 1000);
    const spread = Math.max(0, Math.floor((link.delayMsMean - link.delayMsMin) * 2000));
    return Math.max(1, least + this.random.below(spread + 1));
  }
}

class SimulatedListener implements Listener {
  readonly address: string;
  readonly accept: (socket: Socket) => SocketHandler;
  readonly #host: Host;
  readonly #port: number;

  constructor(host: Host, port: number, accept: (socket: Socket) => SocketHandler) {
    this.#host = host;
    this.#port = port;
    this.address = `${host.name}:${port}`;
    this.accept = accept;
  }

  close(): void {
    if (this.#host.listeners.get(this.#port) === this) this.#host.listeners.delete(this.#port);
  }
}

/** The Network port of one process. */
class HostNetwork implements Network {
  readonly #network: SimulatedNetwork;
  readonly #host: Host;
  readonly #clock: SimulatedClock;

  constructor(network: SimulatedNetwork, host: Host, clock: SimulatedClock) {
    this.#network = network;
    this.#host = host;
    this.#clock = clock;
  }

  listen(
    address: string,
    accept: (socket: Socket) => SocketHandler,
    done: (listener: Listener | null, error: string) => void,
  ): void {
    const [name, given] = splitAddress(address);
    const host = this.#host;
    this.#clock.soon(() => {
      const port = given === 0 ? host.nextPort++ : given;
      if (name !== host.name || host.listeners.has(port)) {
        const why = name === host.name ? "another process listens there" : "no such address here";
        done(null, `Cannot listen on ${address}: ${why}`);
        return;
      }
      const listener = new SimulatedListener(host, port, accept);
      host.listeners.set(port, listener);
      done(listener, "");
    });
  }

  connect(address: string, handler: SocketHandler): Socket {
    const socket = new SimulatedSocket(this.#network, this.#host, this.#clock, address);
    socket.serve(handler);
    const { world } = this.#network;
    const giveUp = world.at(world.now + CONNECT_TIMEOUT_MS * 1000, null, () => {
      socket.fail("no answer in time");
    });
    this.#dial(socket, address, giveUp, 0);
    return socket;
  }

  /**
   * A request to connect goes there and an answer comes back; a lost one is repeated after 1, 2, 4
   * s.
   */
  #dial(socket: SimulatedSocket, address: string, giveUp: WorldEvent, attempt: number): void {
    const { world, random } = this.#network;
    if (!socket.isOpening || !this.#clock.alive || attempt > CONNECT_REPEATS) return;
    const [name, port] = splitAddress(address);
    const there = this.#network.link(this.#host.name, name);
    const back = this.#network.link(name, this.#host.name);
    const lost = random.chance(there.lossPermille, 1000) || random.chance(back.lossPermille, 1000);
    const arrival = Math.max(world.now + this.#network.delay(there), there.cloggedUntil);
    world.at(arrival, null, () => {
      if (lost || there.cut || !this.#network.host(name).up) {
        world.after(1000 << attempt, () => this.#dial(socket, address, giveUp, attempt + 1));
        return;
      }
      const remote = this.#knock(name, port, socket);
      const answer = Math.max(world.now + this.#network.delay(back), back.cloggedUntil);
      world.at(answer, null, () => {
        if (back.cut) return;
        world.cancel(giveUp);
        if (remote === null) socket.fail("nothing listens there");
        else socket.establish(remote);
      });
    });
  }

  /** The other host's end of a new connection, or null where nobody listens. */
  #knock(name: string, port: number, socket: SimulatedSocket): SimulatedSocket | null {
    const host = this.#network.host(name);
    const listener = host.listeners.get(port);
    const clock = host.clock;
    if (listener === undefined || clock === null || !socket.isOpening) return null;
    const from = `${this.#host.name}:${this.#host.nextPort++}`;
    const remote = new SimulatedSocket(this.#network, host, clock, from);
    remote.establishAccepted(socket, listener.accept);
    return remote;
  }
}

interface QueuedWrite {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly release: (bytes: Uint8Array) => void;
}

/**
 * Bytes that came and were not read; `size` of them fill the other side's kernel until they are.
 */
interface Arrived {
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** One end of a connection. */
class SimulatedSocket implements Socket {
  readonly channel = null;
  readonly remote: string;
  readonly #network: SimulatedNetwork;
  readonly #host: Host;
  readonly #clock: SimulatedClock;
  #handler: SocketHandler | null = null;
  #other: SimulatedSocket | null = null;
  /** The direction from here to the other side, once it was asked for. */
  #way: Link | null = null;
  #state: "opening" | "open" | "closed" = "opening";
  /** Writes that the kernel has not taken. */
  #queue: QueuedWrite[] = [];
  #queuedBytes = 0;
  /** Taken by the kernel and not read by the other side. */
  #kernelBytes = 0;
  #pumping = false;
  /** When the last delivery to the other side is due: later ones come no earlier. */
  #lastArrival = 0;
  #paused = false;
  /** Arrived while reading was paused. */
  #inbox: Arrived[] = [];

  constructor(network: SimulatedNetwork, host: Host, clock: SimulatedClock, remote: string) {
    this.#network = network;
    this.#host = host;
    this.#clock = clock;
    this.remote = remote;
    host.sockets.add(this);
  }

  get isOpening(): boolean {
    return this.#state === "opening";
  }

  serve(handler: SocketHandler): void {
    this.#handler = handler;
  }

  // The port.

  write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void {
    if (this.#state !== "open") return;
    this.#queue.push({ bytes, length, release });
    this.#queuedBytes += length;
    this.#pumpSoon();
  }

  pendingBytes(): number {
    return this.#queuedBytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#clock.soon(() => this.#readInbox());
  }

  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#end(reason);
    this.#tellOther("closed by the other side");
  }

  // Connecting.

  /** The dialling end: the answer came. */
  establish(other: SimulatedSocket): void {
    if (this.#state !== "opening") {
      // Closed while the answer was under way: this kernel answers it with a reset.
      other.fail("the other side broke the connection");
      return;
    }
    this.#other = other;
    this.#way = null;
    this.#state = "open";
    this.#onClock(() => {
      if (this.#state === "open") this.#handler?.opened();
    });
  }

  /** The accepting end: the request to connect came. */
  establishAccepted(other: SimulatedSocket, accept: (socket: Socket) => SocketHandler): void {
    this.#other = other;
    this.#state = "open";
    this.#onClock(() => {
      this.#handler = accept(this);
      if (this.#state === "open") this.#handler.opened();
    });
  }

  /** The connection could not be made, or was reset. */
  fail(reason: string): void {
    if (this.#state !== "closed") this.#end(reason);
  }

  /** The process of this end is dead; its kernel tells the other end, or is dead as well. */
  abandon(tell: boolean): void {
    if (tell && this.#state === "open") this.#tellOther("the other side broke the connection");
    this.#state = "closed";
    this.#host.sockets.delete(this);
  }

  #end(reason: string): void {
    this.#state = "closed";
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#inbox = [];
    this.#host.sockets.delete(this);
    this.#onClock(() => this.#handler?.closed(reason));
  }

  /**
   * The end of this side travels behind its bytes. Only a cut can swallow it: kernels repeat it.
   */
  #tellOther(reason: string): void {
    const other = this.#other;
    if (other === null) return;
    const link = this.#link();
    this.#network.world.at(this.#arrivalOn(link), null, () => {
      if (link.cut || other.#state === "closed") return;
      other.#onClock(() => other.fail(reason));
    });
  }

  // Sending.

  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#clock.soon(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /** The kernel takes what it has room for. */
  #pump(): void {
    if (this.#state !== "open" || this.#queue.length === 0) return;
    while (this.#queue.length > 0 && this.#kernelBytes < KERNEL_BYTES) {
      const write = this.#queue.shift();
      if (write === undefined) break;
      this.#queuedBytes -= write.length;
      this.#kernelBytes += write.length;
      this.#send(write.bytes.slice(0, write.length));
      write.release(write.bytes);
    }
    if (this.#queue.length === 0) this.#handler?.drained();
  }

  #send(bytes: Uint8Array): void {
    const { world, random } = this.#network;
    const link = this.#link();
    link.writes++;
    link.bytes += bytes.length;
    const lost = random.chance(link.lossPermille, 1000);
    const twice = random.chance(link.duplicatePermille, 1000);
    if (lost) link.lost++;
    else if (twice) {
      link.duplicated++;
      const copy = bytes.slice();
      world.at(this.#arrivalOn(link), null, () => this.#arrive(copy, link, 0));
    }
    world.at(this.#arrivalOn(link), null, () => {
      if (lost) this.#taken(bytes.length);
      else this.#arrive(bytes, link, bytes.length);
    });
  }

  /**
   * Bytes of this end are at the other host. `size` of them are in our kernel until they are read.
   */
  #arrive(bytes: Uint8Array, link: Link, size: number): void {
    const { world } = this.#network;
    const other = this.#other;
    if (other === null || link.cut || !other.#host.up) {
      this.#taken(size);
      return;
    }
    if (other.#state === "closed") {
      // Nobody is there any more: the other kernel answers with a reset.
      const back = this.#network.link(other.#host.name, this.#host.name);
      world.at(world.now + this.#network.delay(back), null, () => {
        if (!back.cut) this.fail("the other side broke the connection");
      });
      return;
    }
    if (link.cloggedUntil > world.now) {
      world.at(link.cloggedUntil, null, () => this.#arrive(bytes, link, size));
      return;
    }
    other.#onClock(() => {
      other.#inbox.push({ bytes, size });
      other.#readInbox();
    });
  }

  #link(): Link {
    const target = this.#other === null ? "" : this.#other.#host.name;
    this.#way ??= this.#network.link(this.#host.name, target);
    return this.#way;
  }

  /** When something that leaves now is there; never before what left earlier. */
  #arrivalOn(link: Link): number {
    const { world } = this.#network;
    const earliest = Math.max(world.now + this.#network.delay(link), link.cloggedUntil);
    this.#lastArrival = Math.max(earliest, this.#lastArrival);
    return this.#lastArrival;
  }

  /** The other side has read so many bytes of ours. */
  #taken(length: number): void {
    this.#kernelBytes = Math.max(0, this.#kernelBytes - length);
    if (this.#queue.length > 0) this.#pumpSoon();
  }

  // Receiving.

  #readInbox(): void {
    while (this.#inbox.length > 0 && this.#state === "open" && !this.#paused) {
      const arrived = this.#inbox.shift();
      const other = this.#other;
      if (arrived === undefined || other === null) return;
      other.#taken(arrived.size);
      this.#hand(arrived.bytes);
    }
  }

  #hand(bytes: Uint8Array): void {
    const { random } = this.#network;
    const back = this.#other === null ? null : this.#other.#link();
    const split = back !== null && bytes.length > 1 && random.chance(back.splitPermille, 1000);
    if (split) this.#handInTwo(bytes, 1 + random.below(bytes.length - 1));
    else this.#handler?.received(bytes);
    bytes.fill(0xdb);
  }

  #handInTwo(bytes: Uint8Array, middle: number): void {
    this.#handler?.received(bytes.subarray(0, middle));
    if (this.#state === "open") this.#handler?.received(bytes.subarray(middle));
  }

  /** On behalf of this end's process: not when it is dead, later while it is paused. */
  #onClock(run: () => void): void {
    this.#network.world.at(this.#network.world.now, this.#clock, run);
  }
}

/** "n1:7071" as its parts. */
function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port)) {
    throw new Error(`"${address}" is no address of this world: name:port is wanted`);
  }
  return [address.slice(0, colon), port];
}
