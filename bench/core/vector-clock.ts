/**
 * What do vector clocks cost?
 *
 * Each put merges the clock that is held with the one that the client brings, and adds its own
 * dot; each retry compares two. Three entries are an object whose three primaries have all written;
 * ten is where truncation sets in. Four pairs of clocks of one object go round, one for each outcome
 * of a comparison; then thousands of other objects, as a node meets them, whose branches no
 * processor can foretell. The reference is what one writes first: a plain object
 * that maps actors, as hexadecimal text, to counters. In memory it wins, and keeps no stamps; but
 * clocks lie on disk and come over the wire, and the reference that is read from text first is the
 * fairer one.
 */

import { compareBytes, toHex } from "../../core/bytes.ts";
import {
  ACTOR_BYTES,
  ENTRY_BYTES,
  entryCounter,
  PAIR,
  writeEntry,
} from "../../core/clock-entry.ts";
import {
  clockCompare,
  clockCovers,
  clockDescends,
  clockIncrement,
  clockMergeInto,
} from "../../core/vector-clock.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const STAMP_MS = 1_795_000_000_000;
const ENTRIES_MAX = 10;
/** Enough that no predictor of branches learns them by heart. */
const PAIRS = 4096;

type PlainClock = Record<string, number>;

const random = new SeededRandom(1);
const actors = Array.from({ length: ENTRIES_MAX + 1 }, randomActor).sort(byBytes);
const newcomer = entryOf(actors.splice(5, 1)[0], 1);
const target = new Uint8Array(4 * ENTRIES_MAX * ENTRY_BYTES);

function randomActor(): Uint8Array {
  const actor = new Uint8Array(ACTOR_BYTES);
  random.fill(actor);
  return actor;
}

function byBytes(left: Uint8Array, right: Uint8Array): number {
  return compareBytes(left, 0, right, 0, ACTOR_BYTES);
}

function entryOf(actor: Uint8Array, counter: number): Uint8Array {
  const entry = new Uint8Array(ENTRY_BYTES);
  writeEntry(entry, 0, actor, 0, counter, PAIR, STAMP_MS + counter, 0);
  return entry;
}

/** A clock of the first `count` actors; `bump` raises one of its counters. */
function clockOf(count: number, bump = -1): Uint8Array {
  const entries = actors.slice(0, count).map((actor, index) =>
    entryOf(actor, 1_000 + index + (index === bump ? 1 : 0))
  );
  return joined(entries);
}

/** Equal, before, after and concurrent: the left and the right of each, over and over. */
function fourPairs(count: number): readonly (readonly [Uint8Array, Uint8Array])[] {
  const four = [
    [clockOf(count), clockOf(count)],
    [clockOf(count), clockOf(count, 1)],
    [clockOf(count, count - 1), clockOf(count)],
    [clockOf(count, 0), clockOf(count, count - 1)],
  ] as const;
  return Array.from({ length: PAIRS }, (_, index) => four[index & 3]);
}

/** Clocks of different objects: actors, counters and outcomes are news each time. */
function otherPairs(count: number): readonly (readonly [Uint8Array, Uint8Array])[] {
  return Array.from({ length: PAIRS }, () => {
    const own = Array.from({ length: count }, randomActor).sort(byBytes);
    const counters = own.map(() => 1 + random.below(1 << 16));
    const raised = [random.below(count), random.below(count)];
    const sides = raised.map((bump) =>
      own.map((actor, index) => entryOf(actor, counters[index] + (index === bump ? 1 : 0)))
    );
    return [joined(sides[0]), joined(random.chance(1, 2) ? sides[1] : sides[0])] as const;
  });
}

function joined(entries: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(entries.flatMap((entry) => [...entry]));
}

function plainOf(clock: Uint8Array): PlainClock {
  const plain: PlainClock = {};
  for (let entry = 0; entry < clock.length; entry += ENTRY_BYTES) {
    plain[toHex(clock, entry, entry + ACTOR_BYTES)] = entryCounter(clock, entry);
  }
  return plain;
}

function plainDescends(left: PlainClock, right: PlainClock): boolean {
  for (const actor in right) if ((left[actor] ?? 0) < right[actor]) return false;
  return true;
}

function plainCompare(left: PlainClock, right: PlainClock): number {
  return (plainDescends(left, right) ? 0 : 1) | (plainDescends(right, left) ? 0 : 2);
}

function plainMerge(left: PlainClock, right: PlainClock): PlainClock {
  const merged = { ...left };
  for (const actor in right) merged[actor] = Math.max(merged[actor] ?? 0, right[actor]);
  return merged;
}

/** Runs over the pairs in turn. */
function inTurn<Pair>(pairs: readonly Pair[], run: (pair: Pair) => number): () => void {
  let turn = 0;
  return () => keep(run(pairs[turn++ & (PAIRS - 1)]));
}

function tasksFor(
  count: number,
  what: string,
  pairs: readonly (readonly [Uint8Array, Uint8Array])[],
): Task[] {
  const plains = pairs.map(([left, right]) => [plainOf(left), plainOf(right)] as const);
  const reference = (run: (left: PlainClock, right: PlainClock) => number) => ({
    name: "plain object",
    isReference: true,
    run: inTurn(plains, ([left, right]) => run(left, right)),
  });
  const packed = (name: string, run: (left: Uint8Array, right: Uint8Array) => number) => ({
    name,
    run: inTurn(pairs, ([left, right]) => run(left, right)),
  });
  const texts = plains.map(([left, right]) =>
    [JSON.stringify(left), JSON.stringify(right)] as const
  );
  const newName = toHex(newcomer, 0, ACTOR_BYTES);
  return [
    {
      title: `compare, ${what}`,
      works: [
        packed("clockCompare", (left, right) => clockCompare(left, 0, count, right, 0, count)),
        reference(plainCompare),
        {
          name: "plain object, from JSON",
          isReference: true,
          run: inTurn(texts, ([left, right]) => plainCompare(JSON.parse(left), JSON.parse(right))),
        },
      ],
    },
    {
      title: `descends, ${what}`,
      works: [
        packed("clockDescends", (left, right) =>
          clockDescends(left, 0, count, right, 0, count) ? 1 : 0),
        reference((left, right) => (plainDescends(left, right) ? 1 : 0)),
      ],
    },
    {
      title: `covers a dot, ${what}`,
      works: [
        packed("clockCovers", (left, right) => (clockCovers(left, 0, count, right, 0) ? 1 : 0)),
      ],
    },
    {
      title: `merge, ${what}`,
      works: [
        packed("clockMergeInto", (left, right) =>
          clockMergeInto(left, 0, count, right, 0, count, target, 0)),
        reference((left, right) => plainMerge(left, right)[newName] ?? 1),
      ],
    },
    {
      title: `merge, then increment by a new actor, ${what}`,
      works: [
        packed("clockMergeInto, clockIncrement", (left, right) => {
          const merged = clockMergeInto(left, 0, count, right, 0, count, target, 0);
          return clockIncrement(target, 0, merged, newcomer, 0, PAIR);
        }),
        reference((left, right) => {
          const merged = plainMerge(left, right);
          merged[newName] = (merged[newName] ?? 0) + 1;
          return merged[newName];
        }),
      ],
    },
  ];
}

await ask("What do vector clocks cost?", [
  ...tasksFor(3, "3 entries", fourPairs(3)),
  ...tasksFor(3, "3 entries, other objects", otherPairs(3)),
  ...tasksFor(ENTRIES_MAX, "10 entries, other objects", otherPairs(ENTRIES_MAX)),
]);
