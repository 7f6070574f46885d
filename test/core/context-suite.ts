/**
 * Contexts on every runtime: what a client carries comes back whole, or is refused.
 */

import process from "node:process";
import {
  CONTEXT_BYTES_MAX,
  CONTEXT_ENTRIES_AT,
  CONTEXT_ENTRIES_MAX,
  CONTEXT_READER_AT,
  contextFromTextInto,
  contextLengthMax,
  contextToText,
  decodeContext,
  encodeContextInto,
} from "../../core/context.ts";
import { CONTEXT_CHARS_MAX, NAME_BYTES_MAX } from "../../core/limits.ts";
import { SIPHASH_BYTES, siphashInto } from "../../core/siphash.ts";
import { DOT_BYTES, ENTRY_BYTES, PAIR, writeEntry } from "../../core/clock-entry.ts";
import { clockCovers, clockIsWellFormed } from "../../core/vector-clock.ts";
import { VERSION_BYTES } from "../../core/version-set.ts";
import { packClock, randomClock } from "../model/vector-clock-model.ts";
import { SeededRandom, seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";

const seed = seedFrom(process.env.SEED, 4648);
const again = `again: SEED=${seed} bun test/runtimes.ts core/context`;
const key = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);
const name = new TextEncoder().encode("cart/user-17");
const reader = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const NONE = new Uint8Array(0);

/** @param live version entries */
function encode(clock: Uint8Array, live: Uint8Array = NONE, ofName: Uint8Array = name): string {
  const count = clock.length / ENTRY_BYTES;
  const target = new Uint8Array(contextLengthMax(count) + 3);
  const length = encodeContextInto(
    clock,
    0,
    count,
    live,
    0,
    live.length / VERSION_BYTES,
    reader,
    key,
    ofName,
    target,
    3,
  );
  return contextToText(target, 3, 3 + length);
}

function countIn(text: string, target: Uint8Array = new Uint8Array(CONTEXT_BYTES_MAX)): number {
  return decodeContext(text, key, name, target);
}

/** Actors in a row with one pair each; the stamp of entry i is `stampOf(i)`. */
function wideClock(count: number, stampOf: (index: number) => number): Uint8Array {
  const clock = new Uint8Array(count * ENTRY_BYTES);
  const actor = new Uint8Array(8);
  for (let index = 0; index < count; index++) {
    actor[0] = index >> 8;
    actor[1] = index;
    writeEntry(clock, index * ENTRY_BYTES, actor, 0, 5, PAIR, stampOf(index), 0);
  }
  return clock;
}

/** Version entries with the dots of some of a clock's entries. */
function versionsOf(clock: Uint8Array, entries: readonly number[]): Uint8Array {
  const versions = new Uint8Array(entries.length * VERSION_BYTES);
  entries.forEach((entry, index) => {
    const at = entry * ENTRY_BYTES;
    versions.set(clock.subarray(at, at + DOT_BYTES), index * VERSION_BYTES);
  });
  return versions;
}

/** The context with one byte overwritten, and the MAC that a holder of the key would give it. */
function signed(at: number, value: number): string {
  const bytes = new Uint8Array(CONTEXT_BYTES_MAX);
  const length = contextFromTextInto(text, bytes);
  bytes[at] = value;
  const end = length - SIPHASH_BYTES;
  const message = Uint8Array.from([name.length, 0, 0, 0, ...name, ...bytes.slice(0, end)]);
  siphashInto(key, message, 0, message.length, bytes, end);
  return contextToText(bytes, 0, length);
}

const clock = packClock(randomClock(new SeededRandom(3), "abc", 5));
const text = encode(clock);

