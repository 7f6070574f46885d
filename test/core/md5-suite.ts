/**
 * MD5 on every runtime: the RFC's own vectors, @noble/hashes and the platform's own MD5 as
 * references, and that the hot calls allocate nothing.
 *
 * CASES and SEED in the environment run more random inputs (CASES=1000000 once before a release),
 * or others.
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { md5 } from "@noble/hashes/legacy.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { Md5, md5Into } from "../../core/md5.ts";
import { ObjectName } from "../../core/object-name.ts";
import { HEAP_NOISE_BYTES, heapGrowth, HOT_CALLS, steadyHeapGrowth } from "../heap-growth.ts";
import { IN_FULL, roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import { collidingNames, collisionDigest, collisionLeft, collisionRight } from "./md5-collision.ts";

const CASES = seedFrom(process.env.CASES, roundsHere(10_000));
const SEED = seedFrom(process.env.SEED, 1321);
const AGAIN = `again: SEED=${SEED} CASES=${CASES} bun test/runtimes.ts core/md5-suite`;
const LENGTH_MAX = 4096;
/** Before and after what is hashed, so that a read beyond its ends shows. */
const MARGIN = 5;

/** RFC 1321, A.5. */
const vectors: readonly (readonly [string, string])[] = [
  ["", "d41d8cd98f00b204e9800998ecf8427e"],
  ["a", "0cc175b9c0f1b6a831c399e269772661"],
  ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
  [
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "d174ab98d277d9f5a5611c2c9f419d9f",
  ],
  ["1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a"],
];

function hexOf(words: Uint32Array): string {
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
}

function digestOf(bytes: Uint8Array): string {
  const words = new Uint32Array(4);
  md5Into(bytes, 0, bytes.length, words, 0);
  return hexOf(words);
}

/** The same message in pieces of up to 200 bytes, some of them empty. */
function streamed(hash: Md5, bytes: Uint8Array, random: SeededRandom): string {
  const words = new Uint32Array(4);
  for (let offset = 0; offset < bytes.length; ) {
    const end = Math.min(bytes.length, offset + random.below(200));
    hash.update(bytes, offset, end);
    offset = end;
  }
  hash.digestInto(words, 0);
  return hexOf(words);
}

async function allocatesNothing(check: Check, name: string, run: (calls: number) => void) {
  const growth = await steadyHeapGrowth(run, HOT_CALLS);
  check.ok(growth <= HEAP_NOISE_BYTES, `${name}: the heap grew by ${growth} bytes`);
}

const beyondOneWord: Case = {
  name: "Md5 counts a message's length beyond 2^29 bytes, where its bits need a second word",
  run(check) {
    // Known from OpenSSL and md5sum: 2^29 + 1 zero bytes.
    const zeros = new Uint8Array(1 << 22);
    const hash = new Md5();
    for (let chunk = 0; chunk < 128; chunk++) hash.update(zeros);
    hash.update(zeros, 0, 1);
    const words = new Uint32Array(4);
    hash.digestInto(words, 0);
    check.equal(hexOf(words), "ea3b62c6b93cb3625a1fd76777985f5a", "2^29 + 1 zero bytes");
  },
};

