/**
 * Finished states one after the other, as they go from a backup to a node (restore.ts).
 *
 *   name length u32 │ set length u32 │ round u32 │ name │ set, as replicas send it
 *                                                          head length u32 │ payloads u32 │ head │ which are there │ payloads
 *
 * They are read as they come: a large payload goes into a stage, everything else is held, and that has a bound.
 * A list is read whole before anything is done with it: one that is malformed anywhere, or breaks off, is refused.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { NAME_BYTES_MAX, STREAM_BYTES_MIN } from "../../core/limits.ts";
import { checkName, ObjectName } from "../../core/object-name.ts";
import { SET_FIXED } from "../../core/replica-frames.ts";
import {
  isWellFormedHead,
  payloadChecksum,
  payloadLength,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { Stage, VersionSet } from "../../storage/engine.ts";
import { isLarge, type Payload } from "../../storage/large-payload.ts";
import { LargeValue } from "../coordination/value.ts";
import { refusalOf, type Sink } from "./incoming-stream.ts";
import { Refusal } from "./problem.ts";
import type { Piece } from "./value-stream.ts";

const FIXED = 12;
/** What is held of a list: all of it but its large payloads. */
export const LIST_HELD_BYTES_MAX = STREAM_BYTES_MIN + (256 << 10);

export interface State {
  readonly name: ObjectName;
  readonly round: number;
  /** One sentence instead, where a payload is not what its head says. */
  readonly set: VersionSet | string;
}

/** A state as it stands in a list. */
export function packState(name: Uint8Array, { head, payloads }: VersionSet, round: number): Piece[] {
  const present = payloads.filter((payload) => payload !== null);
  const front = new Uint8Array(FIXED + name.length + SET_FIXED + head.length + payloads.length);
  const setStart = FIXED + name.length;
  const setLength = front.length - setStart + present.reduce((sum, { length }) => sum + length, 0);
  writeU32(front, 0, name.length);
  writeU32(front, 4, setLength);
  writeU32(front, 8, round);
  front.set(name, FIXED);
  writeU32(front, setStart, head.length);
  writeU32(front, setStart + 4, present.length);
  front.set(head, setStart + SET_FIXED);
  front.set(payloads.map((payload) => (payload === null ? 0 : 1)), front.length - payloads.length);
  return [front, ...present.map((payload) => (isLarge(payload) ? new LargeValue(payload, 0) : payload))];
}

/** The next so many bytes of a list: held, or into a stage. */
interface Part {
  readonly length: number;
  readonly into: Uint8Array | Stage;
}

/** Reads a list as it comes. What it has staged is to be dropped when its states are stored. */
export class StateList implements Sink {
  /** Those that have come whole. */
  readonly states: State[] = [];
  readonly #open: (name: ObjectName) => Stage | null;
  readonly #bytesMax: number;
  readonly #stages: Stage[] = [];
  readonly #parts: Generator<Part, Refusal>;
  #part: Part = NOTHING;
  /** Bytes of it that have come. */
  #filled = 0;
  #length = 0;
  #held = 0;
  /** No state has begun and not ended. */
  #isBetween = true;

  /** @param open a stage for a large payload; null: this node has none now */
  constructor(open: (name: ObjectName) => Stage | null, bytesMax: number) {
    this.#open = open;
    this.#bytesMax = bytesMax;
    this.#parts = this.#read();
  }

