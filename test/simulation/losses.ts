/**
 * The fault atlas: which loss of data is allowed, so that any other is a bug.
 *
 * What the store promises (SPEC sections 1 and 3) and what follows for a write that was
 * acknowledged with `copies` replicas, `durable` of them after their fsync:
 *
 *   kill -9       loses nothing: every copy had been handed to the kernel.
 *   power loss    of a node loses what it took less than one sync window before (the interval of
 *                 the replica's syncs, two of the slowest syncs of its disk, some slack; the window
 *                 reaches back over a pause, and over a kill -9 until the next process has synced).
 *                 It never loses a durable copy.
 *   wiped disk    loses the node's copy, durable or not.
 *
 * So an acknowledged write is at risk, and only then, when since it began
 *
 *        nodes wiped  +  min(nodes that lost power, copies - durable)   ≥   copies
 *
 * counting a node that lost power only if that was within the write's sync window. `copies` is what
 * was asked for, though more may have it by now: so a second wiped disk puts the writes of the time
 * before the first at risk that asked for two copies, however well they were repaired in between.
 * The schedule of faults keeps wipes meaningful: a wipe waits until all members are up and
 * complete.
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
  #lastCrashMs = -1;

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

  get count(): number {
    return this.#losses.length;
  }

  /** Whether any loss can have touched what began at `sinceMs` or later, up to now. */
  anySince(sinceMs: number): boolean {
    return this.#losses.some((loss) => loss.atMs >= sinceMs);
  }

  /** Whether an acknowledged write may be gone: losing it is then no bug. */
  atRisk(write: Write): boolean {
    const { copies, durable } = write;
    const wiped = new Set<number>();
    const unplugged = new Set<number>();
    for (const loss of this.#losses) {
      if (loss.atMs < write.beganMs) continue;
      if (loss.kind === "wipe") wiped.add(loss.node);
      else if (loss.sinceMs <= write.endedMs) unplugged.add(loss.node);
    }
    return wiped.size + Math.min(unplugged.size, copies - durable) >= copies;
  }
}
