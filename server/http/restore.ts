/**
 * POST /cluster/restore: finished states from a backup, stored durably at all owners of their names.
 *
 *   body    states one after the other: name length u32, set length u32, round u32, name, set (as replicas send it)
 *   answer  {"stored": 249, "outdated": 1, "failed": 0, "detail": ""}
 *
 * What was written before its partition's round closed (replication/rounds.ts) is outdated: it may have been
 * deleted, and the delete forgotten. It is left out, unless it comes without a round (ANY_ROUND): of another
 * cluster, or because an administrator wants it all the same.
 *
 * A state is joined with what is held: one that came before, through this node or another, changes
 * nothing, and an older one than what is held is superseded by it. So whoever is not sure says it again.
 *
 * A large payload comes whole in its body and is staged here, so that from here on it is large on every road:
 * to the owners it goes in slices.
 */

import { STREAM_BYTES_MIN } from "../../core/limits.ts";
import { readU32, writeU32 } from "../../core/bytes.ts";
import { checkName, ObjectName } from "../../core/object-name.ts";
import { readSet, setLength, writeSet } from "../../core/replica-frames.ts";
import { payloadChecksum, versionOffset } from "../../core/version-set.ts";
import type { Stage, VersionSet } from "../../storage/engine.ts";
import { type Payload, wholeBytes } from "../../storage/large-payload.ts";
import type { Clock } from "../ports/clock.ts";
import { json } from "./buckets.ts";
import type { HttpNode } from "./http-node.ts";
import { guarded, problemOf, Refusal } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";

const FIXED = 12;
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

interface State {
  readonly name: ObjectName;
  readonly set: VersionSet;
  readonly round: number;
}

/** A state as it stands in the body. */
export function packState(name: Uint8Array, set: VersionSet, round: number): Uint8Array {
  const { head } = set;
  const payloads = set.payloads.map((payload) => (payload === null ? null : wholeBytes(payload)));
  const length = setLength({ head, payloads });
  const bytes = new Uint8Array(FIXED + name.length + length);
  writeU32(bytes, 0, name.length);
  writeU32(bytes, 4, length);
  writeU32(bytes, 8, round);
  bytes.set(name, FIXED);
  writeSet({ head, payloads }, bytes, FIXED + name.length);
  return bytes;
}

export class RestoreRoute {
  readonly #node: HttpNode;
  readonly #bodies: RequestBodies;
  readonly #bytesMax: number;

  constructor(node: HttpNode, clock: Clock, valueBytesMax: number) {
    this.#node = node;
    this.#bodies = new RequestBodies(clock, "list of states");
    this.#bytesMax = Math.max(valueBytesMax, RESTORE_BODY_BYTES) + STATE_ROOM_BYTES;
  }

  take(request: Request): Promise<Response> {
    return new Promise((resolve) => {
      this.#bodies.read(request, this.#bytesMax, (bytes, refusal, body) => {
        const answer = (response: Response): void => {
          body.release();
          resolve(response);
        };
        if (bytes === null) return answer(problemOf(refusal));
        const states = readStates(bytes);
        if (states !== null) return this.#store(states, (report) => answer(json(report)));
        return answer(guarded(() => {
          throw new Refusal("bad-parameter", "The body is no list of states, want them as packed.");
        }));
      });
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
      this.#storeOne(state, (detail) => {
        if (detail === "") stored++;
        else if (first === "") first = detail;
        if (--left === 0) finish();
      });
    }
  }

  #storeOne(state: State, done: (detail: string) => void): void {
    const stages: Stage[] = [];
    const end = (detail: string): void => {
      for (const stage of stages) stage.drop();
      done(detail);
    };
    const set = this.#staged(state, stages);
    if (typeof set === "string") return end(set);
    return this.#node.storeAtOwners(state.name, set, end);
  }

  /** The set with its large payloads in stages; one sentence where one cannot be. */
  #staged({ name, set }: State, stages: Stage[]): VersionSet | string {
    const payloads: (Payload | null)[] = [];
    for (const [index, payload] of set.payloads.entries()) {
      if (!(payload instanceof Uint8Array) || payload.length <= STREAM_BYTES_MIN) {
        payloads.push(payload);
        continue;
      }
      const stage = this.#node.store.stage(name);
      if (stage === null) return "This node is not ready";
      stages.push(stage);
      const outcome = stage.append(payload, 0, payload.length);
      const finished = outcome.status === "done" ? stage.finish() : outcome;
      if (finished.status !== "staged") return "This node cannot keep it: its disk is full or has failed";
      const checksum = payloadChecksum(set.head, versionOffset(0, index));
      if (finished.payload.checksum !== checksum) return "A payload is not what its head says";
      payloads.push(finished.payload);
    }
    return { head: set.head, payloads };
  }
}

/** The states of a body; null where it is none. */
function readStates(bytes: Uint8Array): State[] | null {
  const states: State[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + FIXED > bytes.length) return null;
    const nameEnd = at + FIXED + readU32(bytes, at);
    const end = nameEnd + readU32(bytes, at + 4);
    if (end > bytes.length) return null;
    const name = bytes.slice(at + FIXED, nameEnd);
    const set = checkName(name) === "" ? readSet(bytes, nameEnd, end) : null;
    if (set === null) return null;
    states.push({ name: new ObjectName(name), set, round: readU32(bytes, at + 8) });
    at = end;
  }
  return states;
}
