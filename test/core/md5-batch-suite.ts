/**
 * MD5 of many names on every runtime: each has the platform's own digest, whatever its length, its
 * neighbours, and the names left over at the end; and a batch allocates nothing.
 *
 * CASES and SEED in the environment hash more names, or others.
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { md5BatchInto } from "../../core/md5-batch.ts";
import { HEAP_NOISE_BYTES, HOT_CALLS, steadyHeapGrowth } from "../heap-growth.ts";
import { roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";

const CASES = seedFrom(process.env.CASES, roundsHere(10_000));
const SEED = seedFrom(process.env.SEED, 1992);
const AGAIN = `again: SEED=${SEED} CASES=${CASES} bun test/runtimes.ts core/md5-batch`;
/** What a position is filled with before, to see what is written. */
const UNTOUCHED = 0x77777777;
/** Before the first name and behind the last, so that a read beyond them shows. */
const MARGIN = 3;

/** Random names of these lengths in one batch; how many of them come out wrong. */
function wrongOf(lengths: readonly number[], random: SeededRandom): number {
  const count = lengths.length;
  const offsets = new Uint32Array(count + 1).fill(MARGIN);
  lengths.forEach((length, name) => (offsets[name + 1] = offsets[name] + length));
  const bytes = new Uint8Array(offsets[count] + MARGIN);
  random.fill(bytes);
  const target = new Uint32Array(4 * count + 4).fill(UNTOUCHED);
  md5BatchInto(bytes, offsets, count, target);
  let wrong = target.subarray(4 * count).every((word) => word === UNTOUCHED) ? 0 : 1;
  for (let name = 0; name < count; name++) {
    const digest = createHash("md5").update(bytes.subarray(offsets[name], offsets[name + 1]));
    const wanted = digest.digest("hex");
    const words = target.subarray(4 * name, 4 * name + 4);
    const found = Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
    if (found !== wanted) wrong++;
  }
  return wrong;
}

function times(count: number, length: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, index) => length(index));
}

export const suite: readonly Case[] = [
  {
    name: "md5BatchInto() equals the platform's MD5 at every length from 0 to 4,096",
    run(check) {
      const random = new SeededRandom(SEED);
      check.equal(wrongOf(times(4097, (index) => index), random), 0, `rising; ${AGAIN}`);
      check.equal(wrongOf(times(4097, (index) => 4096 - index), random), 0, `falling; ${AGAIN}`);
    },
  },
  {
    name: "md5BatchInto() hashes any number of names, down to none",
    run(check) {
      const random = new SeededRandom(SEED);
      for (let count = 0; count <= 40; count++) {
        check.equal(wrongOf(times(count, () => 16), random), 0, `${count} of 16 bytes; ${AGAIN}`);
        const lengths = times(count, () => random.below(70));
        check.equal(wrongOf(lengths, random), 0, `${count} of up to 69 bytes; ${AGAIN}`);
      }
    },
  },
  {
    name: `md5BatchInto() equals the platform's MD5 on ${CASES} random names`,
    run(check) {
      const random = new SeededRandom(SEED);
      let wrong = 0;
      for (let done = 0; done < CASES; ) {
        const bound = 1 + random.below(random.chance(1, 4) ? 200 : 60);
        const lengths = times(Math.min(CASES - done, random.below(300)), () => random.below(bound));
        wrong += wrongOf(lengths, random);
        done += lengths.length;
      }
      check.equal(wrong, 0, `wrong names; ${AGAIN}`);
    },
  },
  {
    name: "Many names in batches allocate nothing",
    async run(check) {
      const lengths = [16, 30, 100, 16, 0, 55, 56, 8, 16, 16, 16, 16, 16];
      const offsets = new Uint32Array(lengths.length + 1);
      lengths.forEach((length, name) => (offsets[name + 1] = offsets[name] + length));
      const bytes = new Uint8Array(offsets[lengths.length]);
      const target = new Uint32Array(4 * lengths.length);
      const growth = await steadyHeapGrowth((calls) => {
        for (let call = 0; call < calls; call += lengths.length) {
          bytes[call & 7] = call;
          md5BatchInto(bytes, offsets, lengths.length, target);
        }
      }, HOT_CALLS);
      check.ok(growth <= HEAP_NOISE_BYTES, `the heap grew by ${growth} bytes`);
    },
  },
];
