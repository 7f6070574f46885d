/**
 * A script of writes, removals and syncs for the crash tests, and the oracle that judges what a
 * store holds afterwards: the states that it went through, and which of them was synced.
 */

import type { ObjectName } from "../../core/object-name.ts";
import type { Engine, Stage, VersionSet } from "../../storage/engine.ts";
import { smallBytes } from "../../storage/large-payload.ts";
import { SeededRandom } from "../random.ts";
import type { Machine } from "./engine-beds.ts";
import { digestOf, LABELS, nameOf, outcomeText, payloadOf, read, setOf, without } from "./sets.ts";

export const NAMES: readonly ObjectName[] = Array.from(
  { length: 7 },
  (_, index) => nameOf(`bucket/${index}`),
);

/** Payloads beyond this are large in these tests, and lie in slices of so many bytes. */
export const STREAM_BYTES_MIN = 5_000;
export const SLICE_BYTES = 2_500;
/** How a staged one comes. */
const PIECE_BYTES = 1_800;

type Held = readonly { readonly counter: number; readonly payload: Uint8Array }[];

interface Step {
  readonly name: ObjectName;
  /** What is written; null: the name is removed. */
  readonly versions: Held | null;
  /** How many of the first versions' payloads are left out. */
  readonly kept: number;
  /** Whether a sync is asked for afterwards, and whether it is waited for. */
  readonly sync: "no" | "ask" | "wait";
  /** Large payloads come in through a stage. */
  readonly isStaged: boolean;
}

export class Script {
  readonly #steps: Step[] = [];

  constructor(seed: number, length: number) {
    const random = new SeededRandom(seed);
    const held = new Map<ObjectName, Held>();
    for (let counter = 1; counter <= length; counter++) {
      const name = NAMES[random.below(NAMES.length)];
      const before = held.get(name) ?? [];
      const sync = random.chance(1, 3) ? "wait" : random.chance(1, 4) ? "ask" : "no";
      if (before.length > 0 && random.chance(1, 5)) {
        held.delete(name);
        this.#steps.push({ name, versions: null, kept: 0, sync, isStaged: false });
        continue;
      }
      const kept = before.slice(0, random.below(3));
      const versions = [...kept, { counter, payload: payloadOf(counter, drawLength(random)) }];
      held.set(name, versions);
      const isStaged = counter % 2 === 0;
      this.#steps.push({ name, versions, kept: random.below(kept.length + 1), sync, isStaged });
    }
  }

  get length(): number {
    return this.#steps.length;
  }

  /** Runs the script; the run may end by an exception that the disk throws. */
  run(engine: Engine, machine: Machine, course: Course): void {
    for (const [index, step] of this.#steps.entries()) {
      // Notes lie between the records and change nothing that is read.
      if (index % 5 === 4) engine.note(step.name, payloadOf(index, index % 90));
      course.begin(step.name, step.versions === null ? null : setOf(...step.versions));
      course.end(this.#do(engine, step));
      const written = course.state;
      engine.handedOver((isKept) => {
        if (isKept) course.handed = Math.max(course.handed, written);
      });
      if (step.sync === "no") continue;
      const reached = course.state;
      engine.sync((durable) => {
        if (durable) course.synced = Math.max(course.synced, reached);
      });
      machine.world.run(step.sync === "wait" ? 50 : 1);
    }
  }

  #do(engine: Engine, step: Step): string {
    if (step.versions === null) {
      const outcome = read(engine, step.name, false);
      if (outcome.status !== "found") return "full";
      return engine.remove(step.name, ...digestOf(outcome.set)).status;
    }
    const set = setOf(...step.versions);
    const kept = step.versions.map((_, index) => index).filter((index) => index < step.kept);
    const isHeld = read(engine, step.name, false).status === "found";
    // After a refused write the versions before are not there to be kept.
    const given = isHeld && kept.length > 0 ? tryKeeping(engine, step.name, set, kept) : set;
    return writeStaged(engine, step.name, given, step.isStaged);
  }
}

