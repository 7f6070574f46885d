/**
 * A node that stops says so before it goes. Who has heard it sends it nothing more, and no request of theirs is cut off
 * half-way, of which nobody would know what became.
 *
 *   n3   takes no requests any more ── stopping ──► n1, n2   do not count on n3 until it has gone and come back
 *                                   ◄──── null ────
 *        answers what was on its way, ends what it has begun, closes
 *
 * A node of an older version refuses the message, and finds out as it does of any death.
 */

import type { Clock } from "../ports/clock.ts";
import type { Peers } from "../wire/peers.ts";
import type { FailureDetector } from "./failure-detector.ts";
import type { Member } from "./member.ts";

/** Who has not answered by then will notice otherwise. */
const TIMEOUT_MS = 300;
/** What was sent before the message was heard comes by another connection. */
const LINGER_MS = 50;

export class Farewell {
  readonly #clock: Clock;

  constructor(clock: Clock, peers: Peers, detector: FailureDetector) {
    this.#clock = clock;
    peers.onMessage("stopping", (_body, from, reply, refuse) => {
      if (from.role !== "peer" || from.nodeId === null) return refuse("members alone are answered");
      detector.leaves(from.nodeId);
      return reply(null);
    });
  }

  /** Tells these members; calls back once nothing more is on its way from those that heard it. */
  say(members: readonly Member[], done: () => void): void {
    let left = 1;
    const oneLess = (): void => {
      if (--left === 0) this.#clock.after(LINGER_MS, done);
    };
    for (const { isSelf, healthy, peer } of members) {
      if (isSelf || !healthy || peer === null) continue;
      left++;
      peer.call("stopping", null, TIMEOUT_MS, oneLess);
    }
    oneLess();
  }
}
