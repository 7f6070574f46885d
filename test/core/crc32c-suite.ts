/**
 * CRC-32C on every runtime: the vectors of RFC 3720, a bit-by-bit model at every length and
 * alignment, and that a checksum may be taken in pieces.
 */

import { crc32c } from "../../core/crc32c.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";

/** One bit at a time, straight from the definition. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const out = (crc ^ (byte >> bit)) & 1;
      crc = (crc >>> 1) ^ (out === 1 ? 0x82f63b78 : 0);
    }
  }
  return ~crc >>> 0;
}

/** RFC 3720, B.4; and the check value of the catalogues. */
const vectors: readonly (readonly [string, Uint8Array, number])[] = [
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(255), 0x62a8ab43],
  ["0 to 31", Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ["31 to 0", Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
  ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
  ["nothing", new Uint8Array(0), 0],
];

export const suite: readonly Case[] = [
  {
    name: "crc32c() gives the checksums of RFC 3720",
    run(check) {
      for (const [name, bytes, wanted] of vectors) {
        check.equal(crc32c(bytes, 0, bytes.length), wanted, name);
      }
    },
  },
  {
    name: "crc32c() equals the bit-by-bit model at every length from 0 to 300, wherever it lies",
    run(check) {
      const random = new SeededRandom(3720);
      const bytes = new Uint8Array(320);
      random.fill(bytes);
      for (let length = 0; length <= 300; length++) {
        const start = random.below(20);
        const wanted = slowCrc32c(bytes.subarray(start, start + length));
        check.equal(crc32c(bytes, start, start + length), wanted, `${length} bytes from ${start}`);
      }
    },
  },
  {
    name: "crc32c() of two pieces, the first one's as the seed, is that of the whole",
    run(check) {
      const bytes = new Uint8Array(100);
      new SeededRandom(32).fill(bytes);
      const whole = crc32c(bytes, 0, 100);
      for (let cut = 0; cut <= 100; cut++) {
        check.equal(crc32c(bytes, cut, 100, crc32c(bytes, 0, cut)), whole, `cut at ${cut}`);
      }
    },
  },
  {
    name: "crc32c() differs for every bit that flips",
    run(check) {
      const bytes = new Uint8Array(64);
      new SeededRandom(64).fill(bytes);
      const whole = crc32c(bytes, 0, 64);
      for (let bit = 0; bit < 512; bit++) {
        bytes[bit >> 3] ^= 1 << (bit & 7);
        check.ok(crc32c(bytes, 0, 64) !== whole, `bit ${bit}`);
        bytes[bit >> 3] ^= 1 << (bit & 7);
      }
    },
  },
];
