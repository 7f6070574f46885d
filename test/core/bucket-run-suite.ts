/** Runs of a bucket on the wire: both directions agree, and what is malformed is refused. */

import {
  type BucketRun,
  decodeRun,
  encodeRun,
  isCompleteIn,
  shownUntilMs,
  UNTIL_EVER,
} from "../../core/bucket-run.ts";
import { KEY_BYTES_MAX } from "../../core/limits.ts";
import { lastPlaceOf } from "../../core/ring-place.ts";
import { SeededRandom, seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";
import { setOf } from "../storage/sets.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 11);

function runOf(keys: readonly number[]): BucketRun {
  const entries = keys.map((length, index) => ({
    place: { position0: 5 * index, position1: 0xffffffff - index, tag: 1, order: 2 },
    digest0: 0xfffffff0 + index,
    digest1: index,
    untilMs: index % 2 === 0 ? UNTIL_EVER : 1_700_000_000_000 + index,
    key: new Uint8Array(length).fill(index),
  }));
  return { entries, through: lastPlaceOf(1000), complete: Uint8Array.of(0x05, 0x02), partitions: 10 };
}

export const suite: Case[] = [
  {
    name: "decodeRun() gives back what encodeRun() took, keys at both limits as well",
    run(check) {
      for (const keys of [[], [1], [KEY_BYTES_MAX, 1, 20, 300]]) {
        check.same(decodeRun(encodeRun(runOf(keys))), runOf(keys), `${keys.length} entries`);
      }
      const run = runOf([]);
      const complete = Array.from({ length: 10 }, (_, index) => isCompleteIn(run, index) ? index : -1);
      check.same(complete.filter((index) => index >= 0), [0, 2, 9], "complete partitions");
    },
  },
  {
    name: "a run that is cut, longer, out of order, or says what cannot be is none",
    run(check) {
      const bytes = encodeRun(runOf([3, 40]));
      for (let length = 0; length < bytes.length; length++) {
        check.equal(decodeRun(bytes.slice(0, length)), null, `${length} bytes`);
      }
      const longer = new Uint8Array(bytes.length + 1);
      longer.set(bytes);
      check.equal(decodeRun(longer), null, "a byte more");
      const { entries, ...rest } = runOf([3, 40]);
      check.equal(decodeRun(encodeRun({ entries: [...entries].reverse(), ...rest })), null, "backwards");
      check.equal(decodeRun(encodeRun({ entries, ...rest, through: lastPlaceOf(4) })), null, "behind the end");
      check.equal(decodeRun(encodeRun(runOf([0]))), null, "an empty key");
      check.equal(decodeRun(encodeRun(runOf([KEY_BYTES_MAX + 1]))), null, "a long key");
    },
  },
  {
    name: "random bytes never make decodeRun() read past them",
    run(check) {
      const random = new SeededRandom(SEED);
      for (let round = 0; round < 3000; round++) {
        const bytes = encodeRun(runOf([1 + random.below(9), 1 + random.below(9)]));
        for (let change = 0; change < 3; change++) bytes[random.below(bytes.length)] = random.below(256);
        const run = decodeRun(bytes);
        const size = run === null ? 0 : run.entries.reduce((sum, { key }) => sum + key.length, 0);
        check.ok(size <= bytes.length, `SEED=${SEED} round ${round}`);
      }
    },
  },
  {
    name: "shownUntilMs() is when the last value ends",
    run(check) {
      const payload = new Uint8Array(3);
      const until = (...expiries: number[]): number => {
        const versions = expiries.map((expiryMs, index) => ({ counter: index + 1, payload, expiryMs }));
        return shownUntilMs(setOf(...versions).head);
      };
      check.equal(until(), 0, "nothing");
      check.equal(until(5000), 5000, "one that ends");
      check.equal(until(5000, 9000, 7000), 9000, "the last of three");
      check.equal(until(5000, 0), UNTIL_EVER, "one that does not end");
    },
  },
];
