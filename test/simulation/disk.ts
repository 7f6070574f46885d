/**
 * A machine's disk in memory, merciless about what was not synced.
 *
 * The fault model
 *   process death (kill)    keeps all that was written; what was not synced stays unsynced, and may
 *                           yet be lost by a later power loss, whoever wrote it
 *   power loss (unplug)     what a completed sync covered, and folder entries whose folder was
 *                           synced, are kept. Each write, cut and extension since then, on its own:
 *                           kept, dropped, torn to a prefix, or torn to some of its 512-byte
 *                           sectors; sometimes applied in another order. Each new, removed or
 *                           renamed file since its folder was synced, on its own: as before or as
 *                           after. A sync that was running covers nothing
 *   bit flips               flip(): the medium and the cache change; checksums are the only witness
 *   injected faults         the k-th operation of a kind fails, once or from then on, with an
 *                           errno; a failed write leaves a prefix; a failed sync leaves all
 *                           unsynced, and the *next* sync claims success without it (as Linux does:
 *                           the pages are clean)
 *   misdirected write       the k-th write lands elsewhere in its file, and nobody is told
 *   full disk               beyond `capacityBytes` a write leaves a prefix and throws ENOSPC
 *   death in the middle     the k-th operation throws Death after a part of it: the test then
 *                           unplugs
 *
 * Not modelled: lost durable writes, a firmware that lies about syncing.
 *
 * A SimulatedDisk is the machine's and outlives processes; mount() gives one process its Disk,
 * which throws on every call once the process is dead.
 */

import { type Disk, DiskError, type DiskFile } from "../../storage/disk.ts";
import type { SeededRandom } from "../random.ts";
import type { EventOwner, World } from "./clock.ts";

export type Operation =
  | "open"
  | "write"
  | "read"
  | "sync"
  | "truncate"
  | "preallocate"
  | "remove"
  | "rename"
  | "syncFolder";

export interface Fault {
  /** Which kind of operation; "change" is each that changes or syncs something. */
  readonly on: Operation | "change";
  /** The how-manieth from now on, from 1. */
  readonly at: number;
  /** From then on, not once. */
  readonly isSticky?: boolean;
  /** An errno; or "misdirect" (writes only); or "die". */
  readonly effect: string;
}

/**
 * Thrown in the middle of an operation when the process dies there; nothing in the product catches
 * it.
 */
export class Death extends Error {}

const SECTOR_BYTES = 512;

/** One change to a file that no sync covers: a write, or (bytes null) a new size. */
interface Change {
  readonly order: number;
  readonly position: number;
  readonly bytes: Uint8Array | null;
}

/** A file's bytes, growing by doubling. */
class Content {
  bytes = new Uint8Array(0);
  size = 0;

  write(source: Uint8Array, position: number): void {
    this.#fit(position + source.length);
    this.bytes.set(source, position);
    this.size = Math.max(this.size, position + source.length);
  }

  resize(size: number): void {
    this.#fit(size);
    if (size < this.size) this.bytes.fill(0, size, this.size);
    this.size = size;
  }

  copy(other: Content): void {
    this.bytes = other.bytes.slice(0, other.size);
    this.size = other.size;
  }

  apply(change: Change): void {
    if (change.bytes === null) this.resize(change.position);
    else this.write(change.bytes, change.position);
  }

  #fit(size: number): void {
    if (size <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(size, this.bytes.length * 2));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** A file, whatever its name: what the kernel shows and what the medium has. */
class Inode {
  readonly cached = new Content();
  readonly durable = new Content();
  unsynced: Change[] = [];

  change(order: number, position: number, bytes: Uint8Array | null): void {
    const change = { order, position, bytes };
    this.cached.apply(change);
    this.unsynced.push(change);
  }

  /** Makes the changes up to `order` durable. */
  settle(order: number): void {
    let count = 0;
    while (count < this.unsynced.length && this.unsynced[count].order <= order) {
      this.durable.apply(this.unsynced[count++]);
    }
    this.unsynced.splice(0, count);
  }

