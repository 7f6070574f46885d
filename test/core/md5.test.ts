/**
 * MD5 on Node: the suite that runs everywhere, and the platform's own MD5 as a second reference.
 */

import { createHash } from "node:crypto";
import t from "tap";
import { Md5, md5Into } from "../../core/md5.ts";
import { SeededRandom, seedFrom } from "../random.ts";
import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./md5-suite.ts";

const LENGTH_MAX = 4096;

runUnderTap(suite);

function hexOf(words: Uint32Array): string {
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
}

t.test("md5Into() and Md5 equal node:crypto at every length from 0 to 4,096", (tt) => {
  const seed = seedFrom(process.env.SEED, 1321);
  const random = new SeededRandom(seed);
  const bytes = new Uint8Array(LENGTH_MAX);
  const words = new Uint32Array(4);
  const hash = new Md5();
  const wrong: number[] = [];
  random.fill(bytes);
  for (let length = 0; length <= LENGTH_MAX; length++) {
    const wanted = createHash("md5").update(bytes.subarray(0, length)).digest("hex");
    md5Into(bytes, 0, length, words, 0);
    if (hexOf(words) !== wanted) wrong.push(length);
    const cut = random.below(length + 1);
    hash.update(bytes, 0, cut);
    hash.update(bytes, cut, length);
    hash.digestInto(words, 0);
    if (hexOf(words) !== wanted) wrong.push(length);
  }
  tt.same(wrong, [], `wrong lengths; again: SEED=${seed} npx tap test/core/md5.test.ts`);
  tt.end();
});

t.test("md5Into() equals node:crypto on 10,000 random inputs", (tt) => {
  const seed = seedFrom(process.env.SEED, 1992);
  const random = new SeededRandom(seed);
  const words = new Uint32Array(4);
  let wrong = 0;
  for (let round = 0; round < 10_000; round++) {
    const bytes = new Uint8Array(random.below(200));
    random.fill(bytes);
    md5Into(bytes, 0, bytes.length, words, 0);
    if (hexOf(words) !== createHash("md5").update(bytes).digest("hex")) wrong++;
  }
  tt.equal(wrong, 0, `wrong digests; again: SEED=${seed} npx tap test/core/md5.test.ts`);
  tt.end();
});