export const suite: readonly Case[] = [
  {
    name: "md5Into() gives the digests of RFC 1321",
    run(check) {
      for (const [text, digest] of vectors) {
        check.equal(digestOf(new TextEncoder().encode(text)), digest, `"${text}"`);
      }
    },
  },
  {
    name: "md5Into() equals the reference at every length from 0 to 4,096, wherever it lies",
    run(check) {
      const random = new SeededRandom(1);
      const bytes = new Uint8Array(LENGTH_MAX + 2 * MARGIN);
      const target = new Uint32Array(6);
      random.fill(bytes);
      for (let length = 0; length <= LENGTH_MAX; length++) {
        const start = random.below(MARGIN + 1);
        target.fill(7);
        md5Into(bytes, start, start + length, target, 1);
        const wanted = bytesToHex(md5(bytes.subarray(start, start + length)));
        check.equal(hexOf(target.subarray(1, 5)), wanted, `${length} bytes from ${start} on`);
        check.ok(target[0] === 7 && target[5] === 7, `${length} bytes: four words and no more`);
      }
    },
  },
  {
    name: `md5Into() and Md5, cut anywhere, equal the platform's on ${CASES} random inputs`,
    run(check) {
      const random = new SeededRandom(SEED);
      const hash = new Md5();
      let [whole, cut] = [0, 0];
      for (let round = 0; round < CASES; round++) {
        const bytes = new Uint8Array(random.below(random.chance(1, 20) ? LENGTH_MAX + 1 : 200));
        random.fill(bytes);
        const wanted = createHash("md5").update(bytes).digest("hex");
        if (digestOf(bytes) !== wanted) whole++;
        if (streamed(hash, bytes, random) !== wanted) cut++;
      }
      check.equal(whole, 0, `wrong digests; ${AGAIN}`);
      check.equal(cut, 0, `wrong digests of messages in pieces; ${AGAIN}`);
    },
  },
  {
    name: "Md5 gives the same however the message is cut, and starts anew after each digest",
    run(check) {
      const random = new SeededRandom(2);
      const hash = new Md5();
      for (let round = 0; round < 1_000; round++) {
        const bytes = new Uint8Array(random.below(700));
        random.fill(bytes);
        const whole = digestOf(bytes);
        check.equal(streamed(hash, bytes, random), whole, `round ${round}, ${bytes.length} bytes`);
      }
    },
  },
  {
    name: "Md5 does not mix up two messages that are hashed at the same time",
    run(check) {
      const words = new Uint32Array(4);
      const [left, right] = [new Md5(), new Md5()];
      const bytes = new TextEncoder().encode("1234567890");
      for (let round = 0; round < 8; round++) {
        left.update(bytes);
        right.update(bytes, 0, 1);
        md5Into(bytes, 0, bytes.length, words, 0);
      }
      left.digestInto(words, 0);
      check.equal(hexOf(words), vectors[6][1], "left");
      right.digestInto(words, 0);
      check.equal(hexOf(words), digestOf(new TextEncoder().encode("11111111")), "right");
    },
  },
  // Two seconds of hashing for one addition of whole numbers, which is the same everywhere.
  ...(IN_FULL ? [beyondOneWord] : []),
  {
    name: "The published collision collides, also as two object names, which stay two",
    run(check) {
      check.equal(digestOf(collisionLeft), collisionDigest, "left");
      check.equal(digestOf(collisionRight), collisionDigest, "right");
      const [left, right] = collidingNames("key");
      check.equal(digestOf(left), digestOf(right), "with /key appended");
      const [leftName, rightName] = [new ObjectName(left), new ObjectName(right)];
      check.equal(leftName.position3, rightName.position3, "one position");
      check.equal(leftName.equals(rightName), false, "two names");
    },
  },
  {
    name: "Many calls allocate nothing",
    async run(check) {
      const bytes = new Uint8Array(100);
      const words = new Uint32Array(8);
      const hash = new Md5();
      await allocatesNothing(check, "md5Into, 16 bytes", (calls) => {
        for (let call = 0; call < calls; call++) {
          bytes[0] = call;
          md5Into(bytes, 0, 16, words, 0);
        }
      });
      await allocatesNothing(check, "md5Into, 100 bytes", (calls) => {
        for (let call = 0; call < calls; call++) {
          bytes[0] = call;
          md5Into(bytes, 0, 100, words, 0);
        }
      });
      await allocatesNothing(check, "Md5", (calls) => {
        for (let call = 0; call < calls; call++) {
          hash.update(bytes, 0, 16);
          hash.digestInto(words, 0);
        }
      });
    },
  },
  {
    name: "The measure of allocation sees one small object a call",
    async run(check) {
      const kept: { call: number }[] = [{ call: 0 }];
      const allocate = (calls: number): void => {
        for (let call = 0; call < calls; call++) kept[0] = { call };
      };
      // Collections may fall right before each reading once; not six times over.
      let growth = 0;
      for (let attempt = 0; attempt < 6 && growth <= HEAP_NOISE_BYTES; attempt++) {
        growth = Math.max(growth, await heapGrowth(allocate, HOT_CALLS));
      }
      check.ok(growth > HEAP_NOISE_BYTES, `the heap grew by ${growth} bytes only`);
    },
  },
];