  /** What the medium has after a power loss; every change meets a fate of its own. */
  loseUnsynced(random: SeededRandom): void {
    // Now and then all changes share a fate: nothing arrived, or all did.
    const mood = random.below(6);
    const survivors: Change[] = [];
    for (const change of this.unsynced) {
      const fate = mood === 0 ? 0 : mood === 1 ? 1 : random.below(4);
      if (fate === 0) continue;
      if (fate === 1 || change.bytes === null) survivors.push(change);
      else if (fate === 2) survivors.push(tornToPrefix(change, change.bytes, random));
      else survivors.push(...tornToSectors(change, change.bytes, random));
    }
    if (random.chance(1, 3)) shuffle(survivors, random);
    for (const change of survivors) this.durable.apply(change);
    this.cached.copy(this.durable);
    this.unsynced = [];
  }
}

function tornToPrefix(change: Change, bytes: Uint8Array, random: SeededRandom): Change {
  return { ...change, bytes: bytes.subarray(0, random.below(bytes.length + 1)) };
}

function tornToSectors(change: Change, bytes: Uint8Array, random: SeededRandom): Change[] {
  const pieces: Change[] = [];
  let start = 0;
  while (start < bytes.length) {
    const sector = Math.floor((change.position + start) / SECTOR_BYTES);
    const end = Math.min(bytes.length, (sector + 1) * SECTOR_BYTES - change.position);
    if (random.chance(1, 2)) {
      const position = change.position + start;
      pieces.push({ order: change.order, position, bytes: bytes.subarray(start, end) });
    }
    start = end;
  }
  return pieces;
}

function shuffle(items: unknown[], random: SeededRandom): void {
  for (let index = items.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [items[index], items[other]] = [items[other], items[index]];
  }
}

interface ArmedFault extends Fault {
  seen: number;
}

export interface DiskShape {
  /** How long a sync takes, milliseconds: drawn evenly between the two. */
  readonly syncMsMin?: number;
  readonly syncMsMax?: number;
  readonly capacityBytes?: number;
}

export class SimulatedDisk {
  /** Bytes that all files together may have; may be changed at any time. */
  capacityBytes: number;
  /** Operations so far that changed or synced something. */
  changes: number;
  /** How often an injected fault has taken effect. */
  struck: number;
  /** The most bytes that one read asked for. */
  readBytesMax: number;
  readonly #world: World;
  readonly #random: SeededRandom;
  #syncMicrosMin = 0;
  #syncMicrosRange = 1;
  /** Path → file, or null for a folder: as the kernel shows it, and as the medium has it. */
  #cached: Map<string, Inode | null>;
  #durable: Map<string, Inode | null>;
  #faults: ArmedFault[];
  #mount: MountedDisk | null;
  #usedBytes: number;

  constructor(world: World, random: SeededRandom, shape: DiskShape = {}) {
    this.capacityBytes = shape.capacityBytes ?? 2 ** 40;
    this.changes = 0;
    this.struck = 0;
    this.readBytesMax = 0;
    this.#world = world;
    this.#random = random;
    const { syncMsMin = 0.1, syncMsMax = 2 } = shape;
    this.setSyncTime(syncMsMin, syncMsMax);
    this.#cached = new Map();
    this.#durable = new Map();
    this.#faults = [];
    this.#mount = null;
    this.#usedBytes = 0;
  }

  /** How long each sync takes that begins from now on: drawn evenly between the two. */
  setSyncTime(msMin: number, msMax: number): void {
    this.#syncMicrosMin = Math.floor(msMin * 1000);
    this.#syncMicrosRange = Math.floor(msMax * 1000) - this.#syncMicrosMin + 1;
  }

  /**
   * The disk of the next process; the one before is dead. `owner`: whose events syncs end in
   * (pauses).
   */
  mount(owner?: EventOwner): Disk {
    this.kill();
    this.#mount = new MountedDisk(this, owner ?? null);
    return this.#mount;
  }

