/**
 * An engine that does as it is told to: full, damaged under some names, or with syncs that wait or
 * fail. Below it is a sound one.
 */

import type { MerkleTree } from "../../../core/merkle-tree.ts";
import { toHex } from "../../../core/bytes.ts";
import type { ObjectName } from "../../../core/object-name.ts";
import type { Room } from "../../../storage/disk.ts";
import type {
  Engine,
  EngineStats,
  EntryKey,
  EntryOutcome,
  IndexEntry,
  ReadOutcome,
  Stage,
  VersionSet,
  WriteLabels,
  WriteOutcome,
} from "../../../storage/engine.ts";

const decoder = new TextDecoder();

export class FaultyEngine implements Engine {
  /** Writes are refused. */
  isFull = false;
  fullOf: Room = "disk";
  /** Writes that were refused so far. */
  refusals = 0;
  /** What a sync says; null: it waits until release(). */
  durable: boolean | null = true;
  /** What was noted, in hexadecimal digits. */
  readonly notes: string[] = [];
  readonly #engine: Engine;
  readonly #damaged = new Set<string>();
  #waiting: ((durable: boolean) => void)[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** What is held under a name cannot be read until it is written again. */
  damage(name: ObjectName): void {
    this.#damaged.add(decoder.decode(name.bytes));
  }

  /** Ends the syncs that wait; those to come end so as well. */
  release(durable: boolean): void {
    this.durable = durable;
    for (const done of this.#waiting.splice(0)) done(durable);
  }

  get unsynced(): boolean {
    return this.#engine.unsynced;
  }

  get lostNames(): number {
    return this.#engine.lostNames;
  }

  get treeKey(): Int32Array {
    return this.#engine.treeKey;
  }

  digestInto(name: ObjectName, target: Uint32Array, targetIndex: number): boolean {
    return this.#engine.digestInto(name, target, targetIndex);
  }

  read(name: ObjectName, done: (outcome: ReadOutcome) => void): void {
    if (!this.#isDamaged(name)) this.#engine.read(name, done);
    else done({ status: "damaged", detail: "a test said so" });
  }

  readHead(name: ObjectName): ReadOutcome {
    if (!this.#isDamaged(name)) return this.#engine.readHead(name);
    return { status: "damaged", detail: "a test said so" };
  }

  #isDamaged(name: ObjectName): boolean {
    return this.#damaged.has(decoder.decode(name.bytes));
  }

  readEntry(
    entry: EntryKey,
    done: (name: ObjectName | null, outcome: ReadOutcome) => void,
  ): void {
    this.#engine.readEntry(entry, done);
  }

  readEntryHead(entry: EntryKey): EntryOutcome {
    const outcome = this.#engine.readEntryHead(entry);
    if (outcome.status !== "found" || !this.#damaged.has(decoder.decode(outcome.name))) return outcome;
    return { status: "damaged", detail: "a test said so" };
  }

  write(name: ObjectName, set: VersionSet, labels: WriteLabels): WriteOutcome {
    if (this.isFull) {
      this.refusals++;
      return { status: "full", of: this.fullOf, detail: "a test said so" };
    }
    const outcome = this.#engine.write(name, set, labels);
    this.#damaged.delete(decoder.decode(name.bytes));
    return outcome;
  }

  stage(name: ObjectName): Stage {
    const stage = this.#engine.stage(name);
    const outcome = { status: "full", of: this.fullOf, detail: "a test said so" } as const;
    if (this.isFull) stage.append = () => outcome;
    return stage;
  }

  remove(name: ObjectName, digest0: number, digest1: number): WriteOutcome {
    return this.#engine.remove(name, digest0, digest1);
  }

  handOver(): boolean {
    return this.#engine.handOver();
  }

  handedOver(done: (isKept: boolean) => void): void {
    this.#engine.handedOver(done);
  }

  note(name: ObjectName, bytes: Uint8Array): WriteOutcome {
    this.notes.push(toHex(bytes, 0, bytes.length));
    return this.#engine.note(name, bytes);
  }

  sync(done: (durable: boolean) => void): void {
    if (this.durable === null) this.#waiting.push(done);
    else done(this.durable);
  }

  scan(from: number, to: number, visit: (entry: IndexEntry) => boolean): void {
    this.#engine.scan(from, to, visit);
  }

  scanBucket(
    bucketTag: number,
    from: number,
    to: number,
    visit: (entry: IndexEntry) => boolean,
  ): number {
    return this.#engine.scanBucket(bucketTag, from, to, visit);
  }

  tree(partition: number): MerkleTree {
    return this.#engine.tree(partition);
  }

  stats(): EngineStats {
    return this.#engine.stats();
  }

  close(done: () => void): void {
    this.#engine.close(done);
  }
}
