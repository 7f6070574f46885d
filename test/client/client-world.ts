/** A client library beside a small cluster, on the same simulated network and in the same virtual time. */

import { type ConnectOptions, Halo } from "../../client/client.ts";
import type { Runtime } from "../../client/runtime.ts";
import { SeededRandom } from "../random.ts";
import { type ClusterOptions, SmallCluster } from "../server/replication/small-cluster.ts";
import { SimulatedClock } from "../simulation/clock.ts";

const LIMIT_MS = 120_000;

export interface ClientParts extends ConnectOptions {
  /** Nodes that the client is told of; default: the first. */
  readonly seeds?: string;
}

export class ClientWorld {
  readonly cluster: SmallCluster;
  #clients = 0;

  constructor(nodes: number, options: ClusterOptions = {}) {
    this.cluster = new SmallCluster(nodes, options);
  }

  /** A client on a host of its own: "client", "client2", … */
  client({ seeds = "n0:7071", ...options }: ClientParts = {}): Halo {
    this.#clients++;
    const name = this.#clients === 1 ? "client" : `client${this.#clients}`;
    return new Halo(this.#runtime(name), seeds, options);
  }

  /** Lets time pass until the promise has settled. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const { world } = this.cluster;
    await drained();
    for (let passedMs = 0; !isSettled; passedMs++) {
      if (passedMs > LIMIT_MS) throw new Error(`Nothing came of it in ${LIMIT_MS} ms`);
      world.run(1);
      await drained();
    }
    return promise;
  }

  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs++) {
      this.cluster.run(1);
      await drained();
    }
  }

  #runtime(name: string): Runtime {
    const { world, network, random } = this.cluster;
    const clock = new SimulatedClock(world, name);
    const seeded = new SeededRandom(random.uint32());
    const port = network.port(name, clock);
    return {
      connect: (address, handler) => port.connect(address, handler),
      nowMs: () => clock.nowMs(),
      elapsedMs: () => clock.elapsedMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      fill: (bytes) => seeded.fill(bytes),
    };
  }
}

/** What waits for promises has run. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
