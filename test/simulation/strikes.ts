/**
 * Trouble at one message: nodes come and go, and at the n-th message between nodes while anything moves, one
 * thing goes wrong. Whatever asks to be let in, votes on a layout, transfers, compares, gives up and repairs
 * counts; gossip does not, which says all again a second later, nor do listings.
 *
 *   lost          the link from who asks to who is asked delivers nothing for some seconds
 *   answer lost   the link back does not
 *   asked dies    kill -9 of who is asked, which comes back
 *   asking dies   the same of who asks
 *
 * The world is the same for every n up to the strike, so that counting n up goes through all messages.
 */

import { Peer } from "../../server/wire/peer.ts";
import { surplusOf } from "./inspection.ts";
import type { Simulation } from "./simulation.ts";

export const TROUBLES = ["lost", "answer lost", "asked dies", "asking dies"] as const;
const NOT_COUNTED = /^(gossip|list)/;
/** Longer than a message waits for its answer. */
const CUT_MS = 6_000;
const AWAY_MS = 2_000;

export class Strike {
  /** Messages that were counted so far. */
  messages = 0;
  readonly #simulation: Simulation;
  readonly #at: number;
  readonly #trouble: typeof TROUBLES[number];

  /** @param at the message with this number is struck, from 0 */
  constructor(simulation: Simulation, trouble: typeof TROUBLES[number], at: number) {
    this.#simulation = simulation;
    this.#trouble = trouble;
    this.#at = at;
  }

  /** Counts and strikes from now on; the function ends that. */
  lay(): () => void {
    const strike = this;
    const { call } = Peer.prototype;
    Peer.prototype.call = function (this: Peer, type, body, timeoutMs, done): void {
      if (!NOT_COUNTED.test(type) && strike.#isMoving() && strike.messages++ === strike.#at) strike.#hit(this, type);
      call.call(this, type, body, timeoutMs, done);
    };
    return () => {
      Peer.prototype.call = call;
    };
  }

  #isMoving(): boolean {
    const { administrators, cluster } = this.#simulation;
    return administrators.underWay > 0 || !cluster.isSettled() || surplusOf(cluster) > 0;
  }

  #hit(peer: Peer, type: string): void {
    const { cluster, world, trace } = this.#simulation;
    const asked = cluster.indexAt(peer.address);
    const asking = this.#ownerOf(peer);
    trace.add(world.elapsedMs, `STRIKE ${this.#trouble}: message ${this.#at}, ${type} from node ${asking} to node ${asked}`);
    if (this.#trouble === "lost") return this.#cut(asking, asked);
    if (this.#trouble === "answer lost") return this.#cut(asked, asking);
    const dying = this.#trouble === "asked dies" ? asked : asking;
    // Not from inside a call of the node that dies.
    world.after(0, () => {
      if (!cluster.isUp(dying)) return;
      cluster.kill(dying);
      world.after(AWAY_MS, () => {
        if (cluster.isInside(dying) && !cluster.isUp(dying)) cluster.start(dying);
      });
    });
  }

  #cut(from: number, to: number): void {
    const { cluster, world } = this.#simulation;
    cluster.cut(from, to, true);
    world.after(CUT_MS, () => cluster.cut(from, to, false));
  }

  /** The node whose link this is: a member's, or the first that is up and no member yet. */
  #ownerOf(link: Peer): number {
    const { cluster } = this.#simulation;
    const owner = cluster.ownerOf(link);
    const newcomer = cluster.inside.find((index) => {
      return cluster.isUp(index) && cluster.node(index)?.membership.ready !== true;
    });
    return owner >= 0 ? owner : (newcomer ?? 0);
  }
}
