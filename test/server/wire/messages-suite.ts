/** CBOR messages: what goes in comes out, and no bytes from outside do harm. */

import { isWellFormed, MESSAGE_DEPTH_MAX } from "../../../core/cbor-check.ts";
import {
  decodeMessage,
  decodeRefusal,
  encodeMessage,
  encodeRefusal,
} from "../../../server/wire/messages.ts";
import { SeededRandom } from "../../random.ts";
import type { Case } from "../../suite.ts";

function decode(bytes: Uint8Array): unknown {
  return decodeMessage(bytes, 0, bytes.length);
}

function randomValue(random: SeededRandom, depth: number): unknown {
  const numbers = [0, -1, 23, 24, 255, 65_536, 2 ** 32, -(2 ** 40), 2 ** 53 - 1, 0.5, -1e300];
  switch (random.below(depth === 0 ? 6 : 8)) {
    case 0:
      return numbers[random.below(numbers.length)];
    case 1:
      return "é€𝄞a".repeat(random.below(20));
    case 2:
      return [true, false, null][random.below(3)];
    case 3: {
      const bytes = new Uint8Array(random.below(300));
      random.fill(bytes);
      return bytes;
    }
    case 4:
      return "";
    case 5:
      return random.uint32();
    case 6:
      return Array.from({ length: random.below(30) }, () => randomValue(random, depth - 1));
    default: {
      const entries = Array.from({ length: random.below(20) }, (_none, index) => [
        `key ${index}`,
        randomValue(random, depth - 1),
      ]);
      return Object.fromEntries(entries) as unknown;
    }
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** Bytes that announce much and hold little, and bytes that CBOR allows and messages do not. */
const harmful: Readonly<Record<string, string>> = {
  "an array of 2^32 - 1": "9affffffff",
  "an array of 2^53": "9b0020000000000000",
  "an array of 2^64 - 1": "9bffffffffffffffff",
  "a map of 2^31": "ba80000000",
  "bytes of 2^32 - 1": "5affffffff",
  "text of 2^31 with a little": "7a8000000061",
  "arrays in arrays that all announce 200": "98c898c898c898c898c898c8",
  "an array of indefinite length": "9f01ff",
  "text of indefinite length": "7f6161ff",
  "a tag: date": "c11a514b67b0",
  "a tag: big number": "c249010000000000000000",
  "a tag: records": "d9dfff8319e00080",
  "a tag: shared value": "d81c01",
  "a tag and nothing": "c1",
  "a reserved length": "1c",
  "a simple value": "e0",
  "a break without a beginning": "ff",
  "nothing": "",
  "half a float": "fb3ff0000000",
  "two values": "0101",
};

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const suite: Case[] = [
  {
    name: "encodeMessage() and decodeMessage() keep random values",
    run(check) {
      const random = new SeededRandom(31_415);
      for (let round = 0; round < 500; round++) {
        const value = randomValue(random, 4);
        const bytes = encodeMessage(value);
        check.ok(isWellFormed(bytes, 0, bytes.length), `round ${round}: well-formed`);
        check.same(decode(bytes), value, `round ${round}: equal`);
      }
    },
  },
  {
    name: "decodeMessage() gives copies of byte strings, plain Uint8Arrays, not views",
    run(check) {
      const bytes = encodeMessage({ layout: Uint8Array.of(1, 2, 3) });
      const value = decode(bytes) as { layout: Uint8Array };
      bytes.fill(0xdb);
      check.equal(Object.getPrototypeOf(value.layout), Uint8Array.prototype, "no Buffer");
      check.same([...value.layout], [1, 2, 3], "unchanged");
    },
  },
  {
    name: "encodeMessage() gives bytes that a later one does not change",
    run(check) {
      const first = encodeMessage(["a", 1]);
      const copy = first.slice();
      for (let round = 0; round < 5_000; round++) encodeMessage(["b", round, "c".repeat(50)]);
      check.same(first, copy, "the first");
    },
  },
  {
    name: "decodeMessage() refuses what announces more than it holds, tags and indefinite lengths",
    run(check) {
      for (const [name, hex] of Object.entries(harmful)) {
        check.equal(decode(fromHex(hex)), undefined, name);
        check.equal(isWellFormed(fromHex(hex), 0, hex.length / 2), false, name);
      }
    },
  },
  {
    name: "decodeMessage() takes nesting to its limit and not beyond",
    run(check) {
      const most = nested(MESSAGE_DEPTH_MAX);
      check.same(decode(encodeMessage(most)), most, "at the limit");
      check.equal(decode(encodeMessage(nested(MESSAGE_DEPTH_MAX + 1))), undefined, "beyond");
      check.equal(decode(new Uint8Array(1_000_000).fill(0x81)), undefined, "a million levels");
    },
  },
  {
    name: "decodeMessage() refuses a message that is cut off anywhere, or has a byte too many",
    run(check) {
      const value = { a: [1, "two", Uint8Array.of(3)], b: { c: null, d: -70_000, e: 0.25 } };
      const bytes = encodeMessage(value);
      for (let length = 0; length < bytes.length; length++) {
        check.equal(decodeMessage(bytes, 0, length), undefined, `${length} bytes of it`);
      }
      const longer = new Uint8Array(bytes.length + 1);
      longer.set(bytes);
      check.equal(decode(longer), undefined, "one too many");
    },
  },
  {
    name: "decodeMessage() throws for no bytes at all, and gives nobody's prototype another shape",
    run(check) {
      const random = new SeededRandom(161_803);
      const seed = encodeMessage({ __proto__x: 1, a: [1, 2, { b: "c" }], d: Uint8Array.of(9) });
      for (let round = 0; round < 20_000; round++) {
        const bytes = seed.slice();
        for (let flips = 1 + random.below(4); flips > 0; flips--) {
          bytes[random.below(bytes.length)] = random.uint32();
        }
        decode(bytes);
      }
      // {"__proto__": {"polluted": 1}}
      decode(fromHex("a1695f5f70726f746f5f5fa168706f6c6c7574656401"));
      check.equal(Reflect.get({}, "polluted"), undefined, "no pollution");
    },
  },
  {
    name: "decodeRefusal() gives the sentence, or one of its own for garbage",
    run(check) {
      const bytes = encodeRefusal("No room");
      check.equal(decodeRefusal(bytes, 0, bytes.length), "No room", "the sentence");
      for (const value of [null, 1, { error: 2 }, { error: "" }, {}]) {
        const garbage = encodeMessage(value);
        const sentence = decodeRefusal(garbage, 0, garbage.length);
        check.equal(sentence, "refused without a reason", JSON.stringify(value));
      }
    },
  },
];
