/**
 * POST /cluster/restore: finished states from a backup, stored durably at all owners of their names.
 *
 *   body    states one after the other (state-list.ts)
 *   answer  {"stored": 249, "outdated": 1, "failed": 0, "detail": ""}
 *
 * What was written before its partition's round closed (replication/rounds.ts) is outdated: it may have been
 * deleted, and the delete forgotten. It is left out, unless it comes without a round (ANY_ROUND): of another
 * cluster, or because an administrator wants it all the same.
 *
 * A state is joined with what is held: one that came before, through this node or another, changes
 * nothing, and an older one than what is held is superseded by it. So whoever is not sure says it again.
 *
 * A large payload goes into a stage as it comes, and to the owners in slices: it is never whole in memory.
 */

import type { Clock } from "../ports/clock.ts";
import { json } from "./buckets.ts";
import type { HttpNode } from "./http-node.ts";
import { IncomingStream } from "./incoming-stream.ts";
import { problemOf, Refusal } from "./problem.ts";
import { NO_ROOM, RequestBodies } from "./request-body.ts";
import { LIST_HELD_BYTES_MAX, type State, StateList } from "./state-list.ts";

/** The round of a state that is taken whatever was forgotten since. */
export const ANY_ROUND = 0xffffffff;
/** States are sent together up to about this size; a larger one comes alone. */
export const RESTORE_BODY_BYTES = 1 << 20;
/** Head and name of a state, beyond its one large value. */
const STATE_ROOM_BYTES = 256 << 10;

export interface RestoreAnswer {
  readonly stored: number;
  /** States that may have been deleted since they were written: left out. */
  readonly outdated: number;
  readonly failed: number;
  /** Why the first of the failed ones was not stored; "" where all were. */
  readonly detail: string;
}

export class RestoreRoute {
  readonly #node: HttpNode;
  readonly #clock: Clock;
  readonly #bodies: RequestBodies;
  readonly #bytesMax: number;

  constructor(node: HttpNode, clock: Clock, valueBytesMax: number) {
    this.#node = node;
    this.#clock = clock;
    this.#bodies = new RequestBodies(clock, "list of states");
    this.#bytesMax = Math.max(valueBytesMax, RESTORE_BODY_BYTES) + STATE_ROOM_BYTES;
  }

  /** @throws Refusal where the declared length is too large */
  take(request: Request): Promise<Response> {
    const list = new StateList((name) => this.#node.store.stage(name), this.#bytesMax);
    const declared = Number(request.headers.get("content-length") ?? 0);
    if (declared > this.#bytesMax) throw this.#bodies.tooLarge(this.#bytesMax, request);
    if (!this.#bodies.take(LIST_HELD_BYTES_MAX)) throw new Refusal("overloaded", NO_ROOM);
    return new Promise((resolve) => {
      const answer = (response: Response): void => {
        list.drop();
        this.#bodies.give(LIST_HELD_BYTES_MAX);
        resolve(response);
      };
      const end = (refusal: Refusal | null): void => {
        if (refusal !== null) return answer(problemOf(refusal));
        try {
          this.#store(list.states, (report) => answer(json(report)));
        } catch (thrown) {
          // Nobody is above a callback: who waits for the answer would wait for ever.
          answer(problemOf(thrown));
        }
      };
      if (request.body === null) end(null);
      else new IncomingStream(this.#clock, request.body, list, end).read();
    });
  }

  #store(states: readonly State[], done: (answer: RestoreAnswer) => void): void {
    let left = states.length;
    let stored = 0;
    let outdated = 0;
    let first = "";
    const finish = (): void => {
      done({ stored, outdated, failed: states.length - stored - outdated, detail: first });
    };
    if (left === 0) return finish();
    for (const state of states) {
      if (state.round !== ANY_ROUND && this.#node.isOutdated(state.name, state.round)) {
        outdated++;
        if (--left === 0) finish();
        continue;
      }
      const end = (detail: string): void => {
        if (detail === "") stored++;
        else if (first === "") first = detail;
        if (--left === 0) finish();
      };
      if (typeof state.set === "string") end(state.set);
      else this.#node.storeAtOwners(state.name, state.set, end);
    }
  }
}
