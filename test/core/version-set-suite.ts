/**
 * The packed head on every runtime: its bytes, the gate for what comes from outside, its digest.
 */

import process from "node:process";
import { fromHex, toHex, writeU48 } from "../../core/bytes.ts";
import { META_BLOCK_BYTES_MAX, VALUE_BYTES_MAX_LIMIT } from "../../core/limits.ts";
import { stampLogical, stampMs } from "../../core/clock-entry.ts";
import { crc32c } from "../../core/crc32c.ts";
import { shownInto } from "../../core/version-rules.ts";
import {
  bodyLength,
  clockCount,
  HEAD_BYTES,
  headDigestInto,
  headLength,
  isTombstone,
  isWellFormedHead,
  metaLength,
  newestStamp,
  payloadChecksum,
  payloadLength,
  POLICY_FLAG,
  POLICY_LWW,
  POLICY_SIBLINGS,
  VERSION_BYTES,
  versionCount,
  versionCounter,
  versionExpiryMs,
  type VersionFields,
  versionFlags,
  versionPolicy,
  versionRequestId,
  versionStamp,
  writeHeadCounts,
  writeVersion,
} from "../../core/version-set.ts";
import { actorBytes } from "../model/vector-clock-model.ts";
import { clockOf, eventOn, mergeOf, VersionWorld } from "../model/version-world.ts";
import { roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";
import { collisionLeft, collisionRight } from "./md5-collision.ts";

const seed = seedFrom(process.env.SEED, 1997);
const again = `again: SEED=${seed} bun test/runtimes.ts core/version-set`;
const EMPTY: Uint8Array = new Uint8Array(0);
const LAST_U48 = 2 ** 48 - 1;

const plain: VersionFields = {
  actor: actorBytes("a"),
  counter: 1,
  policy: POLICY_SIBLINGS,
  tombstone: false,
  stampMs: 1_790_000_000_000,
  stampLogical: 3,
  expiryMs: 0,
  requestId: Uint8Array.from({ length: 16 }, (_, index) => index + 1),
  metaLength: 25,
  bodyLength: 100,
  checksum: 0xdeadbeef,
};

function version(fields: Partial<VersionFields> = {}): Uint8Array {
  const bytes = new Uint8Array(VERSION_BYTES);
  writeVersion(bytes, 0, { ...plain, ...fields });
  return bytes;
}

function accepts(head: Uint8Array): boolean {
  return isWellFormedHead(head, 0, head.length);
}

/** Heads as random worlds make them, of all policies. */
function reachedHeads(random: SeededRandom, count: number): Uint8Array[] {
  const heads: Uint8Array[] = [];
  while (heads.length < count) {
    const policies = [POLICY_SIBLINGS, POLICY_LWW, POLICY_FLAG];
    const options = { actors: "abcd", policies, twins: true, entriesMax: 5 };
    const world = new VersionWorld(random, options);
    for (let step = 0; step < 40; step++) world.step();
    heads.push(...world.snapshots.map(({ head }) => head).filter((head) => head.length > 0));
  }
  return heads.slice(0, count);
}

/** The same bytes with one field of the first version overwritten. */
function withVersion(head: Uint8Array, fields: Partial<VersionFields>): Uint8Array {
  const copy = head.slice();
  writeVersion(copy, HEAD_BYTES, { ...plain, ...fields });
  return copy;
}

function digestOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const words = new Uint32Array(2);
  headDigestInto(bytes, start, end, words, 0);
  return words.join(" ");
}

/**
 * A tombstone of policy lww as format 1 writes it: counts, version, clock entry (a pinned PAIR).
 */
const GOLDEN = "0100010001000000" +
  "070707070707076101000000000003000300006c50c4a00100000000000019000102030405060708" +
  "090a0b0c0d0e0f1000000000efbeadde" +
  "070707070707076101000000000002000300006c50c4a001";

/** Its digest, two words. */
const GOLDEN_DIGEST = "1982066709 535080473";

