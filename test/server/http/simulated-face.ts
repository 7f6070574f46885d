/** The HTTP face of one node of a simulated cluster, and the time that passes while HTTP waits for it. */

import { BODY_BYTES_IN_FLIGHT_MAX, VALUE_BYTES_MAX_LIMIT } from "../../../core/limits.ts";
import { createApp } from "../../../server/http/app.ts";
import type { Clock } from "../../../server/ports/clock.ts";
import type { HttpHandler } from "../../../server/ports/http-server.ts";
import { SeededRandom } from "../../random.ts";
import type { Shape } from "../../simulation/shape.ts";
import { Stage } from "../../simulation/stage.ts";

const STILL: Clock = {
  nowMs: () => 0,
  elapsedMs: () => 0,
  after: () => ({ cancel: () => undefined }),
  soon: () => undefined,
};

export class SimulatedFace {
  readonly stage: Stage;
  /** The machine of the node. */
  readonly here: number;
  #handle: HttpHandler;

  /** @param more of the cluster's shape */
  constructor(here: number, more: Partial<Shape> = {}, spares = 0) {
    this.stage = new Stage(3, 1, spares, more);
    this.here = here;
    this.#handle = this.#faceOf(here);
  }

  /** From now on requests go to the node that runs on another machine, or anew on the same. */
  turnTo(machine: number): void {
    this.#handle = this.#faceOf(machine);
  }

  #faceOf(machine: number): HttpHandler {
    const node = this.stage.cluster.node(machine);
    if (node === null) throw new Error("The node is down");
    const random = new SeededRandom(1);
    return createApp(node, {
      clock: STILL,
      random: { fill: (bytes) => random.fill(bytes), below: (bound) => random.below(bound) },
      valueBytesMax: VALUE_BYTES_MAX_LIMIT,
      bodyBytesMax: BODY_BYTES_IN_FLIGHT_MAX,
    });
  }

  send(method: string, target: string, init: RequestInit = {}): Promise<Response> {
    const request = new Request(`http://h${target}`, { method, ...init });
    return this.finish(Promise.resolve(this.#handle(request)));
  }

  /** Lets simulated time pass until something has come that HTTP waits for. */
  async finish<Answer>(coming: Promise<Answer>): Promise<Answer> {
    let isEnded = false;
    const ended = coming.finally(() => {
      isEnded = true;
    });
    // What it fails with is for whoever awaits it, below.
    ended.catch(() => {});
    while (!isEnded) {
      this.stage.run(10);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return ended;
  }
}
