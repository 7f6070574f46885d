/**
 * Who makes versions at this node (storage/actor), and its successor where the store is about to forget dots of
 * its own: a set from elsewhere takes the place of a record that cannot be read.
 *
 *   actor ── may dots be forgotten? ──► new actor on disk ──► yes
 *     ▲                                        │
 *     └── no: the record stays damaged ◄── not written
 *
 * In this order, or a node that dies in between, or whose disk is full, would come back as the actor that forgot:
 * its next dot of that name covers the forgotten one, which others hold and no client was shown.
 */

import { toHex } from "../core/bytes.ts";
import { openActor, type Actor } from "../storage/actor.ts";
import { DiskError } from "../storage/disk.ts";
import type { Ports } from "./ports/ports.ts";

export class NodeActor {
  readonly #ports: Ports;
  #actor: Actor | null = null;
  /** It may have made versions. */
  #hasDots = false;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** @param isKept whether the store holds all that it held when the process before it died. @throws DiskError */
  open(isKept: boolean): void {
    const { disk, bootId, random } = this.#ports;
    this.#actor = openActor({ disk, bootId, fill: (bytes) => random.fill(bytes), isKept });
    this.#hasDots = !this.#actor.isNew;
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

  /**
   * The store is about to forget what may be dots of its own: whoever makes versions from now on is another, and
   * that is on disk. False: it cannot be written; the actor stays, and nothing may be forgotten.
   */
  renew(): boolean {
    if (!this.#hasDots) return true;
    const { log } = this.#ports;
    try {
      this.open(false);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      log.error("a damaged record stays as it is until a new actor can be written", { error: error.message });
      return false;
    }
    log.warn("the store goes on as a new actor", { actor: this.text });
    this.#recordLoss();
    return true;
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
    this.#actor?.close(stampMs, stampLogical);
  }

  // The dots of versions that this node makes.

  get actor(): Uint8Array {
    return this.current.bytes;
  }

  nextCounter(): number {
    this.#hasDots = true;
    return this.current.nextCounter();
  }

  coverStamp(ms: number): void {
    this.current.coverStamp(ms);
  }
}
