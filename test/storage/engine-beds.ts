/**
 * Where engines are tried: each engine on each kind of disk, behind one face.
 *
 *   memory            the memory engine
 *   log, simulated    the log on the simulated disk, in virtual time; small segments, so that it
 *                     rolls
 *   log, real         the log on the disk of this machine, in a folder of its own
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { openDataDirectory } from "../../server/ports/disk.ts";
import { systemClock } from "../../server/ports/clock.ts";
import type { Disk } from "../../storage/disk.ts";
import type { Engine, EngineOptions } from "../../storage/engine.ts";
import type { CompactionOptions } from "../../storage/log/compaction.ts";
import { type LogEngine, type LogOptions, openLogEngine } from "../../storage/log/log-engine.ts";
import { openMemoryEngine } from "../../storage/memory/memory-engine.ts";
import { SeededRandom } from "../random.ts";
import { World } from "../simulation/clock.ts";
import { type DiskShape, SimulatedDisk } from "../simulation/disk.ts";

export const OPTIONS: EngineOptions = {
  folder: "objects",
  partitionBits: 4,
  treeKey: Int32Array.of(1, 2, 3, 4),
  freeBytesMin: 0,
  totalBytesMax: 0,
};

export abstract class Bed {
  /** Whether the engine holds what it held after a close and a new open. */
  abstract readonly isKept: boolean;
  readonly #opened: Engine[] = [];

  open(options?: Partial<LogOptions>): Engine {
    const engine = this.make(options ?? {});
    this.#opened.push(engine);
    return engine;
  }

  /** Closes all that is open. */
  async close(): Promise<void> {
    for (const engine of this.#opened.splice(0)) await this.wait((done) => engine.close(done));
  }

  protected abstract make(options: Partial<LogOptions>): Engine;

  /** Waits for a callback that comes with time. */
  abstract wait(start: (done: () => void) => void): Promise<void>;

  /** Removes what was made. REQUIRES: all is closed */
  abstract end(): void;
}

class MemoryBed extends Bed {
  override readonly isKept = false;

  protected override make(options: Partial<LogOptions>): Engine {
    return openMemoryEngine({ ...OPTIONS, ...options });
  }

  override wait(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => start(resolve));
  }

  override end(): void {}
}

class SimulatedBed extends Bed {
  override readonly isKept = true;
  readonly #machine = new Machine(1);
  readonly #disk = this.#machine.disk.mount();

  protected override make(options: Partial<LogOptions>): Engine {
    return this.#machine.openOn(this.#disk, { segmentBytes: 32 << 10, ...options });
  }

  override wait(start: (done: () => void) => void): Promise<void> {
    this.#machine.wait(start);
    return Promise.resolve();
  }

  override end(): void {
    this.#machine.disk.wipe();
  }
}

class RealBed extends Bed {
  override readonly isKept = true;
  readonly #folder = mkdtempSync(`${tmpdir()}/halo-engine-`);
  readonly #data = openDataDirectory(this.#folder);

  protected override make(options: Partial<LogOptions>): Engine {
    return openLog(this.#data.disk, { soon: (callback) => systemClock.soon(callback), ...options });
  }

  override wait(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => start(resolve));
  }

  override end(): void {
    this.#data.release();
    rmSync(this.#folder, { recursive: true });
  }
}

export const BEDS: readonly { readonly name: string; make(): Bed }[] = [
  { name: "memory", make: () => new MemoryBed() },
  { name: "log, simulated disk", make: () => new SimulatedBed() },
  { name: "log, real disk", make: () => new RealBed() },
];

/** A simulated machine: a disk and the time in which it works. */
export class Machine {
  readonly world: World;
  readonly disk: SimulatedDisk;
  /** What compaction told. */
  readonly troubles: string[];
  #process = 0;

  constructor(seed: number, shape?: DiskShape) {
    this.world = new World();
    this.troubles = [];
    this.disk = new SimulatedDisk(this.world, new SeededRandom(seed), shape);
  }

  /** Opens the log as the next process; what the one before was about to do, it does not. */
  open(options?: Partial<LogOptions>): LogEngine {
    const process = ++this.#process;
    const soon = (callback: () => void): void => {
      this.world.after(0, () => {
        if (process === this.#process) callback();
      });
    };
    return this.openOn(this.disk.mount(), { soon, ...options });
  }

  openOn(disk: Disk, options?: Partial<LogOptions>): LogEngine {
    return openLog(disk, { soon: (callback) => void this.world.after(0, callback), ...options });
  }

  /** Compaction in this machine's time, for small segments: every few writes something is moved. */
  compaction(options?: Partial<CompactionOptions>): CompactionOptions {
    const { world } = this;
    return {
      clock: { elapsedMs: () => world.elapsedMs, after: (delayMs, callback) => this.after(delayMs, callback) },
      pacer: { after: (_bytes, step) => this.after(0.05, step) },
      told: (trouble) => this.troubles.push(trouble),
      deadRatioMin: 0.3,
      deadBytesMin: 100,
      coldMs: 0,
      stepBytes: 1000,
      checkMs: 0.1,
      ...options,
    };
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const event = this.world.after(delayMs, callback);
    return { cancel: () => this.world.cancel(event) };
  }

  /** Lets time pass until a callback has come. */
  wait(start: (done: () => void) => void): void {
    let isDone = false;
    start(() => {
      isDone = true;
    });
    if (!this.world.runUntil(() => isDone, 60_000)) throw new Error("The callback never came");
  }

  /** Syncs and says whether all is durable. */
  sync(engine: Engine): boolean {
    let result = false;
    this.wait((done) =>
      engine.sync((durable) => {
        result = durable;
        done();
      })
    );
    return result;
  }
}

function openLog(
  disk: Disk,
  options: Partial<LogOptions> & { soon: LogOptions["soon"] },
): LogEngine {
  let opened: LogEngine | null = null;
  let problem = "openLogEngine() has not called back";
  openLogEngine(disk, { ...OPTIONS, ...options }, (engine, error) => {
    opened = engine;
    problem = error;
  });
  if (opened === null) throw new Error(problem);
  return opened;
}