  /** The process dies; the kernel keeps what it was given. */
  kill(): void {
    if (this.#mount !== null) this.#mount.alive = false;
    this.#mount = null;
  }

  /** The machine loses its power. */
  unplug(): void {
    this.kill();
    const inodes = new Set<Inode>();
    for (const map of [this.#durable, this.#cached]) {
      for (const inode of map.values()) if (inode !== null) inodes.add(inode);
    }
    for (const inode of inodes) inode.loseUnsynced(this.#random);
    this.#loseEntries();
    this.#countBytes();
  }

  /** All files are gone. */
  wipe(): void {
    this.kill();
    this.#cached = new Map();
    this.#durable = new Map();
    this.#usedBytes = 0;
  }

  inject(fault: Fault): void {
    this.#faults.push({ ...fault, seen: 0 });
  }

  clearFaults(): void {
    this.#faults = [];
  }

  /** Paths of all files, sorted. */
  files(): string[] {
    const paths: string[] = [];
    for (const [path, inode] of this.#cached) if (inode !== null) paths.push(path);
    return paths.sort();
  }

  /** A copy of a file's bytes as the kernel shows them. */
  contents(path: string): Uint8Array {
    const { cached } = this.find(path);
    return cached.bytes.slice(0, cached.size);
  }

  /** Makes these bytes a file's, durably. */
  setContents(path: string, bytes: Uint8Array): void {
    const inode = this.#cached.get(path) ?? new Inode();
    for (const map of [this.#cached, this.#durable]) map.set(path, inode);
    inode.cached.resize(0);
    inode.cached.write(bytes, 0);
    inode.durable.copy(inode.cached);
    inode.unsynced = [];
    this.#countBytes();
  }

  /** Turns one bit of a file over, durably. */
  flip(path: string, bit: number): void {
    const inode = this.find(path);
    inode.cached.bytes[bit >> 3] ^= 1 << (bit & 7);
    if (bit >> 3 < inode.durable.size) inode.durable.bytes[bit >> 3] ^= 1 << (bit & 7);
  }

  // What follows is for the mounted disk.

  find(path: string): Inode {
    const inode = this.#cached.get(path);
    if (inode === undefined || inode === null) throw new DiskError("ENOENT", `no file ${path}`);
    return inode;
  }

  has(path: string): boolean {
    return path === "" || this.#cached.has(path);
  }

  list(folder: string): string[] {
    const names: string[] = [];
    for (const path of this.#cached.keys()) {
      if (parentOf(path) === folder) names.push(path.slice(folder === "" ? 0 : folder.length + 1));
    }
    return names.sort();
  }

  link(path: string, inode: Inode | null): void {
    this.#cached.set(path, inode);
  }

  /** Takes a name away; the file lives on under another. */
  forget(path: string): void {
    this.#cached.delete(path);
  }

  unlink(path: string): void {
    const inode = this.#cached.get(path);
    if (inode !== undefined && inode !== null) this.#usedBytes -= inode.cached.size;
    this.#cached.delete(path);
  }

  syncFolder(folder: string): void {
    for (const path of new Set([...this.#cached.keys(), ...this.#durable.keys()])) {
      if (parentOf(path) !== folder) continue;
      const inode = this.#cached.get(path);
      if (inode === undefined) this.#durable.delete(path);
      else this.#durable.set(path, inode);
    }
  }

  /** Applies a change; throws ENOSPC, with a prefix written, beyond the capacity. */
  change(inode: Inode, position: number, bytes: Uint8Array | null): void {
    const before = inode.cached.size;
    const after = bytes === null ? position : Math.max(before, position + bytes.length);
    if (after > before && this.#usedBytes + after - before > this.capacityBytes) {
      if (bytes !== null) this.#changePrefix(inode, position, bytes);
      throw new DiskError("ENOSPC", "no space left on the simulated disk");
    }
    inode.change(this.changes, position, bytes);
    this.#usedBytes += after - before;
  }

  freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes);
  }

  /** Counts an operation; the effect of the fault that it meets, or "". */
  meet(operation: Operation): string {
    const isChange = operation !== "read" && operation !== "open";
    if (isChange) this.changes++;
    let effect = "";
    for (const fault of this.#faults) {
      if (fault.on !== operation && !(fault.on === "change" && isChange)) continue;
      fault.seen++;
      if (fault.seen === fault.at || (fault.isSticky === true && fault.seen > fault.at)) {
        effect = fault.effect;
      }
    }
    if (effect !== "") this.struck++;
    return effect;
  }

  /** A failing or dying write got this far. */
  changePart(inode: Inode, position: number, bytes: Uint8Array): void {
    this.#changePrefix(inode, position, bytes);
  }

  elsewhere(position: number): number {
    const sectors = 1 + this.#random.below(8);
    const distance = sectors * SECTOR_BYTES;
    return position >= distance && this.#random.chance(1, 2)
      ? position - distance
      : position + distance;
  }

  /** Runs a callback when a sync that begins now would have ended. */
  later(owner: EventOwner, run: () => void): void {
    const delay = this.#syncMicrosMin + this.#random.below(this.#syncMicrosRange);
    this.#world.at(this.#world.now + delay, owner, run);
  }

  #changePrefix(inode: Inode, position: number, bytes: Uint8Array): void {
    const room = this.capacityBytes - this.#usedBytes;
    const possible = Math.min(bytes.length, Math.max(0, inode.cached.size + room - position));
    const before = inode.cached.size;
    inode.change(this.changes, position, bytes.slice(0, this.#random.below(possible + 1)));
    this.#usedBytes += inode.cached.size - before;
  }

  /** Each entry that no folder sync covers is as before or as after, on its own. */
  #loseEntries(): void {
    const paths = [...new Set([...this.#cached.keys(), ...this.#durable.keys()])].sort();
    for (const path of paths) {
      const cached = this.#cached.get(path);
      if (cached === this.#durable.get(path) || this.#random.chance(1, 2)) continue;
      if (cached === undefined) this.#durable.delete(path);
      else this.#durable.set(path, cached);
    }
    for (const path of paths) {
      const parent = parentOf(path);
      // Sorted: a lost folder is gone before what was in it is asked.
      if (parent !== "" && !this.#durable.has(parent)) this.#durable.delete(path);
    }
    this.#cached = new Map(this.#durable);
  }

  #countBytes(): void {
    this.#usedBytes = 0;
    for (const inode of this.#cached.values()) {
      if (inode !== null) this.#usedBytes += inode.cached.size;
    }
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** The disk as one process sees it. */
class MountedDisk implements Disk {
  alive: boolean;
  readonly name: string;
  readonly #machine: SimulatedDisk;
  readonly #owner: EventOwner | null;

  constructor(machine: SimulatedDisk, owner: EventOwner | null) {
    this.alive = true;
    this.name = owner === null ? "disk" : owner.name;
    this.#machine = machine;
    this.#owner = owner;
  }

  /** Callbacks wait while the process is paused. */
  get pausedUntil(): number {
    return this.#owner === null ? 0 : this.#owner.pausedUntil;
  }

  /** Begins an operation of the living process. @throws DiskError, Death */
  begin(operation: Operation): string {
    if (!this.alive) throw new DiskError("EBADF", "the process of this disk is dead");
    const effect = this.#machine.meet(operation);
    if (effect === "die" && operation !== "write") throw new Death(operation);
    if (effect === "" || effect === "misdirect" || operation === "write") return effect;
    if (operation === "sync" || operation === "preallocate") return effect;
    throw new DiskError(effect, `injected ${effect} on ${operation}`);
  }

  open(path: string, options?: { create?: boolean }): DiskFile {
    this.begin("open");
    const machine = this.#machine;
    if (options?.create !== true) return new MountedFile(path, machine.find(path), this, machine);
    if (machine.has(path)) throw new DiskError("EEXIST", `there is a file ${path}`);
    if (!machine.has(parentOf(path))) throw new DiskError("ENOENT", `no folder for ${path}`);
    const inode = new Inode();
    machine.link(path, inode);
    return new MountedFile(path, inode, this, machine);
  }

  list(folder: string): string[] {
    this.begin("read");
    return this.#machine.list(folder);
  }

  exists(path: string): boolean {
    this.begin("read");
    return this.#machine.has(path);
  }

  makeFolder(path: string): void {
    this.begin("rename");
    for (let end = path.indexOf("/");; end = path.indexOf("/", end + 1)) {
      const part = end < 0 ? path : path.slice(0, end);
      if (!this.#machine.has(part)) this.#machine.link(part, null);
      if (end < 0) return;
    }
  }

  remove(path: string): void {
    this.begin("remove");
    this.#machine.find(path);
    this.#machine.unlink(path);
  }

  rename(source: string, target: string): void {
    this.begin("rename");
    const inode = this.#machine.find(source);
    if (this.#machine.has(target)) this.#machine.unlink(target);
    this.#machine.link(target, inode);
    this.#machine.forget(source);
  }

  syncFolder(folder: string): void {
    this.begin("syncFolder");
    this.#machine.syncFolder(folder);
  }

  freeBytes(): number {
    this.begin("read");
    return this.#machine.freeBytes();
  }
}

class MountedFile implements DiskFile {
  readonly path: string;
  readonly #inode: Inode;
  readonly #mount: MountedDisk;
  readonly #machine: SimulatedDisk;
  #isOpen: boolean;

  constructor(path: string, inode: Inode, mount: MountedDisk, machine: SimulatedDisk) {
    this.path = path;
    this.#inode = inode;
    this.#mount = mount;
    this.#machine = machine;
    this.#isOpen = true;
  }

  size(): number {
    this.#begin("read");
    return this.#inode.cached.size;
  }

  write(source: Uint8Array, start: number, end: number, position: number): void {
    const effect = this.#begin("write");
    const bytes = source.slice(start, end);
    if (effect === "misdirect") position = this.#machine.elsewhere(position);
    if (effect === "" || effect === "misdirect") {
      this.#machine.change(this.#inode, position, bytes);
      return;
    }
    this.#machine.changePart(this.#inode, position, bytes);
    if (effect === "die") throw new Death("write");
    throw new DiskError(effect, `injected ${effect} on write`);
  }

  read(target: Uint8Array, start: number, end: number, position: number): number {
    this.#begin("read");
    this.#machine.readBytesMax = Math.max(this.#machine.readBytesMax, end - start);
    const { cached } = this.#inode;
    const count = Math.max(0, Math.min(end - start, cached.size - position));
    target.set(cached.bytes.subarray(position, position + count), start);
    return count;
  }

  sync(done: (error: DiskError | null) => void): void {
    const effect = this.#begin("sync");
    const order = this.#machine.changes;
    this.#machine.later(this.#mount, () => {
      if (effect === "") this.#inode.settle(order);
      else this.#forgetUnsynced(order);
      done(effect === "" ? null : new DiskError(effect, `injected ${effect} on sync`));
    });
  }

  syncNow(): void {
    const effect = this.#begin("sync");
    if (effect === "") {
      this.#inode.settle(this.#machine.changes);
      return;
    }
    this.#forgetUnsynced(this.#machine.changes);
    throw new DiskError(effect, `injected ${effect} on sync`);
  }

  truncate(size: number): void {
    this.#begin("truncate");
    this.#machine.change(this.#inode, size, null);
  }

  preallocate(_from: number, to: number, done: (error: DiskError | null) => void): void {
    const effect = this.#begin("preallocate");
    const error = effect === "" ? this.#extend(to) : new DiskError(effect, `injected ${effect}`);
    const order = this.#machine.changes;
    this.#machine.later(this.#mount, () => {
      if (error === null) this.#inode.settle(order);
      done(error);
    });
  }

  close(): void {
    if (!this.#mount.alive) throw new DiskError("EBADF", "the process of this disk is dead");
    if (!this.#isOpen) throw new DiskError("EBADF", `${this.path} is closed`);
    this.#isOpen = false;
  }

  #extend(size: number): DiskError | null {
    try {
      this.#machine.change(this.#inode, size, null);
      return null;
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }

  #begin(operation: Operation): string {
    if (!this.#isOpen) throw new DiskError("EBADF", `${this.path} is closed`);
    return this.#mount.begin(operation);
  }

  /**
   * After a failed sync the kernel holds the pages for clean: the bytes stay readable until the
   * power goes, and no later sync writes them. The changes up to `order` never become durable.
   */
  #forgetUnsynced(order: number): void {
    this.#inode.unsynced = this.#inode.unsynced.filter((change) => change.order > order);
  }
}
