/**
 * Packed clocks on every runtime, against the naive model (test/model/vector-clock-model): the laws
 * of a partial order, the merge as least upper bound, equal sets as equal bytes.
 */

import process from "node:process";
import { compareBytes, toHex } from "../../core/bytes.ts";
import {
  ACTOR_BYTES,
  compareDots,
  DOT_BYTES,
  ENTRY_BYTES,
  entryCounter,
  isPinned,
  isSingle,
  PAIR,
  PINNED,
  SINGLE,
  STAMP_AT,
  stampLogical,
  stampMs,
  writeEntry,
} from "../../core/clock-entry.ts";
import {
  AFTER,
  BEFORE,
  clockCompare,
  clockConcurrent,
  clockCovers,
  clockIncrement,
  clockIsWellFormed,
  clockMergeInto,
  clockNewestStamp,
  clockPinAll,
  clockRemove,
  CONCURRENT,
  EQUAL,
} from "../../core/vector-clock.ts";
import {
  actorBytes,
  dotName,
  type ModelClock,
  modelDescends,
  modelMerge,
  packClock,
  randomClock,
  type SeenDot,
} from "../model/vector-clock-model.ts";
import { everyHere, roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import { countOf, descends, merged } from "./whole-clocks.ts";

const seed = seedFrom(process.env.SEED, 1978);
/** Random triples; the full campaign is CASES=1000000. */
const CASES = seedFrom(process.env.CASES, roundsHere(20_000));
const again = `again: SEED=${seed} CASES=${CASES} bun test/runtimes.ts core/vector-clock`;
const ACTORS = "abc";
const COUNTER_MAX = 3;

function compared(left: Uint8Array, right: Uint8Array): number {
  return clockCompare(left, 0, countOf(left), right, 0, countOf(right));
}

function isNormal(clock: Uint8Array): boolean {
  return clockIsWellFormed(clock, 0, countOf(clock), clock.length);
}

function entry(actor: string, counter: number, kind: number, ms = 0, logical = 0): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES);
  writeEntry(bytes, 0, actorBytes(actor), 0, counter, kind, ms, logical);
  return bytes;
}

function clockOf(...entries: Uint8Array[]): Uint8Array {
  return Uint8Array.from(entries.flatMap((one) => [...one]));
}

function added(clock: Uint8Array, one: Uint8Array, kind: number): Uint8Array {
  const target = new Uint8Array(clock.length + ENTRY_BYTES);
  target.set(clock);
  return target.slice(0, clockIncrement(target, 0, countOf(clock), one, 0, kind) * ENTRY_BYTES);
}

/** All clocks of three actors with pairs of counters 0 (no entry) to 3. */
function allPairs(): Uint8Array[] {
  const clocks: Uint8Array[] = [];
  for (let number = 0; number < (COUNTER_MAX + 1) ** 3; number++) {
    const counters = [number & 3, (number >> 2) & 3, number >> 4];
    const entries = counters.map((counter, index) => entry(ACTORS[index], counter, PAIR));
    clocks.push(clockOf(...entries.filter((one) => entryCounter(one, 0) > 0)));
  }
  return clocks;
}

/** All sets of dots of three actors, counters 1 to 3; bit 3·a + c - 1 of its number is dot (a, c). */
function allSets(): Uint8Array[] {
  return Array.from({ length: 2 ** (ACTORS.length * COUNTER_MAX) }, (_, number) => {
    const dots = new Map<string, SeenDot>();
    for (let bit = 0; bit < ACTORS.length * COUNTER_MAX; bit++) {
      const dot = dotName(ACTORS[Math.floor(bit / COUNTER_MAX)], 1 + (bit % COUNTER_MAX));
      if (((number >> bit) & 1) === 1) dots.set(dot, { stamp: 0, pinned: false });
    }
    return packClock(dots);
  });
}

/** What set inclusion says, for the exhaustive clocks by their numbers. */
function pairsDescend(left: number, right: number): boolean {
  return [0, 2, 4].every((shift) => ((left >> shift) & 3) >= ((right >> shift) & 3));
}

function wantedOrder(holdsRight: boolean, isHeld: boolean): number {
  if (holdsRight) return isHeld ? EQUAL : AFTER;
  return isHeld ? BEFORE : CONCURRENT;
}

