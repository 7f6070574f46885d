/** Numbers in byte arrays: the same bytes at any alignment, and the edges of each width. */

import {
  compareBytes,
  compareNumbers,
  copyBytes,
  fromHex,
  readU16,
  readU32,
  readU48,
  toHex,
  writeU16,
  writeU32,
  writeU48,
} from "../../core/bytes.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";
import { randomBytes } from "./wire-sets.ts";

interface Width {
  readonly bytes: number;
  readonly read: (bytes: Uint8Array, offset: number) => number;
  readonly write: (bytes: Uint8Array, offset: number, value: number) => void;
}

const WIDTHS: readonly Width[] = [
  { bytes: 2, read: readU16, write: writeU16 },
  { bytes: 4, read: readU32, write: writeU32 },
  { bytes: 6, read: readU48, write: writeU48 },
];

export const suite: Case[] = [
  {
    name: "numbers of 16, 32 and 48 bits come back at each alignment and touch nothing beside them",
    run(check) {
      for (const { bytes: width, read, write } of WIDTHS) {
        const top = 256 ** width;
        for (const value of [0, 1, 255, 256, top / 2 - 1, top / 2, top - 2, top - 1]) {
          for (let offset = 1; offset <= 8; offset++) {
            const bytes = new Uint8Array(16).fill(0xaa);
            write(bytes, offset, value);
            check.equal(read(bytes, offset), value, `${value} in ${width} bytes at ${offset}`);
            bytes.fill(0xaa, offset, offset + width);
            check.ok(bytes.every((byte) => byte === 0xaa), "its neighbours are as they were");
          }
        }
      }
    },
  },
  {
    name: "numbers are little-endian",
    run(check) {
      const bytes = new Uint8Array(6);
      writeU48(bytes, 0, 0x010203040506);
      check.same([...bytes], [6, 5, 4, 3, 2, 1], "48 bits");
      check.equal(readU32(bytes, 0), 0x03040506, "their low 32");
      check.equal(readU16(bytes, 4), 0x0102, "their high 16");
    },
  },
  {
    name: "compareBytes() orders as text does, compareNumbers() as numbers do",
    run(check) {
      const random = new SeededRandom(3);
      const left = new Uint8Array(9);
      const right = new Uint8Array(9);
      for (let round = 0; round < 2_000; round++) {
        const one = random.uint32() % (random.chance(1, 2) ? 4 : 2 ** 32);
        const other = random.chance(1, 4) ? one : random.uint32() % 1_000;
        writeU48(left, 1, one * 65_536 + random.below(3));
        writeU48(right, 2, other * 65_536 + random.below(3));
        const numbers = Math.sign(readU48(left, 1) - readU48(right, 2));
        check.equal(compareNumbers(left, 1, right, 2, 6), numbers, "as numbers");
        const texts = [toHex(left, 1, 7), toHex(right, 2, 8)];
        const bytes = texts[0] === texts[1] ? 0 : texts[0] < texts[1] ? -1 : 1;
        check.equal(compareBytes(left, 1, right, 2, 6), bytes, "as bytes");
      }
    },
  },
  {
    name: "toHex() and fromHex() undo each other, and fromHex() refuses what is no hexadecimal",
    run(check) {
      const bytes = randomBytes(new SeededRandom(4), 33);
      check.same(fromHex(toHex(bytes, 0, 33)), bytes, "all bytes");
      check.equal(toHex(Uint8Array.of(9, 0x0a, 0xf0), 1, 3), "0af0", "a part");
      for (const text of ["0", "0g", "AB", "0x", " 0", "00\n"]) {
        check.equal(fromHex(text), null, text);
      }
    },
  },
  {
    name: "copyBytes() copies the field and no more",
    run(check) {
      const target = new Uint8Array(6).fill(7);
      copyBytes(Uint8Array.of(1, 2, 3, 4), 1, target, 2, 2);
      check.same([...target], [7, 7, 2, 3, 7, 7], "two bytes");
    },
  },
];
