/** Digests and listings of ranges against plain sets of entries. */

import t from "tap";
import { headDigestInto } from "../../../core/version-set.ts";
import {
  differences,
  ENTRY_BYTES,
  listRange,
  rangeDigest,
} from "../../../server/replication/ranges.ts";
import type { Engine } from "../../../storage/engine.ts";
import { openMemoryEngine } from "../../../storage/memory/memory-engine.ts";
import { SeededRandom, seedFrom } from "../../random.ts";
import { LABELS, nameOf, payloadOf, setOf } from "../../storage/sets.ts";

const seed = seedFrom(process.env.SEED, 12);
const again = `again: SEED=${seed} npx tap run test/server/replication/ranges.test.ts`;
const TOP = 0xffffffff;

function engineOf(): Engine {
  return openMemoryEngine({
    folder: "objects",
    partitionBits: 4,
    treeKey: Int32Array.of(1, 2, 3, 4),
    freeBytesMin: 0,
    totalBytesMax: 0,
  });
}

/** Writes version `counter` of object `number`. */
function write(engine: Engine, number: number, counter: number): void {
  engine.write(nameOf(`b/${number}`), setOf({ counter, payload: payloadOf(number, 9) }), LABELS);
}

/** The text of a range's contents, in order: what its digest stands for. */
function contents(engine: Engine, from: number, to: number): string {
  const lines: string[] = [];
  engine.scan(from, to, ({ position0, position1, tag, digest0, digest1 }) => {
    lines.push([position0, position1, tag, digest0, digest1].join(" "));
    return true;
  });
  return lines.sort().join("\n");
}

t.test("digests are equal where contents are, whatever the order of writing, and only there", (tt) => {
  const random = new SeededRandom(seed);
  for (let round = 0; round < 60; round++) {
    const left = engineOf();
    const right = engineOf();
    const objects = Array.from({ length: random.below(60) }, (_, number) => number);
    for (const number of objects) write(left, number, 1);
    for (const number of objects.reverse()) write(right, number, 1);
    for (let changes = random.below(3); changes > 0; changes--) {
      write(random.chance(1, 2) ? left : right, random.below(80), 1 + random.below(2));
    }
    for (let range = 0; range < 8; range++) {
      const ends = [random.uint32(), random.uint32()].sort((one, other) => one - other);
      const [from, to] = range === 0 ? [0, TOP] : ends;
      const one = rangeDigest(left, from, to);
      const other = rangeDigest(right, from, to);
      const isEqual = one.digest0 === other.digest0 && one.digest1 === other.digest1;
      const isSame = contents(left, from, to) === contents(right, from, to);
      if (isEqual !== isSame) tt.fail(`round ${round}, range ${from} to ${to}; ${again}`);
    }
  }
  tt.pass("60 pairs of engines");
  tt.end();
});

t.test("a range says what the hash tree says of the same range", (tt) => {
  const engine = engineOf();
  const root = new Uint32Array(2);
  const range = new Uint32Array(2);
  for (let number = 0; number < 1_500; number++) write(engine, number, 1);
  for (const partition of [0, 7, 15]) {
    const tree = engine.tree(partition);
    tree.rootInto(root, 0);
    tree.nodeRangeInto(0, range, 0);
    const { digest0, digest1, count } = rangeDigest(engine, range[0], range[1]);
    tt.same([digest0, digest1, count], [...root, tree.count], `partition ${partition}`);
    tt.ok(tree.hasChildren(0) && count > 64, "it has grown");
    const children = new Uint8Array(128);
    tree.childrenInto(0, children, 0);
    const words = new Uint32Array(children.buffer);
    for (let place = 0; place < 16; place++) {
      tree.nodeRangeInto(1 + place, range, 0);
      const child = rangeDigest(engine, range[0], range[1]);
      tt.same([child.digest0, child.digest1], [...words.subarray(2 * place, 2 * place + 2)]);
    }
  }
  tt.end();
});

t.test("two names with one position and one tag are told apart by their digests", (tt) => {
  const list = (...digests: number[]): Uint8Array => {
    return new Uint8Array(Uint32Array.from(digests.flatMap((one) => [1, 2, 3, one, one])).buffer);
  };
  const found = (here: Uint8Array, there: Uint8Array): string[] => {
    return differences(here, there).map(({ entry, isHere, isThere }) => {
      return `${entry.digest0} ${isHere} ${isThere}`;
    });
  };
  tt.same(found(list(7, 8), list(8, 7)), [], "both have both");
  tt.same(found(list(7, 8), list(8)), ["7 true false"], "one is missing there");
  tt.same(found(list(8), list(7, 8)), ["7 false true"], "one is missing here");
  tt.same(found(list(7, 8), list(7, 9)), ["9 true true"], "one has another head");
  tt.same(found(list(7, 7), list(7)), ["7 true false"], "twice here");
  tt.end();
});

t.test("differences() names each entry that is not the same on both sides, and who has it", (tt) => {
  const random = new SeededRandom(seed + 1);
  for (let round = 0; round < 60; round++) {
    const here = engineOf();
    const there = engineOf();
    const wanted = new Map<string, string>();
    for (let number = 0; number < 40; number++) {
      const counters = [random.below(3), random.below(3)];
      if (counters[0] > 0) write(here, number, counters[0]);
      if (counters[1] > 0) write(there, number, counters[1]);
      if (counters[0] === counters[1]) continue;
      const { position0, position1, tag } = nameOf(`b/${number}`);
      wanted.set(`${position0} ${position1} ${tag}`, `${counters[0] > 0} ${counters[1] > 0}`);
    }
    const lists = [here, there].map((engine) => listRange(engine, 0, TOP, 100));
    const found = differences(lists[0], lists[1]).map(({ entry, isHere, isThere }) => {
      return [`${entry.position0} ${entry.position1} ${entry.tag}`, `${isHere} ${isThere}`];
    });
    tt.same(new Map(found as [string, string][]), wanted, `round ${round}; ${again}`);
    tt.equal(found.length, wanted.size, "each once");
  }
  tt.end();
});

t.test("listRange() lists what is in the range, and no more than was asked for", (tt) => {
  const engine = engineOf();
  for (let number = 0; number < 20; number++) write(engine, number, 1);
  tt.equal(listRange(engine, 0, TOP, 5).length, 5 * ENTRY_BYTES, "five of twenty");
  const { position0 } = nameOf("b/7");
  const listed = listRange(engine, position0, position0, 100);
  tt.equal(listed.length, ENTRY_BYTES, "one");
  const digest = new Uint32Array(2);
  const { head } = setOf({ counter: 1, payload: payloadOf(7, 9) });
  headDigestInto(head, 0, head.length, digest, 0);
  const view = new DataView(listed.buffer, listed.byteOffset);
  const words = [0, 4, 8, 12, 16].map((at) => view.getUint32(at, true));
  const { position1, tag } = nameOf("b/7");
  tt.same(
    words,
    [position0, position1, tag, digest[0], digest[1]],
    "position, tag, digest of the head",
  );
  tt.end();
});

t.test("a listing that ends in a broken entry is read up to it", (tt) => {
  const engine = engineOf();
  for (let number = 0; number < 3; number++) write(engine, number, 1);
  const whole = listRange(engine, 0, TOP, 3);
  tt.equal(
    differences(new Uint8Array(0), whole.subarray(0, whole.length - 1)).length,
    2,
    "two of three",
  );
  tt.end();
});