export const suite: readonly Case[] = [
  {
    name: "A context comes back as it was given: entries, and the reader",
    run(check) {
      const random = new SeededRandom(seed);
      const target = new Uint8Array(CONTEXT_BYTES_MAX);
      for (let round = 0; round < 2_000; round++) {
        const given = packClock(randomClock(random, "abcde", 6)).slice(0, 31 * ENTRY_BYTES);
        const carried = encode(given);
        check.ok(/^[A-Za-z0-9_-]{1,1024}$/.test(carried), `printable, at most 1 KiB; ${again}`);
        const count = countIn(carried, target);
        check.equal(count, given.length / ENTRY_BYTES, `entries; ${again}`);
        const end = CONTEXT_ENTRIES_AT + given.length;
        check.same(target.slice(CONTEXT_ENTRIES_AT, end), given, `the clock; ${again}`);
        check.same(
          target.slice(CONTEXT_READER_AT, CONTEXT_ENTRIES_AT),
          reader,
          `the reader; ${again}`,
        );
      }
    },
  },
  {
    name: "A context with any bit flipped is refused",
    run(check) {
      const bytes = new Uint8Array(CONTEXT_BYTES_MAX);
      const length = contextFromTextInto(text, bytes);
      check.ok(countIn(text) > 0, "untouched it passes");
      for (let bit = 0; bit < length * 8; bit++) {
        bytes[bit >> 3] ^= 1 << (bit & 7);
        check.equal(countIn(contextToText(bytes, 0, length)), -1, `bit ${bit}`);
        bytes[bit >> 3] ^= 1 << (bit & 7);
      }
    },
  },
  {
    name: "A context with any character changed, cut anywhere, or with anything added is refused",
    run(check) {
      const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      for (let place = 0; place < text.length; place++) {
        for (const letter of `${letters}+/= \n\u0000é\u4e2d`) {
          if (letter === text[place]) continue;
          const other = text.slice(0, place) + letter + text.slice(place + 1);
          check.equal(countIn(other), -1, `"${letter}" at ${place}`);
        }
        check.equal(countIn(text.slice(0, place)), -1, `${place} characters`);
        check.equal(countIn(text.slice(place + 1)), -1, `without the first ${place + 1}`);
      }
      for (const tail of ["A", "=", "==", "AAAA", text, " "]) {
        check.equal(countIn(text + tail), -1, `with "${tail.slice(0, 5)}" behind it`);
      }
    },
  },
  {
    name: "A context of another name, another key or another cluster's node is refused",
    run(check) {
      const target = new Uint8Array(CONTEXT_BYTES_MAX);
      for (const other of ["cart/user-18", "cart/user-1", "cart/user-17\0", "", "dart/user-17"]) {
        const bytes = new TextEncoder().encode(other);
        check.equal(decodeContext(text, key, bytes, target), -1, `name "${other}"`);
      }
      for (let bit = 0; bit < 128; bit++) {
        const otherKey = key.slice();
        otherKey[bit >> 3] ^= 1 << (bit & 7);
        check.equal(decodeContext(text, otherKey, name, target), -1, `key bit ${bit}`);
      }
    },
  },
  {
    name: "A name cannot pass its end off as the beginning of a context",
    run(check) {
      // An entry whose tail reads as the beginning of an empty context: 1, 0, and no entries.
      const entry = new Uint8Array(ENTRY_BYTES);
      writeEntry(entry, 0, reader, 0, 2 ** 32, PAIR, 7, 7);
      const bytes = new Uint8Array(CONTEXT_BYTES_MAX);
      const length = contextFromTextInto(encode(entry), bytes);
      const longer = Uint8Array.from([...name, ...bytes.slice(0, ENTRY_BYTES)]);
      const shorter = contextToText(bytes, ENTRY_BYTES, length);
      const target = new Uint8Array(CONTEXT_BYTES_MAX);
      check.equal(
        decodeContext(shorter, key, longer, target),
        -1,
        "the MAC knows where the name ends",
      );
    },
  },
  {
    name: "A MAC does not excuse a malformed clock or an unknown format",
    run(check) {
      const backwards = wideClock(2, () => 1);
      backwards.copyWithin(0, ENTRY_BYTES);
      check.equal(countIn(encode(backwards)), -1, "an actor twice");
      check.ok(countIn(encode(wideClock(2, () => 1))) === 2, "two actors");
      for (const [at, value] of [[0, 2], [1, 1], [2, 3]]) {
        check.equal(countIn(signed(at, value)), -1, `byte ${at} is ${value}, and signed`);
      }
      check.equal(countIn(signed(0, 1)), clock.length / ENTRY_BYTES, "as it was, and signed");
    },
  },
  {
    name: "What is no context at all is refused, and never throws",
    run(check) {
      const random = new SeededRandom(seed);
      for (
        const given of ["", "A", "AA", "AAA", "A".repeat(28), "A".repeat(1024), "A".repeat(1025)]
      ) {
        check.equal(countIn(given), -1, `${given.length} times "A"`);
      }
      for (let round = 0; round < 5_000; round++) {
        let given = "";
        for (let left = random.below(60); left > 0; left--) {
          given += String.fromCharCode(random.below(300));
        }
        check.equal(countIn(given), -1, `noise; ${again}`);
      }
      const tooLong = new Uint8Array(2 * NAME_BYTES_MAX);
      const target = new Uint8Array(CONTEXT_BYTES_MAX);
      check.equal(decodeContext(text, key, tooLong, target), -1, "a name beyond all limits");
    },
  },
  {
    name: "31 entries fit; of more those with the oldest stamps go, and last those that cover a live version",
    run(check) {
      check.equal(CONTEXT_ENTRIES_MAX, 31, "entries that fit");
      const full = encode(wideClock(31, (index) => index));
      check.ok(full.length <= CONTEXT_CHARS_MAX, `${full.length} characters`);
      check.ok(contextLengthMax(32) > CONTEXT_BYTES_MAX, "one more would not fit");
      const wide = wideClock(100, (index) => (index * 37) % 100);
      const target = new Uint8Array(CONTEXT_BYTES_MAX);
      check.equal(countIn(encode(wide), target), 31, "entries that are left");
      check.ok(clockIsWellFormed(target, CONTEXT_ENTRIES_AT, 31, target.length), "in normal form");
      for (let index = 0; index < 100; index++) {
        const isKept = clockCovers(target, CONTEXT_ENTRIES_AT, 31, wide, index * ENTRY_BYTES);
        check.equal(isKept, (index * 37) % 100 >= 69, `entry of stamp ${(index * 37) % 100}`);
      }
      const shown = versionsOf(wide, [0, 27, 54, 3]);
      check.equal(countIn(encode(wide, shown), target), 31, "with versions that are live");
      for (let version = 0; version < shown.length; version += VERSION_BYTES) {
        check.ok(clockCovers(target, CONTEXT_ENTRIES_AT, 31, shown, version), "what was shown is covered");
      }
      const all = versionsOf(wide, Array.from({ length: 100 }, (_, index) => index));
      check.equal(countIn(encode(wide, all), target), 31, "with more of them than fit");
      check.ok(clockIsWellFormed(target, CONTEXT_ENTRIES_AT, 31, target.length), "in normal form");
    },
  },
  {
    name: "Base64url is RFC 4648's, and one text for one context",
    run(check) {
      const vectors = ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"];
      const bytes = new TextEncoder().encode("foobar");
      const target = new Uint8Array(CONTEXT_BYTES_MAX);
      vectors.forEach((wanted, length) => {
        check.equal(contextToText(bytes, 0, length), wanted, `${length} bytes`);
        check.equal(contextFromTextInto(wanted, target), length, `"${wanted}"`);
        check.same(target.slice(0, length), bytes.slice(0, length), `bytes of "${wanted}"`);
      });
      check.equal(contextToText(Uint8Array.of(251, 255), 0, 2), "-_8", "the url-safe letters");
      for (const other of ["Zh", "Zm9", "Zg==", "Zm+v", "Z", "Zm 9v"]) {
        check.equal(contextFromTextInto(other, target), -1, `"${other}"`);
      }
    },
  },
];
