/**
 * The event that makes a version, on every runtime: the paper's example, what a context kills and
 * what it must not, and truncation, in worlds small enough to truncate all the time.
 */

import process from "node:process";
import { CLOCK_ENTRIES_MAX_DEFAULT } from "../../core/limits.ts";
import { ENTRY_BYTES, isPinned, isSingle } from "../../core/clock-entry.ts";
import { clockCovers } from "../../core/vector-clock.ts";
import {
  entriesTruncated,
  eventInto,
  eventLengthMax,
  FROM_EVENT,
} from "../../core/version-event.ts";
import { isSuperseded, requestIndex, shownInto } from "../../core/version-rules.ts";
import {
  clockCount,
  clockOffset,
  isLive,
  isWellFormedHead,
  POLICY_LWW,
  POLICY_SIBLINGS,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import { packClock, type SeenDot } from "../model/vector-clock-model.ts";
import { dotOf, type ModelVersion, packVersion } from "../model/version-set-model.ts";
import {
  clockOf,
  contextAfterPut,
  eventOn,
  mergeOf,
  type Snapshot,
  VersionWorld,
} from "../model/version-world.ts";
import { roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";

const seed = seedFrom(process.env.SEED, 2012);
const again = `again: SEED=${seed} bun test/runtimes.ts core/version-event`;
const EMPTY: Uint8Array = new Uint8Array(0);
const MAX = CLOCK_ENTRIES_MAX_DEFAULT;

/** Drawn anew by each version: stamps and request ids rise. */
let drawn = 0;

function version(actor: string, counter: number, fields: Partial<ModelVersion> = {}): Uint8Array {
  drawn++;
  return packVersion({
    actor,
    counter,
    policy: POLICY_SIBLINGS,
    tombstone: false,
    stamp: drawn,
    expiryMs: 0,
    request: drawn,
    content: drawn,
    ...fields,
  });
}

function pairs(...entries: readonly (readonly [string, number])[]): Uint8Array {
  const clock = new Map<string, SeenDot>();
  for (const [actor, last] of entries) {
    for (let counter = 1; counter <= last; counter++) {
      clock.set(`${actor}:${counter}`, { stamp: 0, pinned: false });
    }
  }
  return packClock(clock);
}

/** The dots of a clock without its stamps. */
function dotsOf(clock: Uint8Array): Uint8Array {
  return clock.map((byte, index) => (index % ENTRY_BYTES < 16 ? byte : 0));
}

function covers(head: Uint8Array, dot: Uint8Array): boolean {
  return clockCovers(head, clockOffset(head, 0), clockCount(head, 0), dot, 0);
}

function coversClock(clock: Uint8Array, dot: Uint8Array): boolean {
  return clockCovers(clock, 0, clock.length / ENTRY_BYTES, dot, 0);
}

function livesIn(head: Uint8Array, one: Uint8Array): boolean {
  return isLive(head, 0, one, 0);
}

function shownCount(head: Uint8Array, nowMs = 0): number {
  return shownInto(head, 0, nowMs, new Int32Array(64));
}

/**
 * Two clients, each going on from its own puts, through coordinators that exchange their states.
 */
function interleave(check: Check, writes: number, actors: string, contextBytesMax: number): void {
  const heads = new Map([...actors].map((actor) => [actor, EMPTY]));
  const contexts = [EMPTY, EMPTY];
  const counters = new Map<string, number>();
  const all: Uint8Array[] = [];
  let widest = 0;
  for (let write = 0; write < writes; write++) {
    const actor = actors[write % actors.length];
    const client = write % 2;
    const counter = (counters.get(actor) ?? 0) + 1;
    counters.set(actor, counter);
    const one = version(actor, counter, { request: 0, content: 1 + (write % 999) });
    const head = eventOn(heads.get(actor) ?? EMPTY, contexts[client], one, 1, MAX);
    contexts[client] = contextAfterPut(contexts[client], head, one);
    widest = Math.max(widest, contexts[client].length);
    for (const other of actors) heads.set(other, mergeOf(heads.get(other) ?? EMPTY, head));
    all.push(one);
    if (write > 0 && versionCount(head, 0) !== 2) {
      check.equal(versionCount(head, 0), 2, `put ${write}`);
    }
  }
  const head = heads.get(actors[0]) ?? EMPTY;
  check.equal(versionCount(head, 0), 2, `siblings after ${writes} writes through ${actors}`);
  check.equal(all.filter((one) => covers(head, one)).length, writes, "all values are covered");
  check.ok(
    livesIn(head, all[writes - 1]) && livesIn(head, all[writes - 2]),
    "the last two are live",
  );
  check.ok(
    widest <= contextBytesMax,
    `a context of ${widest} bytes, wanted ${contextBytesMax} at most`,
  );
}

/**
 * Three clients, one at each of three coordinators, each going on from its own puts; a coordinator's
 * state is relayed to the next, and from there on, up to `late` writes after it was made.
 */
function relay(check: Check, writes: number, late: number): void {
  const actors = "abc";
  const heads = [EMPTY, EMPTY, EMPTY];
  const contexts = [EMPTY, EMPTY, EMPTY];
  const random = new SeededRandom(seed);
  const under: { readonly head: Uint8Array; readonly to: number; readonly due: number }[] = [];
  const all: Uint8Array[] = [];
  for (let write = 0; write < writes + late + 2; write++) {
    for (const { head, to, due } of under.filter((one) => one.due === write)) {
      heads[to] = mergeOf(heads[to], head);
      if (due < writes) under.push({ head: heads[to], to: (to + 1) % 3, due: due + late });
    }
    if (write >= writes) continue;
    const at = write % 3;
    const one = version(actors[at], 1 + Math.floor(write / 3));
    heads[at] = eventOn(heads[at], contexts[at], one, 1, MAX);
    contexts[at] = contextAfterPut(contexts[at], heads[at], one);
    under.push({ head: heads[at], to: (at + 1) % 3, due: write + 1 + random.below(late) });
    all.push(one);
    const counts = heads.map((head) => versionCount(head, 0));
    if (counts.some((count) => count > 3)) check.same(counts, [3, 3, 3], `siblings; ${again}`);
  }
  const settled = heads.reduce(mergeOf);
  check.equal(versionCount(settled, 0), 3, `siblings after ${writes} writes; ${again}`);
  const covered = all.filter((one) => covers(settled, one)).length;
  check.equal(covered, writes, `all values are covered; ${again}`);
  check.ok(all.slice(-3).every((one) => livesIn(settled, one)), `the last three live; ${again}`);
}

export const suite: readonly Case[] = [
  {
    name: "The paper's example: D1 to D5 by Sx, Sy and Sz, reconciled by Sx",
    run(check) {
      const d1 = eventOn(EMPTY, EMPTY, version("x", 1));
      const d2 = eventOn(d1, clockOf(d1), version("x", 2));
      const d3 = eventOn(d2, clockOf(d2), version("y", 1));
      const d4 = eventOn(d2, clockOf(d2), version("z", 1));
      const read = mergeOf(d3, d4);
      const d5 = eventOn(read, clockOf(read), version("x", 3));
      check.same(dotsOf(clockOf(d1)), pairs(["x", 1]), "D1 [(Sx,1)]");
      check.same(dotsOf(clockOf(d2)), pairs(["x", 2]), "D2 [(Sx,2)]");
      check.same(dotsOf(clockOf(d3)), pairs(["x", 2], ["y", 1]), "D3 [(Sx,2),(Sy,1)]");
      check.same(dotsOf(clockOf(d4)), pairs(["x", 2], ["z", 1]), "D4 [(Sx,2),(Sz,1)]");
      check.equal(versionCount(d2, 0), 1, "D2 overwrote D1");
      check.equal(versionCount(read, 0), 2, "a read that meets D3 and D4 shows both");
      check.same(dotsOf(clockOf(read)), pairs(["x", 2], ["y", 1], ["z", 1]), "and one context");
      check.equal(versionCount(d5, 0), 1, "D5 reconciles them");
      check.same(
        dotsOf(clockOf(d5)),
        pairs(["x", 3], ["y", 1], ["z", 1]),
        "D5 [(Sx,3),(Sy,1),(Sz,1)]",
      );
      for (const late of [d1, d2, d3, d4]) {
        check.same(mergeOf(d5, late), d5, "nothing late changes it");
      }
    },
  },
  {
    name: "Two writes with one context through one coordinator are both kept",
    run(check) {
      const first = eventOn(EMPTY, EMPTY, version("a", 1));
      const context = clockOf(first);
      const [left, right] = [version("a", 2), version("a", 3)];
      const both = eventOn(eventOn(first, context, left), context, right);
      check.equal(versionCount(both, 0), 2, "siblings");
      check.ok(livesIn(both, left) && livesIn(both, right), "the two writes");
      const resolved = eventOn(both, clockOf(both), version("a", 4));
      check.equal(versionCount(resolved, 0), 1, "a write that has seen both replaces both");
    },
  },
  {
    name: "A put's own context kills nothing that its client was not shown",
    run(check) {
      const [mine, unseen] = [version("a", 1), version("a", 2)];
      const one = eventOn(EMPTY, EMPTY, mine);
      const own = contextAfterPut(EMPTY, one, mine);
      const two = eventOn(one, EMPTY, unseen);
      const later = version("a", 3);
      const three = eventOn(two, own, later);
      check.ok(livesIn(three, unseen), "the unseen write stays");
      check.ok(!livesIn(three, mine), "the own one is replaced");
      const context = contextAfterPut(own, three, later);
      check.ok(
        !coversClock(context, unseen),
        "the context that this put answers covers it neither",
      );
      check.ok(coversClock(context, later), "but its own dot");
      check.ok(isSingle(context, context.length - ENTRY_BYTES), "as a dot alone");
    },
  },
  {
    name: "A put without a context is a sibling of all that is stored",
    run(check) {
      let head = EMPTY;
      for (let counter = 1; counter <= 5; counter++) {
        head = eventOn(head, EMPTY, version("a", counter));
      }
      check.equal(versionCount(head, 0), 5, "siblings");
    },
  },
  {
    name:
      "Two clients that go on from their own puts keep two siblings: 100 writes, one coordinator",
    run: (check) => interleave(check, 100, "a", 2 * ENTRY_BYTES),
  },
  {
    name:
      "Two clients that go on from their own puts keep two siblings: 10,000 writes, three of them",
    run: (check) => interleave(check, 10_000, "abc", 4 * ENTRY_BYTES),
  },
  {
    name: "100 writes of three clients, relayed late from coordinator to coordinator, leave three",
    run(check) {
      for (const late of [1, 2, 7, 30]) relay(check, 100, late);
    },
  },
  {
    name: "A tombstone pins its past; so does a version that expires; another version pins nothing",
    run(check) {
      const base = eventOn(eventOn(EMPTY, EMPTY, version("a", 1)), EMPTY, version("b", 1));
      const allPinned = (clock: Uint8Array) =>
        [...Array(clock.length / ENTRY_BYTES).keys()].map((index) =>
          isPinned(clock, index * ENTRY_BYTES)
        );
      const put = eventOn(base, clockOf(base), version("c", 1));
      check.same(allPinned(clockOf(put)), [false, false, false], "a put");
      const deleted = eventOn(base, clockOf(base), version("c", 1, { tombstone: true }));
      check.same(allPinned(clockOf(deleted)), [true, true, true], "a delete");
      const expiring = eventOn(base, clockOf(base), version("c", 1, { expiryMs: 9 }));
      check.same(allPinned(clockOf(expiring)), [true, true, true], "a version that expires");
      const after = eventOn(deleted, clockOf(deleted), version("d", 1));
      check.same(allPinned(clockOf(after)), [true, true, true, false], "a put after the delete");
    },
  },
  {
    name: "lww: the later write stays, also when the earlier arrives late; a delete takes part",
    run(check) {
      const [early, late] = [
        version("b", 1, { policy: POLICY_LWW }),
        version("a", 1, { policy: POLICY_LWW }),
      ];
      const [one, two] = [eventOn(EMPTY, EMPTY, early), eventOn(EMPTY, EMPTY, late)];
      check.ok(livesIn(mergeOf(one, two), late) && !livesIn(mergeOf(one, two), early), "the later");
      const gone = version("c", 1, { policy: POLICY_LWW, tombstone: true });
      const deleted = mergeOf(eventOn(EMPTY, EMPTY, gone), mergeOf(one, two));
      check.equal(shownCount(deleted), 0, "the delete is the last write");
      const [left, right] = ["a", "b"].map((actor) =>
        version(actor, 1, { policy: POLICY_LWW, stamp: 9 })
      );
      const tie = mergeOf(eventOn(EMPTY, EMPTY, left), eventOn(EMPTY, EMPTY, right));
      check.ok(livesIn(tie, right) && versionCount(tie, 0) === 1, "a tie goes to the greater dot");
      const stale = version("d", 1, { policy: POLICY_LWW, stamp: 1 });
      check.throws(
        () => eventOn(two, EMPTY, stale),
        "a coordinator with too low a stamp is stopped",
      );
    },
  },
  {
    name: "A dot that is held or was seen is never issued again",
    run(check) {
      const head = eventOn(EMPTY, EMPTY, version("a", 4));
      check.throws(() => eventOn(head, EMPTY, version("a", 4)), "the same dot");
      check.throws(() => eventOn(head, EMPTY, version("a", 3)), "one that a pair covers");
      check.throws(
        () => eventOn(EMPTY, clockOf(head), version("a", 4)),
        "one that the context covers",
      );
    },
  },
  {
    name: "Twins are shown once, and superseded together, whichever of them was seen",
    run(check) {
      const [first, second] = [
        version("b", 1, { request: 7, content: 7 }),
        version("a", 1, { request: 7, content: 7 }),
      ];
      const [one, two] = [eventOn(EMPTY, EMPTY, first), eventOn(EMPTY, EMPTY, second)];
      const both = mergeOf(one, two);
      check.equal(shownCount(both), 1, "one write is shown");
      for (const [seen, name] of [[first, "first"], [second, "second"]] as const) {
        const own = contextAfterPut(EMPTY, seen === first ? one : two, seen);
        const later = version("c", 1);
        check.equal(versionCount(eventOn(both, own, later), 0), 1, `a put after the ${name}`);
        const elsewhere = eventOn(seen === first ? one : two, own, later);
        check.equal(versionCount(mergeOf(both, elsewhere), 0), 1, `that put as a state (${name})`);
      }
      const other = version("c", 1, { request: 7, content: 8 });
      check.equal(shownCount(eventOn(both, EMPTY, other)), 2, "another content is another write");
      const nameless = [
        version("a", 1, { request: 0, content: 7 }),
        version("b", 1, { request: 0, content: 7 }),
      ];
      const apart = mergeOf(eventOn(EMPTY, EMPTY, nameless[0]), eventOn(EMPTY, EMPTY, nameless[1]));
      check.equal(shownCount(apart), 2, "without request ids nothing is a twin");
    },
  },
  {
    name:
      "A retry finds its first attempt by request id, and its put's context covers both",
    run(check) {
      const [first, retry] = [
        version("b", 1, { request: 7, content: 7 }),
        version("a", 1, { request: 7, content: 7 }),
      ];
      const held = eventOn(EMPTY, EMPTY, first);
      check.equal(requestIndex(held, 0, retry, 32), 0, "the first attempt is found");
      check.equal(requestIndex(held, 0, version("c", 1), 32), -1, "another is not");
      const head = eventOn(held, EMPTY, retry);
      const context = contextAfterPut(EMPTY, head, retry);
      check.ok(
        coversClock(context, first) && coversClock(context, retry),
        "both dots are one's own",
      );
      const stranger = version("d", 5);
      const beside = eventOn(head, EMPTY, stranger, 0);
      const seen = contextAfterPut(EMPTY, beside, stranger);
      const answered = contextAfterPut(seen, beside, first);
      check.ok(coversClock(answered, stranger), "what was seen and lives stays seen");
    },
  },
  {
    name: "isSuperseded() is true of what was overwritten, not of what has a twin",
    run(check) {
      const first = version("b", 1, { request: 7, content: 7, policy: POLICY_LWW });
      const twin = version("a", 1, { request: 7, content: 7, policy: POLICY_LWW });
      const [one, two] = [eventOn(EMPTY, EMPTY, first), eventOn(EMPTY, EMPTY, twin)];
      const both = mergeOf(one, two);
      check.ok(!livesIn(both, first), "lww keeps one of them");
      check.ok(!isSuperseded(one, versionOffset(0, 0), both, 0), "its write is not superseded");
      check.ok(!isSuperseded(two, versionOffset(0, 0), both, 0), "nor is what is live");
      const later = eventOn(both, EMPTY, version("c", 1, { policy: POLICY_LWW }));
      check.ok(isSuperseded(one, versionOffset(0, 0), later, 0), "now it is");
    },
  },
  {
    name: "shownInto() leaves out tombstones and what has expired, at the millisecond",
    run(check) {
      let head = eventOn(EMPTY, EMPTY, version("a", 1));
      head = eventOn(head, EMPTY, version("b", 1, { tombstone: true }));
      head = eventOn(head, EMPTY, version("c", 1, { expiryMs: 1000 }));
      const shown = new Int32Array(3);
      check.equal(shownInto(head, 0, 999, shown), 2, "before");
      check.same([...shown.slice(0, 2)], [0, 2], "by index, in the order of dots");
      check.equal(shownInto(head, 0, 1000, shown), 1, "at");
      check.equal(shownInto(EMPTY, 0, 0, shown), 0, "of nothing");
    },
  },
  {
    name: "eventInto() says where each version came from, and writes within the room it asked for",
    run(check) {
      let head = EMPTY;
      for (const actor of "bdf") head = eventOn(head, EMPTY, version(actor, 1));
      const [room, one] = [eventLengthMax(head, 0, 1), version("c", 1)];
      const target = new Uint8Array(room + 8).fill(170);
      const sources = new Int32Array(4);
      const seen = pairs(["d", 1]);
      const length = eventInto(head, 0, seen, 0, 1, one, 0, 1, MAX, target, 0, sources);
      check.same([...sources.slice(0, 3)], [0, FROM_EVENT, 2], "b, the new one, f");
      check.ok(target.subarray(room).every((byte) => byte === 170), "the room");
      check.ok(isWellFormedHead(target, 0, length), "well-formed");
      check.same(
        target.slice(versionOffset(0, 1), versionOffset(0, 2)),
        one,
        "the version as given",
      );
    },
  },
  {
    name: "Truncation: 30 coordinators in turn leave ten entries, and the oldest go",
    run(check) {
      const actors = Array.from({ length: 30 }, (_, index) => String.fromCharCode(65 + index));
      let head = EMPTY;
      let dropped = 0;
      for (const actor of actors) {
        head = eventOn(head, clockOf(head), version(actor, 1), 1, MAX);
        dropped += entriesTruncated;
        check.ok(clockCount(head, 0) <= MAX, `${clockCount(head, 0)} entries after ${actor}`);
        check.equal(versionCount(head, 0), 1, "one version");
      }
      check.equal(dropped, 20, "entries dropped");
      const kept = actors.filter((actor) => covers(head, version(actor, 1)));
      check.same(kept, actors.slice(20), "the newest stay");
    },
  },
  {
    name: "Truncation may make a false sibling, which the next read and write resolves",
    run(check) {
      const old = version("A", 1);
      const stale = eventOn(EMPTY, EMPTY, old);
      let head = stale;
      for (const actor of "BCDEFGHIJKL") {
        head = eventOn(head, clockOf(head), version(actor, 1), 1, MAX);
      }
      const met = mergeOf(head, stale);
      check.ok(livesIn(met, old) && versionCount(met, 0) === 2, "the old value is a sibling again");
      const resolved = eventOn(met, clockOf(met), version("B", 2), 1, MAX);
      check.equal(versionCount(resolved, 0), 1, "resolved");
    },
  },
  {
    name:
      "Truncation drops no live version's entry, not its coordinator's own, and merges drop none",
    run(check) {
      let head = EMPTY;
      for (const actor of "ABCDEFGHIJKLMNO") head = eventOn(head, EMPTY, version(actor, 1), 1, 3);
      check.equal(clockCount(head, 0), 15, "15 siblings keep their 15 entries");
      check.ok(isWellFormedHead(head, 0, head.length), "so that the head is well-formed");
      let own = eventOn(EMPTY, EMPTY, version("A", 1));
      for (const actor of "BCD") own = eventOn(own, clockOf(own), version(actor, 1));
      own = eventOn(own, EMPTY, version("A", 9), 0, 2);
      check.ok(covers(own, version("A", 1)), "A's oldest entry stays at A");
      check.ok(!covers(own, version("B", 1)), "B's younger one goes");
      const wide = mergeOf(eventOn(EMPTY, pairs(["P", 1], ["Q", 1]), version("R", 1)), head);
      check.equal(clockCount(wide, 0), 18, "a merge keeps all");
    },
  },
  {
    name: "A delete, a new value, truncation, and then an old value comes late: it stays deleted",
    run(check) {
      const old = version("A", 1);
      const stale = eventOn(EMPTY, EMPTY, old);
      const second = eventOn(stale, clockOf(stale), version("B", 1), 1, MAX);
      const dead = eventOn(second, clockOf(second), version("C", 1, { tombstone: true }), 1, MAX);
      check.same(mergeOf(dead, stale), dead, "late to the tombstone");
      let head = dead;
      for (const actor of "DEFGHIJKLMNOPQRST") {
        head = eventOn(head, clockOf(head), version(actor, 1), 1, MAX);
      }
      check.ok(entriesTruncated > 0, "clocks are truncated");
      const met = mergeOf(head, mergeOf(stale, second));
      check.equal(versionCount(met, 0), 1, "late to what came after");
      check.ok(!livesIn(met, old), "the deleted value stays deleted");
    },
  },
  {
    name: "A delete's own context carries what it deleted, to wherever the next put is made",
    run(check) {
      const [old, fresh] = [version("a", 5), version("c", 1)];
      const gone = version("b", 1, { tombstone: true });
      const stale = eventOn(EMPTY, EMPTY, old, 0);
      const seen = contextAfterPut(EMPTY, stale, old);
      const dead = eventOn(stale, seen, gone);
      const context = contextAfterPut(seen, dead, gone);
      const elsewhere = eventOn(stale, context, fresh);
      check.equal(versionCount(elsewhere, 0), 1, "where the delete has not arrived yet");
      check.ok(isPinned(clockOf(elsewhere), 0), "and there the past is pinned as well");
    },
  },
  {
    name: "Pinned entries do not count: what is written after a delete keeps ten entries of its own",
    run(check) {
      let head = EMPTY;
      for (const actor of "ABCDEFGHIJ") head = eventOn(head, clockOf(head), version(actor, 1));
      head = eventOn(head, clockOf(head), version("K", 1, { tombstone: true }), 1, MAX);
      for (const actor of "LMNOPQRSTUVW") {
        head = eventOn(head, clockOf(head), version(actor, 1), 1, MAX);
      }
      check.equal(clockCount(head, 0), 11 + MAX, "eleven pinned ones, and ten");
    },
  },
  {
    name: "A tombstone that lives keeps its whole clock, however many entries it has",
    run(check) {
      let head = EMPTY;
      for (const actor of "ABCDEFGHIJ") {
        head = eventOn(head, clockOf(head), version(actor, 1), 1, MAX);
      }
      head = eventOn(head, clockOf(head), version("K", 1, { tombstone: true }), 1, MAX);
      check.equal(clockCount(head, 0), 11, "entries");
      const value = version("L", 5);
      head = eventOn(head, EMPTY, value, 0, MAX);
      check.equal(clockCount(head, 0), 12, "with a value beside it");
      const seen = contextAfterPut(EMPTY, head, value);
      head = eventOn(head, seen, version("M", 1), 1, 1);
      check.ok(
        covers(head, value) && !livesIn(head, value),
        "nothing goes, not even what has no pin",
      );
    },
  },
  {
    name: "Random worlds that truncate: false siblings, no lost write, no returned delete",
    run: (check) => truncatingWorlds(check),
  },
];

function truncatingWorlds(check: Check): void {
  const random = new SeededRandom(seed);
  let truncated = 0;
  let falseSiblings = 0;
  let deletes = 0;
  const worlds = roundsHere(100);
  for (let number = 0; number < worlds; number++) {
    const options = { actors: "abcdefg", policies: [POLICY_SIBLINGS], twins: false, entriesMax: 3 };
    const world = new VersionWorld(random, options);
    for (let step = 0; step < 80; step++) {
      const replica = world.step();
      const { head, state } = replica;
      if (head.length > 0) {
        check.ok(isWellFormedHead(head, 0, head.length), `well-formed; ${again}`);
      }
      for (const live of state.live.values()) {
        check.ok(livesIn(head, packVersion(live)), `${dotOf(live)} is not lost; ${again}`);
      }
      falseSiblings += versionCount(head, 0) - state.live.size;
      deletes += deletedStayDeleted(check, world, replica);
    }
    truncated += world.truncated;
    const { head } = world.settle();
    for (const written of world.written) {
      const { version: one } = written;
      const seen = world.written.some(({ context }) => context.has(dotOf(one)));
      check.ok(seen || livesIn(head, packVersion(one)), `${dotOf(one)} lost; ${again}`);
    }
  }
  check.ok(truncated > 7 * worlds, `${truncated} entries were truncated`);
  check.ok(falseSiblings > worlds, `${falseSiblings} false siblings were seen`);
  check.ok(deletes > worlds, `${deletes} deleted versions were looked for`);
}

/**
 * What a delete's coordinator covered is dead wherever that state was merged in; returns how many.
 */
function deletedStayDeleted(check: Check, world: VersionWorld, replica: Snapshot): number {
  let looked = 0;
  for (const { version: tombstone, head: after } of world.written) {
    if (!tombstone.tombstone || !replica.met.has(dotOf(tombstone))) continue;
    for (const { version: one } of world.written) {
      const packed = packVersion(one);
      if (!covers(after, packed) || livesIn(after, packed)) continue;
      looked++;
      const lives = livesIn(replica.head, packed);
      check.ok(!lives, `${dotOf(one)} was deleted and came back; ${again}`);
    }
  }
  return looked;
}
