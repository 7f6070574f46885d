/**
 * The fault atlas: which loss of data is allowed, so that any other is a bug.
 *
 * What the store promises (SPEC sections 1 and 3) and what follows for a write that was acknowledged
 * with `copies` replicas, `durable` of them after their fsync:
 *
 *   kill -9       loses nothing: every copy had been handed to the kernel.
 *   power loss    of a node loses what it took less than one sync window before (the replica syncs
 *                 every `syncIntervalMs`; the window adds the slowest sync of the simulated disk, and
 *                 reaches back over a pause, in which nothing is synced). It never loses a durable copy.
 *   wiped disk    loses the node's copy, durable or not, unless the whole cluster was seen equal and
 *                 synced (a checkpoint) after the write and before the wipe: then every owner has one.
 *
 * So an acknowledged write is at risk, and only then, when since it was written
 *
 *        nodes wiped  +  min(nodes that lost power, copies - durable)   ≥   copies
 *
 * counting a node that lost power only if that was within the write's sync window. After a checkpoint
 * `copies` and `durable` are the number of owners, and only later wipes count. The schedule of faults
 * (faults.ts) keeps this meaningful: a wipe waits until the node wiped before is complete again, and
 * never takes the last member that knows the layout.
 */

import type { Write } from "./history.ts";

interface Loss {
  readonly node: number;
  readonly kind: "power" | "wipe";
  readonly atMs: number;
  /** Power: what was written from here on may be gone. */
  readonly sinceMs: number;
}

export class Losses {
  readonly #losses: Loss[] = [];
  #checkpointMs = -1;
  #lastCrashMs = -1;
  #owners: number;

  /** @param owners replicas of an object, once all owners have it */
  constructor(owners: number) {
    this.#owners = owners;
  }

  /** Node `node` lost power at `atMs`; it had synced all that it took before `sinceMs`. */
  power(node: number, atMs: number, sinceMs: number): void {
    this.#losses.push({ node, kind: "power", atMs, sinceMs });
  }

  /** Node `node` lost its disk. */
  wipe(node: number, atMs: number): void {
    this.#losses.push({ node, kind: "wipe", atMs, sinceMs: -1 });
  }

  /** A process died, for whatever reason: what it kept in memory alone is gone. */
  crash(atMs: number): void {
    this.#lastCrashMs = atMs;
  }

  /** Whether any process has died since. */
  crashedSince(sinceMs: number): boolean {
    return this.#lastCrashMs >= sinceMs;
  }

  /** Every owner was seen to hold, synced, all that was acknowledged before `atMs`. */
  checkpoint(atMs: number): void {
    this.#checkpointMs = atMs;
  }

  get count(): number {
    return this.#losses.length;
  }

  /** Whether any loss can have touched what began at `sinceMs` or later, up to now. */
  anySince(sinceMs: number): boolean {
    return this.#losses.some((loss) => loss.atMs >= sinceMs);
  }

  /** Whether an acknowledged write may be gone: losing it is then no bug. */
  atRisk(write: Write): boolean {
    const settled = write.endedMs <= this.#checkpointMs;
    const copies = settled ? this.#owners : write.copies;
    const durable = settled ? this.#owners : write.durable;
    const sinceMs = settled ? this.#checkpointMs : write.beganMs;
    const wiped = new Set<number>();
    const unplugged = new Set<number>();
    for (const loss of this.#losses) {
      if (loss.atMs < sinceMs) continue;
      if (loss.kind === "wipe") wiped.add(loss.node);
      else if (loss.sinceMs <= write.endedMs) unplugged.add(loss.node);
    }
    return wiped.size + Math.min(unplugged.size, copies - durable) >= copies;
  }
}
