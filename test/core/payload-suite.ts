/**
 * Payloads: the metadata block in front of a value, its limits, and what it does with any bytes.
 */

import { META_BLOCK_BYTES_MAX } from "../../core/limits.ts";
import { CONTENT_ENCODING, decodeMeta, encodeMeta, encodePayload, isShowable, type PayloadMeta, splitMeta } from "../../core/payload.ts";
import { roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";
import { randomBytes, type Trial, tryCuts, tryMutations } from "./wire-sets.ts";

const LETTERS = ["a", "z", "-", "é", "漢", "😀", " ", "\ufeff", "\u0000"];
const encoder = new TextEncoder();

function randomText(random: SeededRandom, lengthMax: number): string {
  let text = "";
  for (let length = random.below(lengthMax + 1); length > 0; length--) {
    text += LETTERS[random.below(LETTERS.length)];
  }
  return text;
}

function randomMeta(random: SeededRandom): PayloadMeta {
  const meta: [string, string][] = [];
  for (let pairs = random.below(4); pairs > 0; pairs--) {
    meta.push([randomText(random, 10), randomText(random, 30)]);
  }
  return { contentType: randomText(random, 20), meta };
}

/**
 * A block that was decoded has to encode again: what one node takes, another must be able to send.
 */
const trial: Trial<PayloadMeta> = {
  read: (bytes, start, end) => decodeMeta(bytes.subarray(start, end), end - start),
  fault: (meta) => {
    try {
      encodeMeta(meta);
      return "";
    } catch (error) {
      return `it does not encode again: ${String(error)}`;
    }
  },
};

/** One pair, and a content type, that make a block of exactly `length` bytes. */
function blockOf(length: number): PayloadMeta {
  const contentType = "text/plain";
  const value = "v".repeat(length - 1 - contentType.length - 1 - 1 - 2);
  return { contentType, meta: [["n", value]] };
}

export const suite: Case[] = [
  {
    name: "decodeMeta() gives back what encodeMeta() was given, whatever follows it",
    run(check) {
      const seed = seedFrom(process.env.SEED, 5);
      const random = new SeededRandom(seed);
      for (let round = 0; round < 1_000; round++) {
        const meta = randomMeta(random);
        const block = encodeMeta(meta);
        const payload = encodePayload(block, randomBytes(random, random.below(20)));
        check.same(decodeMeta(payload, block.length), meta, `round ${round}, SEED=${seed}`);
      }
    },
  },
  {
    name:
      "encodeMeta() takes a block of 4,096 bytes, a content type and a name of 255, not more",
    run(check) {
      check.equal(encodeMeta(blockOf(META_BLOCK_BYTES_MAX)).length, META_BLOCK_BYTES_MAX, "4,096");
      check.throws(() => encodeMeta(blockOf(META_BLOCK_BYTES_MAX + 1)), "4,097");
      const typed = (length: number) => ({
        contentType: "é".repeat(length / 2) + "x".repeat(length % 2),
        meta: [],
      });
      check.equal(encodeMeta(typed(255)).length, 256, "a content type of 255 bytes");
      check.throws(() => encodeMeta(typed(256)), "of 256");
      const named = (length: number): PayloadMeta => ({
        contentType: "",
        meta: [["n".repeat(length), ""]],
      });
      check.equal(encodeMeta(named(255)).length, 1 + 1 + 255 + 2, "a name of 255 bytes");
      check.throws(() => encodeMeta(named(256)), "of 256");
    },
  },
  {
    name: "decodeMeta() refuses blocks that no encodeMeta() can have made",
    run(check) {
      check.equal(decodeMeta(new Uint8Array(0), 0), null, "no block");
      check.equal(decodeMeta(Uint8Array.of(5, 65), 2), null, "a content type beyond its block");
      check.equal(decodeMeta(Uint8Array.of(1, 0xff), 2), null, "text that is no UTF-8");
      check.equal(
        decodeMeta(Uint8Array.of(0, 1, 65, 2, 0, 66), 6),
        null,
        "a value beyond its block",
      );
      const long = new Uint8Array(META_BLOCK_BYTES_MAX + 1);
      long.set(encoder.encode("\u0000\u0001n"));
      const length = META_BLOCK_BYTES_MAX + 1 - 5;
      long.set(Uint8Array.of(length & 255, length >> 8), 3);
      check.equal(decodeMeta(long, long.length), null, "a block above the limit");
      check.ok(
        decodeMeta(encodeMeta(blockOf(META_BLOCK_BYTES_MAX)), META_BLOCK_BYTES_MAX),
        "at it",
      );
    },
  },
  {
    name: "isShowable() is what HTTP can put into headers, splitMeta() tells the coding from the user's own",
    run(check) {
      const pair = (name: string, value: string): PayloadMeta => ({ contentType: "text/plain", meta: [["a", "b"], [name, value]] });
      for (const meta of [pair("from", "größe"), pair("x", ""), pair(CONTENT_ENCODING, "gzip"), { contentType: "", meta: [] }]) {
        check.ok(isShowable(meta), JSON.stringify(meta));
      }
      const others = [pair("a b", "v"), pair("", "v"), pair("A", "v"), pair(":other", "v"), pair("x\r\ny", "v"), pair("x", "a\nb"), pair("x", "\0")];
      others.push(pair(CONTENT_ENCODING, "g\r\nx: y"), pair(CONTENT_ENCODING, ""), { contentType: "a\r\nb: c", meta: [] });
      for (const meta of others) check.ok(!isShowable(meta), JSON.stringify(meta));
      check.same(splitMeta(pair(CONTENT_ENCODING, "gzip")), { coding: "gzip", user: [["a", "b"]] }, "with a coding");
      check.same(splitMeta(pair("x", "y")), { coding: null, user: [["a", "b"], ["x", "y"]] }, "without");
    },
  },
  {
    name: "decodeMeta() stands cuts and thousands of mutations; what it takes can be encoded again",
    run(check) {
      const random = new SeededRandom(6);
      const make = (): Uint8Array => encodeMeta(randomMeta(random));
      for (let round = 0; round < 20; round++) tryCuts(check, make(), trial, `block ${round}`);
      tryMutations(check, random, roundsHere(20_000), make, trial);
    },
  },
];