  take(bytes: Uint8Array): Refusal | null {
    this.#length += bytes.length;
    if (this.#length > this.#bytesMax) return tooLarge(this.#bytesMax);
    for (let at = 0; at < bytes.length;) {
      const refusal = this.#advance();
      if (refusal !== null) return refusal;
      const { into, length } = this.#part;
      const end = Math.min(bytes.length, at + length - this.#filled);
      if (into instanceof Uint8Array) into.set(bytes.subarray(at, end), this.#filled);
      else {
        const failure = refusalOf(into.append(bytes, at, end));
        if (failure !== null) return failure;
      }
      this.#filled += end - at;
      at = end;
    }
    return null;
  }

  end(): Refusal | null {
    const refusal = this.#advance();
    if (refusal !== null) return refusal;
    return this.#isBetween && this.#filled === 0 ? null : malformed();
  }

  drop(): void {
    for (const stage of this.#stages) stage.drop();
  }

  /** On to the next part that wants bytes, where the one at hand has all of its own. */
  #advance(): Refusal | null {
    while (this.#filled === this.#part.length) {
      const { done, value } = this.#parts.next();
      if (done === true) return value;
      this.#part = value;
      this.#filled = 0;
    }
    return null;
  }

  /** Asks for part after part, and has their bytes when it goes on; returns what is wrong with them. */
  *#read(): Generator<Part, Refusal> {
    for (;;) {
      this.#isBetween = true;
      const fixed = new Uint8Array(FIXED);
      yield { length: FIXED, into: fixed };
      this.#isBetween = false;
      const nameLength = readU32(fixed, 0);
      if (nameLength > NAME_BYTES_MAX) return malformed();
      if (!this.#hold(FIXED + nameLength + SET_FIXED)) return tooLarge(LIST_HELD_BYTES_MAX);
      const name = new Uint8Array(nameLength);
      yield { length: nameLength, into: name };
      if (checkName(name) !== "") return malformed();
      const object = new ObjectName(name);
      const set = yield* this.#readSet(object, readU32(fixed, 4));
      if (set instanceof Refusal) return set;
      this.states.push({ name: object, round: readU32(fixed, 8), set });
    }
  }

  *#readSet(name: ObjectName, setLength: number): Generator<Part, VersionSet | string | Refusal> {
    const fixed = new Uint8Array(SET_FIXED);
    yield { length: SET_FIXED, into: fixed };
    const headLength = readU32(fixed, 0);
    if (SET_FIXED + headLength > setLength) return malformed();
    if (!this.#hold(headLength)) return tooLarge(LIST_HELD_BYTES_MAX);
    const head = new Uint8Array(headLength);
    yield { length: headLength, into: head };
    if (!isWellFormedHead(head, 0, headLength)) return malformed();
    const present = new Uint8Array(versionCount(head, 0));
    yield { length: present.length, into: present };
    const lengths = Array.from(present, (one, index) => (one === 0 ? 0 : payloadLength(head, versionOffset(0, index))));
    const length = lengths.reduce((sum, one) => sum + one, SET_FIXED + headLength + present.length);
    const count = present.filter((one) => one === 1).length;
    if (length !== setLength || count !== readU32(fixed, 4) || present.some((one) => one > 1)) return malformed();
    const payloads: (Payload | null)[] = [];
    let isAsSaid = true;
    for (const [index, one] of lengths.entries()) {
      const payload = present[index] === 0 ? null : yield* this.#readPayload(name, one);
      if (payload instanceof Refusal) return payload;
      if (isLarge(payload)) isAsSaid &&= payload.checksum === payloadChecksum(head, versionOffset(0, index));
      payloads.push(payload);
    }
    return isAsSaid ? { head, payloads } : "A payload is not what its head says";
  }

  *#readPayload(name: ObjectName, length: number): Generator<Part, Payload | Refusal> {
    if (length <= STREAM_BYTES_MIN) {
      if (!this.#hold(length)) return tooLarge(LIST_HELD_BYTES_MAX);
      const bytes = new Uint8Array(length);
      yield { length, into: bytes };
      return bytes;
    }
    const stage = this.#open(name);
    if (stage === null) return new Refusal("not-ready", "This node takes no values now.");
    this.#stages.push(stage);
    yield { length, into: stage };
    const finished = stage.finish();
    if (finished.status === "staged") return finished.payload;
    return refusalOf(finished) ?? malformed();
  }

  /** Whether so many further bytes may be held. */
  #hold(bytes: number): boolean {
    this.#held += bytes;
    return this.#held <= LIST_HELD_BYTES_MAX;
  }
}

const NOTHING: Part = { length: 0, into: new Uint8Array(0) };

function malformed(): Refusal {
  return new Refusal("bad-parameter", "The body is no list of states, want them as packed.");
}

function tooLarge(limit: number): Refusal {
  return new Refusal("value-too-large", `The list of states is larger than ${limit} bytes, the limit.`);
}