export const suite: readonly Case[] = [
  {
    name: "A head is these bytes (never to change within format 1)",
    run(check) {
      const fields = { tombstone: true, policy: POLICY_LWW, bodyLength: 0 };
      const head = eventOn(EMPTY, EMPTY, version(fields));
      check.equal(toHex(head, 0, head.length), GOLDEN, "as written");
      check.ok(accepts(fromHex(GOLDEN) ?? EMPTY), "and accepted");
    },
  },
  {
    name: "Fields are read as they were written, at the ends of their ranges",
    run(check) {
      const fields: VersionFields = {
        ...plain,
        counter: LAST_U48,
        policy: POLICY_FLAG,
        tombstone: true,
        stampMs: LAST_U48,
        stampLogical: 65_535,
        expiryMs: LAST_U48,
        metaLength: 65_535,
        bodyLength: 2 ** 32 - 1,
        checksum: 2 ** 32 - 1,
      };
      for (const wanted of [fields, plain]) {
        const bytes = version(wanted);
        check.equal(versionCounter(bytes, 0), wanted.counter, "counter");
        check.equal(versionPolicy(bytes, 0), wanted.policy, "policy");
        check.equal(isTombstone(bytes, 0), wanted.tombstone, "tombstone");
        check.equal(versionFlags(bytes, 0) & 1, wanted.tombstone ? 1 : 0, "flags");
        check.equal(stampMs(bytes, versionStamp(0)), wanted.stampMs, "stamp");
        check.equal(stampLogical(bytes, versionStamp(0)), wanted.stampLogical, "logical stamp");
        check.equal(versionExpiryMs(bytes, 0), wanted.expiryMs, "expiry");
        check.equal(metaLength(bytes, 0), wanted.metaLength, "metadata length");
        check.equal(bodyLength(bytes, 0), wanted.bodyLength, "body length");
        check.equal(
          payloadLength(bytes, 0),
          wanted.metaLength + wanted.bodyLength,
          "payload length",
        );
        check.equal(payloadChecksum(bytes, 0), wanted.checksum, "checksum");
        const id = versionRequestId(0);
        check.same(bytes.slice(id, id + 16), wanted.requestId, "request id");
      }
    },
  },
  {
    name: "No head and an empty head are the same to all readers",
    run(check) {
      const empty = new Uint8Array(HEAD_BYTES);
      writeHeadCounts(empty, 0, 0, 0);
      check.equal(headLength(empty, 0), HEAD_BYTES, "an empty head has eight bytes");
      check.equal(headLength(EMPTY, 0), 0, "no head has none");
      for (const head of [empty, EMPTY]) {
        check.equal(versionCount(head, 0) + clockCount(head, 0), 0, "counts");
        check.equal(newestStamp(head, 0), -1, "newest stamp");
        check.same(eventOn(head, EMPTY, version()), eventOn(EMPTY, EMPTY, version()), "an event");
      }
      check.ok(accepts(empty) && !accepts(EMPTY), "only the empty head is one");
    },
  },
  {
    name: "newestStamp() is the greatest of the head, of versions and clock",
    run(check) {
      const first = eventOn(EMPTY, EMPTY, version({ stampMs: 50 }));
      const second = eventOn(
        first,
        clockOf(first),
        version({ actor: actorBytes("c"), stampMs: 40 }),
      );
      check.equal(stampMs(second, newestStamp(second, 0)), 50, "of what was overwritten");
      const third = eventOn(second, EMPTY, version({ actor: actorBytes("d"), stampMs: 60 }));
      check.equal(stampMs(third, newestStamp(third, 0)), 60, "of what is live");
    },
  },
  {
    name: "isWellFormedHead() takes each head that can be reached, exactly as long as it is",
    run(check) {
      for (const head of reachedHeads(new SeededRandom(seed), 2_000)) {
        check.ok(accepts(head), `reached; ${again}`);
        check.ok(!isWellFormedHead(head, 0, head.length - 1), `a byte short; ${again}`);
        const longer = Uint8Array.from([...head, 0]);
        check.ok(!isWellFormedHead(longer, 0, longer.length), `a byte long; ${again}`);
        check.ok(isWellFormedHead(longer, 0, head.length), `inside of more; ${again}`);
      }
    },
  },
  {
    name:
      "isWellFormedHead() refuses what no coordinator writes, each field on both sides of its edge",
    run(check) {
      const head = eventOn(EMPTY, EMPTY, version());
      const fields: readonly (readonly [string, boolean, Partial<VersionFields>])[] = [
        ["nothing changed", true, {}],
        ["a dot that the clock does not cover", false, { counter: 2 }],
        ["a counter of 0", false, { counter: 0 }],
        ["the last policy", true, { policy: POLICY_FLAG }],
        ["an unknown policy", false, { policy: POLICY_FLAG + 1 }],
        ["the largest metadata block", true, { metaLength: META_BLOCK_BYTES_MAX }],
        ["a larger one", false, { metaLength: META_BLOCK_BYTES_MAX + 1 }],
        ["the largest body", true, { bodyLength: VALUE_BYTES_MAX_LIMIT }],
        ["a larger one", false, { bodyLength: VALUE_BYTES_MAX_LIMIT + 1 }],
        ["a tombstone with a body", false, { tombstone: true }],
        ["a tombstone without", true, { tombstone: true, bodyLength: 0 }],
      ];
      for (const [name, wanted, changed] of fields) {
        check.equal(accepts(withVersion(head, changed)), wanted, name);
      }
      for (const at of [0, 1, 6, 7]) {
        const other = head.slice();
        other[at] ^= 2;
        check.ok(!accepts(other), `byte ${at}: another format, or something reserved`);
      }
      const two = eventOn(head, EMPTY, version({ counter: 2 }));
      const swapped = two.slice();
      swapped.set(
        two.subarray(HEAD_BYTES + VERSION_BYTES, HEAD_BYTES + 2 * VERSION_BYTES),
        HEAD_BYTES,
      );
      check.ok(accepts(two) && !accepts(swapped), "one version twice");
      swapped.set(two.subarray(HEAD_BYTES, HEAD_BYTES + VERSION_BYTES), HEAD_BYTES + VERSION_BYTES);
      check.ok(!accepts(swapped), "versions out of order");
    },
  },
  {
    name: "isWellFormedHead() never reads out of its bounds, whatever the counts claim",
    run(check) {
      const random = new SeededRandom(seed);
      const noise = new Uint8Array(400);
      for (let round = 0; round < roundsHere(20_000); round++) {
        random.fill(noise);
        noise.set([1, 0, random.below(4), 0, random.below(6), 0, 0, 0], 50);
        if (random.chance(1, 4)) noise.fill(255, 52, 56);
        const end = 50 + random.below(350);
        const alone = noise.slice(50, end);
        const inside = isWellFormedHead(noise, 50, end);
        check.equal(inside, isWellFormedHead(alone, 0, alone.length), `surroundings; ${again}`);
        check.ok(!inside || alone.length === HEAD_BYTES, `noise; ${again}`);
      }
      check.ok(!isWellFormedHead(noise, -1, 20), "a start before the memory");
      check.ok(!isWellFormedHead(noise, 390, 410), "an end beyond the memory");
      check.ok(!isWellFormedHead(noise, 20, 10), "an end before the start");
    },
  },
  {
    name: "A head with a flipped bit is refused, or merges like any other",
    run(check) {
      for (const head of reachedHeads(new SeededRandom(seed), roundsHere(40))) {
        const copy = head.slice();
        for (let bit = 0; bit < copy.length * 8; bit++) {
          copy[bit >> 3] ^= 1 << (bit & 7);
          if (accepts(copy)) {
            const merged = mergeOf(copy, head);
            check.ok(accepts(merged), `bit ${bit}: the merge is well-formed; ${again}`);
            check.same(mergeOf(head, copy), merged, `bit ${bit}: it commutes; ${again}`);
          }
          copy[bit >> 3] ^= 1 << (bit & 7);
        }
      }
    },
  },
  {
    name: "headDigestInto() is equal for equal bytes wherever they lie, and pinned",
    run(check) {
      const head = fromHex(GOLDEN) ?? EMPTY;
      const shifted = Uint8Array.from([9, 9, 9, ...head, 9]);
      check.equal(digestOf(shifted, 3, 3 + head.length), digestOf(head), "at another place");
      check.ok(digestOf(head) !== digestOf(head.subarray(0, head.length - 1)), "lengths count");
      check.ok(digestOf(EMPTY) !== digestOf(new Uint8Array(4)), "so do zeros");
      check.equal(digestOf(head), GOLDEN_DIGEST, "the digest is part of formats: never to change");
    },
  },
  {
    name: "headDigestInto() changes half of its bits with any one bit, in both words",
    run(check) {
      const random = new SeededRandom(seed);
      const bytes = new Uint8Array(88);
      const [before, after] = [new Uint32Array(2), new Uint32Array(2)];
      const flipped = [0, 0];
      let flips = 0;
      for (let round = 0; round < 20; round++) {
        random.fill(bytes);
        headDigestInto(bytes, 0, 88, before, 0);
        for (let bit = 0; bit < 88 * 8; bit++, flips++) {
          bytes[bit >> 3] ^= 1 << (bit & 7);
          headDigestInto(bytes, 0, 88, after, 0);
          bytes[bit >> 3] ^= 1 << (bit & 7);
          check.ok(before[0] !== after[0] || before[1] !== after[1], `bit ${bit}; ${again}`);
          flipped[0] += bitsOf(before[0] ^ after[0]);
          flipped[1] += bitsOf(before[1] ^ after[1]);
        }
      }
      for (const word of [0, 1]) {
        const mean = flipped[word] / flips;
        check.ok(mean > 15.8 && mean < 16.2, `word ${word}: ${mean} of 32 bits change; ${again}`);
      }
    },
  },
  {
    name: "headDigestInto() tells 200,000 neighbouring heads apart, and its words are independent",
    run(check) {
      const head = fromHex(GOLDEN) ?? EMPTY;
      const words = new Uint32Array(2);
      const [both, left, right] = [new Set<number>(), new Set<number>(), new Set<number>()];
      for (let counter = 0; counter < 200_000; counter++) {
        writeU48(head, HEAD_BYTES + 8, counter);
        headDigestInto(head, 0, head.length, words, 0);
        both.add((words[0] & 0x1fffff) * 2 ** 32 + words[1]);
        left.add(words[0]);
        right.add(words[1]);
      }
      check.equal(both.size, 200_000, "digests");
      // Of 200,000 random words of 32 bits about 4.7 pairs are equal.
      check.ok(left.size > 199_975 && right.size > 199_975, `${left.size} and ${right.size} words`);
    },
  },
  {
    name: "Two values of one MD5 are two values: digests differ, they are no twins, both are shown",
    run(check) {
      const [left, right] = [collisionLeft, collisionRight].map((body, index) => ({
        actor: actorBytes("ab"[index]),
        metaLength: 0,
        bodyLength: body.length,
        checksum: crc32c(body, 0, body.length),
      }));
      const heads = [left, right].map((fields) => eventOn(EMPTY, EMPTY, version(fields)));
      check.ok(digestOf(heads[0]) !== digestOf(heads[1]), "two replicas with a value each");
      const both = mergeOf(heads[0], heads[1]);
      check.equal(shownInto(both, 0, 0, new Int32Array(2)), 2, "one request id, two contents");
      const same = [left, right].map((fields) =>
        eventOn(EMPTY, EMPTY, version({ ...fields, actor: actorBytes("a") }))
      );
      check.ok(digestOf(same[0]) !== digestOf(same[1]), "even under one dot");
    },
  },
  {
    name: "headDigestInto() is never (0, 0)",
    run(check) {
      const target = new Uint32Array(4).fill(7);
      headDigestInto(EMPTY, 0, 0, target, 1);
      check.ok(target[1] !== 0 || target[2] !== 0, "of nothing");
      check.same([target[0], target[3]], [7, 7], "two words are written");
    },
  },
];

function bitsOf(word: number): number {
  let bits = 0;
  for (let rest = word >>> 0; rest !== 0; rest >>>= 1) bits += rest & 1;
  return bits;
}
