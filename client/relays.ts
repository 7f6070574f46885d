/**
 * Requests to whoever is behind some addresses: a load balancer, a tunnel, nodes whose own addresses this client cannot
 * reach. Each goes to one of them, drawn at random; the node behind it hands it on to a coordinator.
 */

import { type NodeOptions, RemoteNode } from "./remote-node.ts";
import { type Routes, suspectedLast, troubleOf } from "./routes.ts";
import type { Runtime } from "./runtime.ts";

export class Relays implements Routes {
  readonly number = 0;
  readonly #runtime: Runtime;
  readonly #relays: readonly RemoteNode[];
  readonly #drawn = new Uint8Array(2);

  constructor(runtime: Runtime, addresses: readonly string[], options: NodeOptions) {
    this.#runtime = runtime;
    this.#relays = addresses.map((address) => new RemoteNode(runtime, address, options));
  }

  get trouble(): string {
    return troubleOf(this.#relays);
  }

  get isRefused(): boolean {
    return this.#relays.some((relay) => relay.isRefused);
  }

  whenKnown(ready: () => void): void {
    ready();
  }

  route(): RemoteNode[] {
    return this.anyone();
  }

  /** All of them, from a random one on. */
  anyone(): RemoteNode[] {
    this.#runtime.fill(this.#drawn);
    const first = (this.#drawn[0] * 256 + this.#drawn[1]) % this.#relays.length;
    return suspectedLast([...this.#relays.slice(first), ...this.#relays.slice(0, first)]);
  }

  seen(): void {}

  close(): void {
    for (const relay of this.#relays) relay.close();
  }
}
