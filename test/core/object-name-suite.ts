/** Object names: the limits of bucket and key, and what tells names apart. */

import { BUCKET_BYTES_MAX, KEY_BYTES_MAX } from "../../core/limits.ts";
import {
  bucketTag,
  bucketTagOf,
  checkName,
  equalBytes,
  nameTag,
  ObjectName,
} from "../../core/object-name.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";
import { collidingNames } from "./md5-collision.ts";
import { randomBytes } from "./wire-sets.ts";

const encoder = new TextEncoder();

function nameOf(bucketBytes: number, keyBytes: number): Uint8Array {
  return encoder.encode(`${"b".repeat(bucketBytes)}/${"k".repeat(keyBytes)}`);
}

export const suite: Case[] = [
  {
    name:
      "checkName() takes buckets of 1 to 255 bytes and keys of 1 to 4,096, and says which is wrong",
    run(check) {
      check.equal(checkName(nameOf(1, 1)), "", "the shortest");
      check.equal(checkName(nameOf(BUCKET_BYTES_MAX, KEY_BYTES_MAX)), "", "the longest of both");
      check.equal(checkName(nameOf(0, 1)), "bad-bucket", "no bucket");
      check.equal(checkName(nameOf(BUCKET_BYTES_MAX + 1, 1)), "bad-bucket", "256");
      check.equal(checkName(nameOf(1, 0)), "bad-key", "no key");
      check.equal(checkName(nameOf(1, KEY_BYTES_MAX + 1)), "key-too-long", "4,097");
      check.equal(checkName(encoder.encode("no-slash")), "bad-bucket", "no slash");
      check.equal(checkName(new Uint8Array(0)), "bad-bucket", "nothing at all");
    },
  },
  {
    name: "the first slash ends the bucket; keys are any bytes",
    run(check) {
      const bytes = Uint8Array.of(98, 47, 47, 0, 255, 47);
      check.equal(checkName(bytes), "", "slashes, zero and 255 in the key");
      check.equal(new ObjectName(bytes).bucketLength, 1, "the bucket");
    },
  },
  {
    name: "two names with one MD5 are told apart by their tags, and equal ones are equal",
    run(check) {
      const [left, right] = collidingNames("key").map((bytes) => new ObjectName(bytes));
      check.equal(left.position0, right.position0, "one position");
      check.ok(left.tag !== right.tag, "two tags");
      check.equal(left.equals(right), false, "two objects");
      check.equal(left.equals(new ObjectName(left.bytes.slice())), true, "one object");
    },
  },
  {
    name: "nameTag() spreads 50,000 similar names like chance, in one bucket and over many",
    run(check) {
      const keys = new Set<number>();
      const names = new Set<number>();
      for (let number = 0; number < 50_000; number++) {
        keys.add(nameTag(encoder.encode(`bucket/user-${number}`)));
        names.add(nameTag(encoder.encode(`bucket-${number}/user`)));
      }
      // Chance leaves 34,975 of 2^16 values to 50,000 keys, and 50,000 - 0.3 of 2^32 to the names.
      check.ok(Math.abs(keys.size - 34_975) < 500, `${keys.size} tags in a bucket`);
      check.ok(names.size >= 49_995, `${50_000 - names.size} pairs over all buckets`);
    },
  },
  {
    name: "bucketTag() is the upper half of the tags of a bucket's names, whatever their keys hold",
    run(check) {
      for (const bucket of ["b", "cart", "x".repeat(BUCKET_BYTES_MAX), "\u00e4\u0000"]) {
        const tag = bucketTag(encoder.encode(bucket));
        for (const key of ["k", "/", "a/b/c", "k".repeat(KEY_BYTES_MAX)]) {
          const name = new ObjectName(encoder.encode(`${bucket}/${key}`));
          check.equal(bucketTagOf(name.tag), tag, `${bucket.slice(0, 9)} ${key.slice(0, 9)}`);
        }
      }
      const tags = new Set<number>();
      for (let number = 0; number < 1000; number++) {
        tags.add(bucketTag(encoder.encode(`bucket-${number}`)));
      }
      // Chance makes 7.6 pairs of 1,000 in 2^16.
      check.ok(tags.size >= 975, `${tags.size} of 1,000`);
    },
  },
  {
    name: "equalBytes() sees a difference in any place and in the length",
    run(check) {
      const bytes = randomBytes(new SeededRandom(1), 40);
      check.equal(equalBytes(bytes, bytes.slice()), true, "equal");
      check.equal(equalBytes(bytes, bytes.subarray(0, 39)), false, "shorter");
      for (let place = 0; place < 40; place++) {
        const other = bytes.slice();
        other[place] ^= 1;
        check.equal(equalBytes(bytes, other), false, `at ${place}`);
      }
    },
  },
];
