/**
 * The naive model of core/vector-clock: a clock is a map from dots, written "actor:counter", to
 * what is known of them. No ranges, no order, no bytes; packing it gives the bytes that core/ must
 * arrive at.
 *
 * In the model's world every counter from 1 up is a dot of the object, so that "all dots up to n"
 * and the dots 1 … n are the same set.
 */

import {
  ACTOR_BYTES,
  ENTRY_BYTES,
  PAIR,
  PINNED,
  SINGLE,
  writeEntry,
} from "../../core/clock-entry.ts";
import type { SeededRandom } from "../random.ts";

export interface SeenDot {
  readonly stamp: number;
  readonly pinned: boolean;
}

export type ModelClock = ReadonlyMap<string, SeenDot>;

export function dotName(actor: string, counter: number): string {
  return `${actor}:${counter}`;
}

/** Actors whose bytes differ late, early, and beyond 127; in the order of their letters. */
export function actorBytes(actor: string): Uint8Array {
  const letter = actor.charCodeAt(0);
  const bytes = new Uint8Array(ACTOR_BYTES).fill(letter >> 1 === 0x61 >> 1 ? 7 : letter + 60);
  bytes[ACTOR_BYTES - 1] = letter;
  return bytes;
}

/** The union; of a dot that both know the greater stamp and the pin of either. */
export function modelMerge(left: ModelClock, right: ModelClock): ModelClock {
  const merged = new Map(left);
  for (const [dot, seen] of right) {
    const other = merged.get(dot);
    merged.set(dot, {
      stamp: Math.max(seen.stamp, other?.stamp ?? 0),
      pinned: seen.pinned || (other?.pinned ?? false),
    });
  }
  return merged;
}

export function modelDescends(left: ModelClock, right: ModelClock): boolean {
  return [...right.keys()].every((dot) => left.has(dot));
}

/** The normal form of the set: the dots 1 … n of an actor as a PAIR, the others as SINGLEs. */
export function packClock(clock: ModelClock): Uint8Array {
  const byActor = new Map<string, number[]>();
  for (const dot of clock.keys()) {
    const [actor, counter] = dot.split(":");
    byActor.set(actor, [...(byActor.get(actor) ?? []), Number(counter)]);
  }
  const entries: Uint8Array[] = [];
  for (const actor of [...byActor.keys()].sort()) {
    const counters = (byActor.get(actor) ?? []).sort((one, two) => one - two);
    let prefix = 0;
    while (counters[prefix] === prefix + 1) prefix++;
    if (prefix > 0) entries.push(packEntry(clock, actor, counters.slice(0, prefix), PAIR));
    for (const counter of counters.slice(prefix)) {
      entries.push(packEntry(clock, actor, [counter], SINGLE));
    }
  }
  const packed = new Uint8Array(entries.length * ENTRY_BYTES);
  entries.forEach((entry, index) => packed.set(entry, index * ENTRY_BYTES));
  return packed;
}

/** One entry that stands for all these dots. */
function packEntry(clock: ModelClock, actor: string, counters: number[], kind: number): Uint8Array {
  const seen = counters.map((counter) => clock.get(dotName(actor, counter)));
  const stamp = Math.max(...seen.map((one) => one?.stamp ?? 0));
  const pin = seen.some((one) => one?.pinned) ? PINNED : 0;
  const entry = new Uint8Array(ENTRY_BYTES);
  const counter = Math.max(...counters);
  writeEntry(entry, 0, actorBytes(actor), 0, counter, kind | pin, Math.floor(stamp / 4), stamp % 4);
  return entry;
}

/** A clock of the first dots of some actors, holes among them, with stamps 0 to 15 and pins. */
export function randomClock(random: SeededRandom, actors: string, counterMax: number): ModelClock {
  const clock = new Map<string, SeenDot>();
  for (const actor of actors) {
    if (random.chance(1, 3)) continue;
    const prefix = random.below(counterMax + 1);
    for (let counter = 1; counter <= counterMax; counter++) {
      if (counter > prefix && random.chance(2, 3)) continue;
      clock.set(dotName(actor, counter), { stamp: random.below(16), pinned: random.chance(1, 9) });
    }
  }
  return clock;
}