function lawsOfThree(check: Check, one: Uint8Array, two: Uint8Array, three: Uint8Array): void {
  const label = `${hexOf(one)} ${hexOf(two)}`;
  const both = merged(one, two);
  check.same(merged(two, one), both, `merge commutes: ${label}; ${again}`);
  check.same(merged(both, one), both, `merge absorbs: ${label}; ${again}`);
  check.same(merged(both, three), merged(one, merged(two, three)), `merge associates; ${again}`);
  check.ok(isNormal(both), `the merge is in normal form: ${label}; ${again}`);
  check.ok(descends(both, one) && descends(both, two), `an upper bound: ${label}; ${again}`);
  if (descends(three, one) && descends(three, two)) {
    check.ok(descends(three, both), `the least one: ${label}; ${again}`);
  }
  if (descends(one, two) && descends(two, three)) {
    check.ok(descends(one, three), `descends is transitive: ${label}; ${again}`);
  }
}

export const suite: readonly Case[] = [
  {
    name: "The paper's example: D1 to D5 by Sx, Sy and Sz",
    run(check) {
      const [x, y, z] = ["x", "y", "z"];
      const none = new Uint8Array(0);
      const d1 = added(none, entry(x, 1, PAIR), PAIR);
      const d2 = added(d1, entry(x, 2, PAIR), PAIR);
      const d3 = added(d2, entry(y, 1, PAIR), PAIR);
      const d4 = added(d2, entry(z, 1, PAIR), PAIR);
      check.same(d1, clockOf(entry(x, 1, PAIR)), "D1 [(Sx,1)]");
      check.same(d2, clockOf(entry(x, 2, PAIR)), "D2 [(Sx,2)]");
      check.same(d3, clockOf(entry(x, 2, PAIR), entry(y, 1, PAIR)), "D3 [(Sx,2),(Sy,1)]");
      check.same(d4, clockOf(entry(x, 2, PAIR), entry(z, 1, PAIR)), "D4 [(Sx,2),(Sz,1)]");
      check.equal(compared(d2, d1), AFTER, "D2 descends from D1");
      check.equal(compared(d1, d2), BEFORE, "D1 is an ancestor of D2");
      check.equal(compared(d3, d4), CONCURRENT, "D3 and D4 are in conflict");
      const read = merged(d3, d4);
      const three = clockOf(entry(x, 2, PAIR), entry(y, 1, PAIR), entry(z, 1, PAIR));
      check.same(read, three, "the context [(Sx,2),(Sy,1),(Sz,1)]");
      const d5 = added(read, entry(x, 3, PAIR), PAIR);
      const five = clockOf(entry(x, 3, PAIR), entry(y, 1, PAIR), entry(z, 1, PAIR));
      check.same(d5, five, "D5 [(Sx,3),(Sy,1),(Sz,1)]");
      for (const earlier of [d1, d2, d3, d4]) {
        check.equal(compared(d5, earlier), AFTER, "D5 is last");
      }
    },
  },
  {
    name: "Every three clocks of 3 actors and counters 0 to 3 keep the laws of a partial order",
    run(check) {
      const clocks = allPairs();
      const names = clocks.map(hexOf);
      const below = clocks.map((left) => clocks.map((right) => descends(right, left)));
      let broken = 0;
      for (let one = 0; one < clocks.length; one++) {
        for (let two = 0; two < clocks.length; two++) {
          const order = compared(clocks[one], clocks[two]);
          const wanted = wantedOrder(pairsDescend(one, two), pairsDescend(two, one));
          if (order !== wanted) broken++;
          if ((order === EQUAL) !== (one === two)) broken++;
          const both = names.indexOf(hexOf(merged(clocks[one], clocks[two])));
          for (let three = 0; three < clocks.length; three++) {
            if (below[one][two] && below[two][three] && !below[one][three]) broken++;
            const isBound = below[one][three] && below[two][three];
            if (isBound !== below[both][three]) broken++;
          }
        }
      }
      check.equal(broken, 0, "laws broken: order, antisymmetry, transitivity, least upper bound");
    },
  },
  {
    name: "Every two sets of dots of 3 actors and counters 1 to 3 compare and merge as sets do",
    run(check) {
      const clocks = allSets();
      const target = new Uint8Array(2 * clocks[clocks.length - 1].length + 6 * ENTRY_BYTES);
      let broken = 0;
      for (const [one, left] of clocks.entries()) {
        for (let two = one % everyHere(1); two < clocks.length; two += everyHere(1)) {
          const right = clocks[two];
          const [holds, isHeld] = [(two & ~one) === 0, (one & ~two) === 0];
          if (compared(left, right) !== wantedOrder(holds, isHeld)) broken++;
          if (descends(left, right) !== holds) broken++;
          const [lefts, rights] = [countOf(left), countOf(right)];
          const count = clockMergeInto(left, 0, lefts, right, 0, rights, target, 0);
          const both = clocks[one | two];
          const length = count * ENTRY_BYTES;
          if (length !== both.length || compareBytes(target, 0, both, 0, length) !== 0) broken++;
          const isConcurrent = clockConcurrent(left, 0, lefts, right, 0, rights);
          if (isConcurrent !== (!holds && !isHeld)) broken++;
        }
      }
      check.equal(clocks.length ** 2, 262_144, "pairs of sets");
      check.equal(broken, 0, "of order, descent, concurrency and least upper bound");
    },
  },
  {
    name: `${CASES} random triples keep the laws of order and merge, on bytes`,
    run(check) {
      const random = new SeededRandom(seed);
      const pool = Array.from({ length: 600 }, () => packClock(randomClock(random, "abcdef", 6)));
      for (let round = 0; round < CASES; round++) {
        const [one, two, three] = [0, 0, 0].map(() => pool[random.below(pool.length)]);
        // Random clocks are mostly concurrent: every third time they are made a chain.
        if (!random.chance(1, 3)) lawsOfThree(check, one, two, three);
        else lawsOfThree(check, merged(merged(one, two), three), merged(one, two), two);
      }
    },
  },
  {
    name: "Clocks equal the model: what they cover, how they compare, their merge byte by byte",
    run(check) {
      const random = new SeededRandom(seed);
      for (let round = 0; round < 3_000; round++) {
        const [left, right] = [randomClock(random, "abcd", 5), randomClock(random, "abcd", 5)];
        const [leftBytes, rightBytes] = [packClock(left), packClock(right)];
        const both = modelMerge(left, right);
        check.same(merged(leftBytes, rightBytes), packClock(both), `merge; ${again}`);
        const wanted = wantedOrder(modelDescends(left, right), modelDescends(right, left));
        check.equal(compared(leftBytes, rightBytes), wanted, `order; ${again}`);
        coversLikeTheModel(check, leftBytes, left);
      }
    },
  },
  {
    name: "clockIncrement() is the merge with one more dot",
    run(check) {
      const random = new SeededRandom(seed);
      for (let round = 0; round < roundsHere(20_000); round++) {
        const clock = packClock(randomClock(random, "abcd", 6));
        const counter = 1 + random.below(8);
        const kind = (counter === 1 || random.chance(1, 2) ? PAIR : SINGLE) |
          (PINNED * random.below(2));
        const one = entry("abcd"[random.below(4)], counter, kind, random.below(3), random.below(3));
        check.same(added(clock, one, kind), merged(clock, one), `round ${round}; ${again}`);
      }
      const single = added(new Uint8Array(0), entry("a", 1, SINGLE), SINGLE);
      check.same(single, entry("a", 1, PAIR), "the first dot of an actor is all of its dots");
    },
  },
  {
    name: "A merge closes gaps: the dot between a pair and a single makes one pair of all",
    run(check) {
      const holes = clockOf(
        entry("a", 2, PAIR, 5),
        entry("a", 4, SINGLE | PINNED, 9),
        entry("a", 5, SINGLE, 7),
        entry("a", 9, SINGLE, 1),
      );
      const closed = merged(holes, entry("a", 3, SINGLE, 6));
      const wanted = clockOf(entry("a", 5, PAIR | PINNED, 9), entry("a", 9, SINGLE, 1));
      check.same(closed, wanted, "newest stamp, and the pin");
    },
  },
  {
    name: "clockIsWellFormed() takes normal forms and nothing else",
    run(check) {
      const good = clockOf(entry("a", 3, PAIR), entry("a", 5, SINGLE), entry("b", 2, SINGLE));
      check.ok(isNormal(good) && isNormal(new Uint8Array(0)), "a normal form, and none at all");
      const bad: readonly (readonly [string, Uint8Array])[] = [
        ["actors out of order", clockOf(entry("b", 3, PAIR), entry("a", 3, PAIR))],
        ["two pairs of an actor", clockOf(entry("a", 3, PAIR), entry("a", 5, PAIR))],
        ["a single before the pair", clockOf(entry("a", 5, SINGLE), entry("a", 3, PAIR))],
        ["singles out of order", clockOf(entry("a", 5, SINGLE), entry("a", 4, SINGLE))],
        ["a single twice", clockOf(entry("a", 5, SINGLE), entry("a", 5, SINGLE))],
        ["a single within the pair", clockOf(entry("a", 3, PAIR), entry("a", 3, SINGLE))],
        ["a single next to the pair", clockOf(entry("a", 3, PAIR), entry("a", 4, SINGLE))],
        ["a single 1", clockOf(entry("a", 1, SINGLE))],
        ["a counter of 0", clockOf(entry("a", 0, PAIR))],
        ["an unknown kind", clockOf(entry("a", 3, 4))],
        ["an unknown kind, high byte", clockOf(entry("a", 3, 256))],
      ];
      for (const [name, clock] of bad) check.ok(!isNormal(clock), name);
      check.ok(!clockIsWellFormed(good, 0, 3, good.length - 1), "an entry beyond the end");
      check.ok(!clockIsWellFormed(good, 0, 4, good.length), "more entries than bytes");
      check.ok(
        !clockIsWellFormed(good, 0, 4, good.length + ENTRY_BYTES),
        "an end beyond the memory",
      );
    },
  },
  {
    name: "clockIsWellFormed() refuses a flipped bit, or what is left is a normal form still",
    run(check) {
      const random = new SeededRandom(seed);
      for (let round = 0; round < 100; round++) {
        const clock = packClock(randomClock(random, "abcd", 6));
        for (let bit = 0; bit < clock.length * 8; bit++) {
          clock[bit >> 3] ^= 1 << (bit & 7);
          if (isNormal(clock)) {
            check.same(merged(clock, new Uint8Array(0)), clock, `bit ${bit}; ${again}`);
          }
          clock[bit >> 3] ^= 1 << (bit & 7);
        }
      }
    },
  },
  {
    name: "Entries are read as they were written, counters and stamps up to 48 bits",
    run(check) {
      const last = 2 ** 48 - 1;
      for (
        const [counter, ms, logical] of [[2, 0, 0], [2 ** 32, 1.7e12, 9], [last, last, 65_535]]
      ) {
        const one = entry("c", counter, SINGLE | PINNED, ms, logical);
        check.equal(entryCounter(one, 0), counter, "counter");
        check.equal(stampMs(one, STAMP_AT), ms, "milliseconds");
        check.equal(stampLogical(one, STAMP_AT), logical, "logical");
        check.ok(isSingle(one, 0) && isPinned(one, 0), "kind");
        check.same(one.slice(0, ACTOR_BYTES), actorBytes("c"), "actor");
      }
      check.equal(
        compareDots(entry("a", 2 ** 40, PAIR), 0, entry("a", 255, PAIR), 0),
        1,
        "numbers",
      );
      check.equal(compareDots(entry("a", 9, PAIR), 0, entry("c", 1, PAIR), 0), -1, "actors first");
    },
  },
  {
    name:
      "clockPinAll() pins, clockRemove() takes one entry out, clockNewestStamp() finds the newest",
    run(check) {
      const clock = clockOf(
        entry("a", 3, PAIR, 8),
        entry("b", 4, SINGLE, 9, 2),
        entry("c", 2, PAIR, 9, 1),
      );
      check.equal(clockNewestStamp(clock, 0, 3), ENTRY_BYTES + STAMP_AT, "the newest stamp is b's");
      check.equal(clockNewestStamp(clock, 0, 0), -1, "there is none in an empty clock");
      clockPinAll(clock, 0, 2);
      check.same([0, 1, 2].map((index) => isPinned(clock, index * ENTRY_BYTES)), [
        true,
        true,
        false,
      ], "pins");
      check.equal(clockRemove(clock, 0, 3, 1), 2, "one less");
      const wanted = clockOf(entry("a", 3, PAIR | PINNED, 8), entry("c", 2, PAIR, 9, 1));
      check.same(clock.slice(0, 2 * ENTRY_BYTES), wanted, "the others stay");
    },
  },
];

function hexOf(clock: Uint8Array): string {
  return toHex(clock, 0, clock.length);
}

function coversLikeTheModel(check: Check, bytes: Uint8Array, clock: ModelClock): void {
  for (const actor of "abcde") {
    for (let counter = 1; counter <= 6; counter++) {
      const dot = entry(actor, counter, PAIR).slice(0, DOT_BYTES);
      const wanted = clock.has(dotName(actor, counter));
      const covers = clockCovers(bytes, 0, countOf(bytes), dot, 0);
      check.equal(covers, wanted, `covers ${dotName(actor, counter)}; ${again}`);
    }
  }
}
