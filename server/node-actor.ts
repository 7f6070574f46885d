/**
 * Who makes versions at this node (storage/actor), and its successor where the store may have forgotten
 * dots of its own.
 *
 *   actor ── dots forgotten ──► none ── written ──► new actor
 *                                │ ▲
 *                                └─┘ the disk does not take it: again later, less and less often
 *
 * Between the two the node makes no versions; it stays a replica, and passes writes on.
 */

import { toHex } from "../core/bytes.ts";
import { openActor, type Actor } from "../storage/actor.ts";
import { DiskError } from "../storage/disk.ts";
import type { Timer } from "./ports/clock.ts";
import type { Ports } from "./ports/ports.ts";

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;

export class NodeActor {
  readonly #ports: Ports;
  #actor: Actor | null = null;
  #retry: Timer | null = null;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** @param isKept whether the stores outlive the process. @throws DiskError */
  open(isKept: boolean): void {
    const { disk, bootId, random } = this.#ports;
    this.#actor = openActor({ disk, bootId, fill: (bytes) => random.fill(bytes), isKept });
  }

  /** @throws DiskError where there is none */
  get current(): Actor {
    if (this.#actor === null) throw new DiskError("EIO", "The store's actor could not be written");
    return this.#actor;
  }

  /** In hexadecimal; "" where there is none. */
  get text(): string {
    return this.#actor === null ? "" : toHex(this.#actor.bytes, 0, 8);
  }

  /** The store goes on as another actor; makes no versions until that is written. */
  renew(): void {
    this.#retry?.cancel();
    this.#actor = null;
    this.#tryToRenew(RETRY_MS_MIN);
  }

  #tryToRenew(retryMs: number): void {
    const { log, clock } = this.#ports;
    try {
      this.open(false);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      log.error("the store can make no versions until its new actor is written", { error: error.message, retryMs });
      this.#retry = clock.after(retryMs, () => this.#tryToRenew(Math.min(2 * retryMs, RETRY_MS_MAX)));
      return;
    }
    log.warn("the store goes on as a new actor", { actor: this.text });
    this.#recordLoss();
  }

  /** What the store has lost, others tell it; that it need not be asked for again at the next start. */
  #recordLoss(): void {
    try {
      this.current.lossRecorded();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const { message } = error;
      this.#ports.log.warn("the store will be compared with all replicas at its next start", { error: message });
    }
  }

  close(stampMs: number, stampLogical: number): void {
    this.#retry?.cancel();
    this.#actor?.close(stampMs, stampLogical);
  }

  // The dots of versions that this node makes.

  get actor(): Uint8Array {
    return this.current.bytes;
  }

  nextCounter(): number {
    return this.current.nextCounter();
  }

  coverStamp(ms: number): void {
    this.current.coverStamp(ms);
  }
}