/** Writes a set whose large payloads came in through stages, piece by piece, beside one that is given up. */
function writeStaged(engine: Engine, name: ObjectName, set: VersionSet, isStaged: boolean): string {
  if (!isStaged) return engine.write(name, set, LABELS).status;
  const stages: Stage[] = [];
  const payloads = [...set.payloads];
  try {
    for (let index = 0; index < payloads.length; index++) {
      const bytes = smallBytes(payloads[index]);
      if (bytes === null || bytes.length <= STREAM_BYTES_MIN) continue;
      const given = stageOf(engine, name, bytes.subarray(0, bytes.length >> 1), stages).finish();
      if (given.status !== "staged") return given.status;
      const finished = stageOf(engine, name, bytes, stages).finish();
      if (finished.status !== "staged") return finished.status;
      payloads[index] = finished.payload;
    }
    return engine.write(name, { head: set.head, payloads }, LABELS).status;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  } finally {
    for (const stage of stages) stage.drop();
  }
}

/** What a stage answered that took no more. */
class Refused extends Error {}

function stageOf(engine: Engine, name: ObjectName, bytes: Uint8Array, stages: Stage[]): Stage {
  const stage = engine.stage(name);
  stages.push(stage);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const { status } = stage.append(bytes, at, Math.min(bytes.length, at + PIECE_BYTES));
    if (status !== "done") throw new Refused(status);
  }
  return stage;
}

/** Leaves out the payloads of those versions that are really held. */
function tryKeeping(engine: Engine, name: ObjectName, set: VersionSet, kept: number[]): VersionSet {
  const outcome = read(engine, name, false);
  if (outcome.status !== "found") return set;
  const stored = dotsOf(outcome.set);
  const wanted = dotsOf(set);
  return without(set, ...kept.filter((index) => stored.includes(wanted[index])));
}

function dotsOf(set: VersionSet): string[] {
  return set.payloads.map((_, index) => set.head.slice(8 + index * 56, 22 + index * 56).join());
}

function drawLength(random: SeededRandom): number {
  if (random.chance(1, 8)) return 0;
  if (random.chance(1, 6)) return 4097 + random.below(3000);
  return 1 + random.below(600);
}

/** The course of one run: every state that the store went through, as text. */
export class Course {
  /** states[n]: what all names read after n operations were done. */
  readonly states: string[];
  /** The last state that is surely durable. */
  synced = 0;
  /** The last state that surely outlives the process. */
  handed = 0;
  /** The state that the next operation would lead to; "" between operations. */
  pending = "";
  /** The state of the first write that failed for good: nobody was told that it is there. */
  maybe = "";
  readonly #texts: string[];

  constructor(engine: Engine | null = null) {
    this.#texts = engine === null
      ? NAMES.map(() => "absent")
      : NAMES.map((name) => outcomeText(read(engine, name)));
    this.states = [this.#texts.join("; ")];
  }

  /** The number of the state that was reached. */
  get state(): number {
    return this.states.length - 1;
  }

  begin(name: ObjectName, set: VersionSet | null): void {
    const texts = [...this.#texts];
    texts[NAMES.indexOf(name)] = set === null ? "absent" : outcomeText({ status: "found", set });
    this.pending = texts.join("; ");
  }

  end(status: string): void {
    // Where even the cutting off fails, the last words of a dying disk may be found later.
    if (status === "failed" && this.maybe === "") this.maybe = this.pending;
    if (status === "done") {
      this.states.push(this.pending);
      this.pending.split("; ").forEach((text, index) => {
        this.#texts[index] = text;
      });
    }
    this.pending = "";
  }

  /**
   * "" where every name reads as written. On a disk that failed, what was not handed over may be
   * unreadable, and is never anything else.
   */
  judgeReads(engine: Engine): string {
    const now = stateOf(engine).split("; ");
    const handed = this.states.slice(this.handed).map((state) => state.split("; "));
    const wrong = this.#texts.find((text, name) => {
      const isKept = handed.every((state) => state[name] === text);
      return now[name] !== text && (isKept || now[name] !== "failed");
    });
    return wrong === undefined ? "" : `${now.join("; ")} without ${wrong}`;
  }

  /**
   * "" where the store holds a state from number `least` on (or what was under way); else what it
   * holds.
   */
  judge(engine: Engine, least: number): string {
    const now = stateOf(engine);
    for (let state = least; state < this.states.length; state++) {
      if (this.states[state] === now) return "";
    }
    if (this.pending === now || this.maybe === now) return "";
    const known = this.states.indexOf(now);
    return known < 0
      ? `a state that never was: ${now}`
      : `state ${known} instead of ${least} or later`;
  }
}

export function stateOf(engine: Engine): string {
  return NAMES.map((name) => outcomeText(read(engine, name))).join("; ");
}
