/**
 * MD5 of eight names at once: a kernel of vectors, one name a lane.
 *
 * The 64 steps of one MD5 are a chain, each waiting for the one before: most of a processor idles.
 * Eight chains that know nothing of each other fill it.
 *
 *               lane 0  lane 1  …  lane 7
 *   word 0         w       w          w       16 rows in: the padded blocks of eight names, one a
 *   …                                         column, little-endian words
 *   word 15        w       w          w
 *   digest 0       p       p          p       4 rows out: their positions, most significant word
 *   …                                         first
 *   digest 3       p       p          p
 *               └─── A ───┘└─── B ────┘       two vectors, A and B, go through the steps side by side
 *
 * Why two vectors: on Bun eight lanes take 23.7 ns a name, four (one vector) 40, twelve 28 and
 * sixteen 35 (registers run out); two names in 32-bit registers take 47, three 38.
 * Constants as immediates: kept in memory and loaded, they cost 14 % (27.1 ns).
 *
 * Source: RFC 1321, 3.4; the letters are the RFC's.
 */

import {
  add,
  and,
  andNot,
  assemble,
  constant,
  load,
  local,
  not,
  or,
  set,
  shiftLeft,
  shiftRight,
  store,
  swapBytes,
  VECTOR_BYTES,
  xor,
} from "./assembler.ts";
import type { Code } from "./assembler.ts";

/** Names hashed at once. */
export const LANES = 8;
/** Rows of words that go in, from the memory's beginning. */
export const BLOCK_WORDS = 16;
/** Rows of words that come out, right after. */
export const DIGEST_WORDS = 4;

const VECTORS = 2;
const ROW_BYTES = 4 * LANES;
const STEPS = 64;
const STEPS_OF_ROUND = 16;
/** Of each vector: a, b, c, d, and the sum that is being turned. */
const LOCALS_OF_VECTOR = 5;
const SUM = 4;

const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];

/** Bits by which a step turns its sum, four steps in turn, round by round. */
const TURNS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];

/** Which word enters in a round's first step, and how far on it is in the next. */
const WORD_STARTS = [0, 1, 5, 0];
const WORD_STRIDES = [1, 5, 3, 7];

/**
 * What b, c and d add in a step, as terms: b is the newest and should pass through as few operations
 * as can be. F: where b then c, else d. G: where d then b, else c. H: parity. I: c xor (b or not d).
 */
const MIXERS: readonly ((b: Code, c: Code, d: Code) => readonly Code[])[] = [
  (b, c, d) => [xor(d, and(b, xor(c, d)))],
  (b, c, d) => [andNot(c, d), and(b, d)],
  (b, c, d) => [xor(b, xor(c, d))],
  (b, c, d) => [xor(c, or(b, not(d)))],
];

/** floor(2^32 |sin(i + 1)|) for step i; written out, since runtimes differ in a sine's last bit. */
const SINES = [
  ...[0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613],
  ...[0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193],
  ...[0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d],
  ...[0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed],
  ...[0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122],
  ...[0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa],
  ...[0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244],
  ...[0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1],
  ...[0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb],
  0xeb86d391,
];

/** The module's bytes. Its `run` hashes what lies in the rows; see the picture. */
export function md5LanesModule(): Uint8Array<ArrayBuffer> {
  const statements: Code[] = [];
  for (const vector of [0, 1]) {
    for (const letter of [0, 1, 2, 3]) {
      statements.push(set(localOf(vector, letter), constant(INITIAL[letter])));
    }
  }
  for (let step = 0; step < STEPS; step++) {
    for (const vector of [0, 1]) statements.push(...stepOf(step, vector));
  }
  for (const vector of [0, 1]) {
    for (const letter of [0, 1, 2, 3]) statements.push(finish(vector, letter));
  }
  return assemble({ memoryPages: 1, localCount: VECTORS * LOCALS_OF_VECTOR, statements });
}

/** a ← b + ((a + word + sine + mix(b, c, d)) turned left); the letters move on with every step. */
function stepOf(step: number, vector: number): Code[] {
  const round = Math.floor(step / STEPS_OF_ROUND);
  const index = step % STEPS_OF_ROUND;
  const word = (WORD_STARTS[round] + index * WORD_STRIDES[round]) % BLOCK_WORDS;
  const turn = TURNS[round][index % 4];
  const [a, b, c, d] = [0, 1, 2, 3].map((letter) => localOf(vector, (letter + STEPS - step) % 4));
  const sum = localOf(vector, SUM);
  const terms = [
    load(addressOf(word, vector)),
    constant(SINES[step]),
    ...MIXERS[round](local(b), local(c), local(d)),
  ];
  const turned = or(shiftLeft(local(sum), turn), shiftRight(local(sum), 32 - turn));
  return [set(sum, terms.reduce(add, local(a))), set(a, add(turned, local(b)))];
}

/** The chaining value, in the byte order of positions, into its row. */
function finish(vector: number, letter: number): Code {
  const sum = localOf(vector, SUM);
  return [
    ...set(sum, add(local(localOf(vector, letter)), constant(INITIAL[letter]))),
    ...store(addressOf(BLOCK_WORDS + letter, vector), swapBytes(local(sum))),
  ];
}

function localOf(vector: number, letter: number): number {
  return vector * LOCALS_OF_VECTOR + letter;
}

function addressOf(row: number, vector: number): number {
  return row * ROW_BYTES + vector * VECTOR_BYTES;
}
