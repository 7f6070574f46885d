/**
 * The join of version sets on every runtime, over states that can be reached: random worlds of
 * replicas and clients (test/model/version-world) against the naive model, and the laws that
 * anti-entropy relies on.
 */

import process from "node:process";
import { isPinned } from "../../core/clock-entry.ts";
import { clockCovers } from "../../core/vector-clock.ts";
import {
  compareHeads,
  DIVERGED,
  FROM_RIGHT,
  HEADS_EQUAL,
  LEFT_AHEAD,
  syncedLengthMax,
  syncInto,
  RIGHT_AHEAD,
  singleVersion,
  withoutVersion,
} from "../../core/version-sync.ts";
import {
  clockCount,
  clockOffset,
  endsObject,
  findDot,
  isLive,
  isWellFormedHead,
  POLICY_LWW,
  POLICY_SET,
  POLICY_SIBLINGS,
  VERSION_BYTES,
  versionCount,
  versionOffset,
  writeHeadCounts,
} from "../../core/version-set.ts";
import {
  areModelTwins,
  dotOf,
  isLaterModel,
  type ModelVersion,
  packState,
  packVersion,
} from "../model/version-set-model.ts";
import {
  eventOn,
  mergeOf,
  VersionWorld,
  type WorldOptions,
  type Written,
} from "../model/version-world.ts";
import { roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";

const seed = seedFrom(process.env.SEED, 2007);
const again = `again: SEED=${seed} bun test/runtimes.ts core/version-sync`;
const WORLDS = roundsHere(150);
const STEPS = 60;
const TRIPLES = 50;
const EMPTY = new Uint8Array(0);

const siblings: WorldOptions = {
  actors: "abcde",
  policies: [POLICY_SIBLINGS, POLICY_SIBLINGS, POLICY_SET],
  twins: false,
  entriesMax: Infinity,
};
const siblingsWithTwins: WorldOptions = { ...siblings, twins: true };
const lastWriteWins: WorldOptions = {
  ...siblings,
  actors: "abc",
  policies: [POLICY_LWW],
  twins: true,
};
const mixed: WorldOptions = { ...siblingsWithTwins, policies: [POLICY_SIBLINGS, POLICY_LWW] };

const kinds: readonly (readonly [string, WorldOptions])[] = [
  ["siblings", siblings],
  ["siblings with twins", siblingsWithTwins],
  ["lww", lastWriteWins],
  ["mixed policies", mixed],
];

function playedWorlds(options: WorldOptions, each: (world: VersionWorld) => void): void {
  const random = new SeededRandom(seed);
  for (let number = 0; number < WORLDS; number++) {
    const world = new VersionWorld(random, options);
    for (let step = 0; step < STEPS; step++) world.step();
    each(world);
  }
}

function covers(head: Uint8Array, version: Uint8Array): boolean {
  return clockCovers(head, clockOffset(head, 0), clockCount(head, 0), version, 0);
}

/**
 * Whether somebody who had seen this very dot has written since, and the head covers that write.
 */
function isSeenSuperseded(world: VersionWorld, head: Uint8Array, version: ModelVersion): boolean {
  return world.written.some(
    (later) => later.context.has(dotOf(version)) && covers(head, packVersion(later.version)),
  );
}

/** The head without the twins of what was superseded: what a replica that remembers would hold. */
function remembering(world: VersionWorld, head: Uint8Array): Uint8Array {
  let result = head;
  for (const { version } of world.written) {
    if (version.policy === POLICY_LWW || !isSeenSuperseded(world, head, version)) continue;
    for (const other of world.written) {
      if (!areModelTwins(version, other.version)) continue;
      const index = findDot(result, 0, packVersion(other.version), 0);
      if (index >= 0) result = withoutVersion(result, 0, index);
    }
  }
  return result;
}

/**
 * Why a written version may be gone: superseded by one who saw it or its twin, or by a later lww
 * write.
 */
function mayBeGone(world: VersionWorld, written: Written): boolean {
  const { version } = written;
  const twins = world.written.filter(({ version: other }) => areModelTwins(other, version));
  const dots = [dotOf(version), ...twins.map((twin) => dotOf(twin.version))];
  return world.written.some(
    ({ version: later, context }) =>
      dots.some((dot) => context.has(dot)) ||
      (version.policy === POLICY_LWW && later.policy === POLICY_LWW &&
        isLaterModel(later, version)),
  );
}

function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function lawsOfTwo(check: Check, one: Uint8Array, two: Uint8Array): void {
  const both = mergeOf(one, two);
  check.same(mergeOf(two, one), both, `the join commutes; ${again}`);
  check.same(mergeOf(both, one), both, `the join absorbs the left; ${again}`);
  check.same(mergeOf(both, two), both, `the join absorbs the right; ${again}`);
  check.ok(isWellFormedHead(both, 0, both.length), `the join is well-formed; ${again}`);
}

function triplesOf(world: VersionWorld, each: (heads: readonly Uint8Array[]) => void): void {
  const random = new SeededRandom(seed + world.written.length);
  for (let triple = 0; triple < TRIPLES; triple++) {
    const pick = () => world.snapshots[random.below(world.snapshots.length)].head;
    each([pick(), pick(), pick()]);
  }
}

export const suite: readonly Case[] = [
  ...kinds.map(([name, options]) => ({
    name: `Heads equal the model byte by byte at each step (${name})`,
    run(check: Check) {
      const random = new SeededRandom(seed);
      for (let number = 0; number < WORLDS; number++) {
        const world = new VersionWorld(random, options);
        for (let step = 0; step < STEPS; step++) {
          const { head, state } = world.step();
          check.same(head, head.length === 0 ? EMPTY : packState(state), `step ${step}; ${again}`);
          if (head.length > 0) {
            check.ok(isWellFormedHead(head, 0, head.length), `well-formed; ${again}`);
          }
        }
      }
    },
  })),
  ...kinds.map(([name, options]) => ({
    name: `The join commutes, absorbs and may be repeated, on bytes (${name})`,
    run(check: Check) {
      playedWorlds(options, (world) => {
        triplesOf(world, ([one, two]) => lawsOfTwo(check, one, two));
        const { head } = world.replicas[0];
        if (head.length > 0) check.same(mergeOf(head, head), head, `idempotent; ${again}`);
      });
    },
  })),
  ...kinds.slice(0, 3).map(([name, options]) => ({
    name: `The join associates on bytes, late twins left to what replicas remember (${name})`,
    run(check: Check) {
      let late = 0;
      playedWorlds(options, (world) => {
        triplesOf(world, ([one, two, three]) => {
          const left = mergeOf(mergeOf(one, two), three);
          const right = mergeOf(one, mergeOf(two, three));
          if (bytesEqual(left, right)) return;
          late++;
          const remembered = remembering(world, left);
          check.same(remembering(world, right), remembered, `associates; ${again}`);
        });
      });
      const wanted = options === siblingsWithTwins;
      check.equal(late > 0, wanted, `${late} triples had a late twin; ${again}`);
    },
  })),
  ...kinds.map(([name, options]) => ({
    name: `No write is lost and no dot comes back (${name})`,
    run(check: Check) {
      const random = new SeededRandom(seed);
      for (let number = 0; number < WORLDS; number++) {
        const world = new VersionWorld(random, options);
        const dead = new Map(world.replicas.map((replica) => [replica, new Set<string>()]));
        for (let step = 0; step < STEPS; step++) {
          const replica = world.step();
          for (const { version } of world.written) {
            const packed = packVersion(version);
            const lives = isLive(replica.head, 0, packed, 0);
            if (lives) check.ok(!dead.get(replica)?.has(dotOf(version)), `came back; ${again}`);
            else if (covers(replica.head, packed)) dead.get(replica)?.add(dotOf(version));
          }
        }
        const { head } = world.settle();
        for (const written of world.written) {
          const lives = isLive(head, 0, packVersion(written.version), 0);
          check.ok(lives || mayBeGone(world, written), `${dotOf(written.version)} lost; ${again}`);
        }
      }
    },
  })),
  {
    name: "Replicas that exchange states in any order end in equal bytes",
    run(check) {
      const random = new SeededRandom(seed);
      playedWorlds(mixed, (world) => {
        let heads = world.replicas.map((replica) => replica.head);
        for (let exchange = 0; exchange < 200; exchange++) {
          const [from, to] = [random.below(heads.length), random.below(heads.length)];
          heads[to] = mergeOf(heads[to], heads[from]);
        }
        heads = heads.map((head) => heads.reduce(mergeOf, head));
        for (const head of heads) check.same(head, heads[0], `one state; ${again}`);
      });
    },
  },
  {
    name: "compareHeads() tells who needs what",
    run(check) {
      playedWorlds(siblingsWithTwins, (world) => {
        triplesOf(world, ([one, two]) => {
          const both = mergeOf(one, two);
          const leftHolds = bytesEqual(both, mergeOf(one, EMPTY));
          const rightHolds = bytesEqual(both, mergeOf(two, EMPTY));
          const wanted = leftHolds
            ? rightHolds ? HEADS_EQUAL : LEFT_AHEAD
            : rightHolds
            ? RIGHT_AHEAD
            : DIVERGED;
          check.equal(compareHeads(one, 0, two, 0), wanted, `order of heads; ${again}`);
        });
      });
      const empty = mergeOf(EMPTY, EMPTY);
      check.equal(
        compareHeads(empty, 0, EMPTY, 0),
        HEADS_EQUAL,
        "an empty head and none are equal",
      );
    },
  },
  {
    name: "syncInto() says where each version came from, and writes within the room it asked for",
    run(check) {
      playedWorlds(siblingsWithTwins, (world) => {
        triplesOf(world, ([one, two]) => sourcesAreTrue(check, one, two));
      });
    },
  },
  {
    name: "Of two forms of one version the tombstone that it became stays, whichever side has it",
    run(check) {
      const version = {
        actor: "a",
        counter: 1,
        policy: 0,
        tombstone: false,
        stamp: 5,
        expiryMs: 9,
      };
      const whole = eventOn(EMPTY, EMPTY, packVersion({ ...version, request: 1, content: 77 }));
      const expired = eventOn(
        EMPTY,
        EMPTY,
        packVersion({ ...version, tombstone: true, request: 1, content: 77 }),
      );
      check.same(mergeOf(whole, expired), expired, "from the right");
      check.same(mergeOf(expired, whole), expired, "from the left");
    },
  },
  {
    name: "singleVersion() is an honest state: merging all of them and the head gives the head",
    run(check) {
      playedWorlds(siblings, ({ replicas }) => {
        for (const { head } of replicas.filter((replica) => replica.head.length > 0)) {
          let pieces: Uint8Array = EMPTY;
          for (let index = 0; index < versionCount(head, 0); index++) {
            const single = singleVersion(head, 0, index);
            const isPast = endsObject(head, versionOffset(0, index));
            const entry = clockOffset(single, 0);
            check.equal(isPinned(single, entry), isPast, `a delete is pinned; ${again}`);
            check.ok(isWellFormedHead(single, 0, single.length), `well-formed; ${again}`);
            pieces = mergeOf(pieces, single);
          }
          check.equal(versionCount(pieces, 0), versionCount(head, 0), `all are live; ${again}`);
          check.same(mergeOf(head, pieces), head, `the head holds them; ${again}`);
        }
      });
    },
  },
  {
    name: "A merge beyond what a head can count is refused before a count wraps",
    run(check) {
      const target = new Uint8Array(8);
      check.throws(() => writeHeadCounts(target, 0, 65_536, 0), "65,536 versions");
      check.throws(() => writeHeadCounts(target, 0, 0, 65_536), "65,536 entries");
      check.ok(writeHeadCounts(target, 0, 65_535, 65_535) > 0, "65,535 of each");
    },
  },
];

function sourcesAreTrue(check: Check, one: Uint8Array, two: Uint8Array): void {
  const lengthMax = syncedLengthMax(one, 0, two, 0);
  const target = new Uint8Array(lengthMax + 8).fill(170);
  const sources = new Int32Array(versionCount(one, 0) + versionCount(two, 0));
  const length = syncInto(one, 0, two, 0, target, 0, sources);
  check.ok(length <= lengthMax, `length; ${again}`);
  check.ok(target.subarray(lengthMax).every((byte) => byte === 170), `the room; ${again}`);
  for (let index = 0; index < versionCount(target, 0); index++) {
    const fromLeft = sources[index] < FROM_RIGHT;
    const source = fromLeft ? one : two;
    const at = versionOffset(0, sources[index] - (fromLeft ? 0 : FROM_RIGHT));
    const version = source.slice(at, at + VERSION_BYTES);
    const merged = target.slice(versionOffset(0, index), versionOffset(0, index + 1));
    check.same(merged, version, `version ${index}; ${again}`);
    if (!fromLeft) check.ok(!isLive(one, 0, version, 0), `the left is preferred; ${again}`);
  }
}
