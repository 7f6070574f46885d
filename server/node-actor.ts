/**
 * Who makes versions at this node (storage/actor), and its successor where the store may have forgotten
 * dots of its own. Between the two, when the new one cannot be written, the node makes no versions.
 */

import { toHex } from "../core/bytes.ts";
import { openActor, type Actor } from "../storage/actor.ts";
import { DiskError } from "../storage/disk.ts";
import type { Ports } from "./ports/ports.ts";

export class NodeActor {
  readonly #ports: Ports;
  #actor: Actor | null = null;

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

  /** The store goes on as another actor, or makes no versions. */
  renew(): void {
    this.#actor = null;
    try {
      this.open(false);
      this.current.lossRecorded();
      this.#ports.log.warn("the store goes on as a new actor", { actor: this.text });
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#ports.log.error("the store can make no versions", { error: error.message });
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
    return this.current.nextCounter();
  }

  coverStamp(ms: number): void {
    this.current.coverStamp(ms);
  }
}
