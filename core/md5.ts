/**
 * MD5 (RFC 1321): a name's bytes → its 128-bit position on the ring.
 *
 *   name ──► blocks of 64 bytes ──► 64 dependent steps each ──► four words of the position
 *            last one padded:
 *            name | 0x80 | zeros | length in bits, 64-bit little-endian
 *
 * MD5 is here as the paper has it: to spread names evenly, not to keep anybody out. Collisions are
 * published, so no two names may be taken for one because their positions agree.
 *
 * The digest's sixteen bytes are handed out as four *big-endian* words, most significant first:
 * word 0 is the top of the ring position, so comparing words compares positions.
 *
 * Invariants: nothing here allocates after construction. Names of up to 55 bytes, nearly all of
 * them, fit one block with their padding. `compress` is unrolled, the one function of this file that
 * is longer than a page: 64 steps that differ in their constants alone.
 *
 * Plain TypeScript is the fastest way on Bun: 87 ns for a 16-byte name, where Bun.MD5 into a given
 * array takes 92, the same steps as WebAssembly 96 (with both tricks of `compress`; copying the name
 * in is 10 of them), node:crypto 163 (bench/core/md5, November 2026). Many names at once take a
 * third of that by vectors: md5-batch.
 *
 * Source: RFC 1321.
 */

/** A block's bytes. */
const BLOCK_BYTES = 64;
/**
 * The longest message that fits one block beside its padding byte and its eight bytes of length.
 */
export const SINGLE_BLOCK_BYTES_MAX = 55;
/**
 * The block word that holds the low half of the message's length in bits; the high half follows.
 */
const LENGTH_WORD = 14;
/** From so many bytes on, the length in bits needs its high half. */
const LENGTH_WRAP_BYTES = 2 ** 29;

/** The block at work, little-endian words. Valid from filling it to the end of `compress`. */
const words = new Int32Array(16);
/** A zero that the compiler cannot take for one; see `compress`. Never written. */
const unknownZero = new Int32Array(1);
/** The chaining state of one-shot digests. Valid within one call of `md5Into`. */
const oneShotState = new Int32Array(4);

/**
 * Writes the MD5 of `input[start, end)` as four big-endian words, most significant first.
 * @hot
 * @param target receives four words at `targetIndex`
 */
export function md5Into(
  input: Uint8Array,
  start: number,
  end: number,
  target: Uint32Array,
  targetIndex: number,
): void {
  const state = oneShotState;
  const length = end - start;
  let offset = start;
  initialise(state);
  for (const wholeEnd = end - BLOCK_BYTES; offset <= wholeEnd; offset += BLOCK_BYTES) {
    loadBlock(input, offset);
    compress(state);
  }
  finish(state, input, offset, end, length);
  storeDigest(state, target, targetIndex);
}

/** MD5 of a message that comes in pieces. An object serves one message after the other. */
export class Md5 {
  readonly #state = new Int32Array(4);
  /** The begun block: the last `#length % 64` bytes of what came. */
  readonly #pending = new Uint8Array(BLOCK_BYTES);
  /** Bytes of the message so far. */
  #length = 0;

  constructor() {
    initialise(this.#state);
  }

  /** Goes on with `input[start, end)`. @hot */
  update(input: Uint8Array, start = 0, end = input.length): void {
    let offset = start;
    const pendingLength = this.#length % BLOCK_BYTES;
    this.#length += end - start;
    if (pendingLength > 0) {
      offset = this.#fillPending(pendingLength, input, start, end);
      if (pendingLength + offset - start < BLOCK_BYTES) return;
      loadBlock(this.#pending, 0);
      compress(this.#state);
    }
    for (; offset + BLOCK_BYTES <= end; offset += BLOCK_BYTES) {
      loadBlock(input, offset);
      compress(this.#state);
    }
    this.#fillPending(0, input, offset, end);
  }

  /** Writes the digest's four words as `md5Into` does and begins a new message. @hot */
  digestInto(target: Uint32Array, targetIndex: number): void {
    const pendingLength = this.#length % BLOCK_BYTES;
    finish(this.#state, this.#pending, 0, pendingLength, this.#length);
    storeDigest(this.#state, target, targetIndex);
    initialise(this.#state);
    this.#length = 0;
  }

  /** Copies up to a block's end; returns where in `input` it stopped. */
  #fillPending(pendingLength: number, input: Uint8Array, start: number, end: number): number {
    const pending = this.#pending;
    let offset = start;
    for (let index = pendingLength; index < BLOCK_BYTES && offset < end; index++) {
      pending[index] = input[offset++];
    }
    return offset;
  }
}

/** RFC 1321, 3.3. */
function initialise(state: Int32Array): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
}

/** The last, incomplete block `input[start, end)` with its padding (RFC 1321, 3.1 and 3.2). */
function finish(
  state: Int32Array,
  input: Uint8Array,
  start: number,
  end: number,
  length: number,
): void {
  loadLastBytes(input, start, end);
  if (end - start > SINGLE_BLOCK_BYTES_MAX) {
    compress(state);
    for (let word = 0; word < LENGTH_WORD; word++) words[word] = 0;
  }
  words[LENGTH_WORD] = length << 3;
  words[LENGTH_WORD + 1] = length < LENGTH_WRAP_BYTES ? 0 : Math.floor(length / LENGTH_WRAP_BYTES);
  compress(state);
}

/**
 * Words are put together by shifts: byte stores read back as words would stall, and need an order.
 */
function loadBlock(input: Uint8Array, offset: number): void {
  for (let word = 0; word < 16; word++) {
    words[word] = loadWord(input, offset);
    offset += 4;
  }
}

/** Up to 63 bytes, the byte 0x80, zeros to the block's end. */
function loadLastBytes(input: Uint8Array, start: number, end: number): void {
  let offset = start;
  let word = 0;
  for (; offset + 4 <= end; offset += 4) words[word++] = loadWord(input, offset);
  let last = 0x80;
  while (end > offset) last = (last << 8) | input[--end];
  words[word++] = last;
  while (word < 16) words[word++] = 0;
}

function loadWord(input: Uint8Array, offset: number): number {
  return (
    input[offset] | (input[offset + 1] << 8) | (input[offset + 2] << 16) | (input[offset + 3] << 24)
  );
}

function storeDigest(state: Int32Array, target: Uint32Array, targetIndex: number): void {
  target[targetIndex] = swapBytes(state[0]);
  target[targetIndex + 1] = swapBytes(state[1]);
  target[targetIndex + 2] = swapBytes(state[2]);
  target[targetIndex + 3] = swapBytes(state[3]);
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/**
 * One block into the state (RFC 1321, 3.4). The letters and the order of steps are the RFC's; step
 * i adds floor(2^32 |sin(i + 1)|).
 *
 * The time goes to one chain through all 64 steps, so the newest letter (b in the first of each
 * four lines) enters as late as it can. Two things here are for the compiler (16-byte name on Bun):
 *
 *   K | 0   constants as signed words: above 2^31 they would make the sums fractional numbers, or
 *           longer integers                                                            132 → 104 ns
 *   ^ cut   a sum of sums is one tree to the compiler, which deals its leaves anew and may put the
 *           newest at the bottom; xor with a zero that it cannot foresee cuts the tree  104 → 87 ns
 *
 * @hot unrolled on purpose
 */
function compress(state: Int32Array): void {
  const cut = unknownZero[0];
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];

  // Round 1. F: where b then c, else d.
  a = (((a + words[0] + (0xd76aa478 | 0)) ^ cut) + (d ^ (b & (c ^ d)))) | 0;
  a = ((a << 7) | (a >>> 25)) + b | 0;
  d = (((d + words[1] + (0xe8c7b756 | 0)) ^ cut) + (c ^ (a & (b ^ c)))) | 0;
  d = ((d << 12) | (d >>> 20)) + a | 0;
  c = (((c + words[2] + 0x242070db) ^ cut) + (b ^ (d & (a ^ b)))) | 0;
  c = ((c << 17) | (c >>> 15)) + d | 0;
  b = (((b + words[3] + (0xc1bdceee | 0)) ^ cut) + (a ^ (c & (d ^ a)))) | 0;
  b = ((b << 22) | (b >>> 10)) + c | 0;
  a = (((a + words[4] + (0xf57c0faf | 0)) ^ cut) + (d ^ (b & (c ^ d)))) | 0;
  a = ((a << 7) | (a >>> 25)) + b | 0;
  d = (((d + words[5] + 0x4787c62a) ^ cut) + (c ^ (a & (b ^ c)))) | 0;
  d = ((d << 12) | (d >>> 20)) + a | 0;
  c = (((c + words[6] + (0xa8304613 | 0)) ^ cut) + (b ^ (d & (a ^ b)))) | 0;
  c = ((c << 17) | (c >>> 15)) + d | 0;
  b = (((b + words[7] + (0xfd469501 | 0)) ^ cut) + (a ^ (c & (d ^ a)))) | 0;
  b = ((b << 22) | (b >>> 10)) + c | 0;
  a = (((a + words[8] + 0x698098d8) ^ cut) + (d ^ (b & (c ^ d)))) | 0;
  a = ((a << 7) | (a >>> 25)) + b | 0;
  d = (((d + words[9] + (0x8b44f7af | 0)) ^ cut) + (c ^ (a & (b ^ c)))) | 0;
  d = ((d << 12) | (d >>> 20)) + a | 0;
  c = (((c + words[10] + (0xffff5bb1 | 0)) ^ cut) + (b ^ (d & (a ^ b)))) | 0;
  c = ((c << 17) | (c >>> 15)) + d | 0;
  b = (((b + words[11] + (0x895cd7be | 0)) ^ cut) + (a ^ (c & (d ^ a)))) | 0;
  b = ((b << 22) | (b >>> 10)) + c | 0;
  a = (((a + words[12] + 0x6b901122) ^ cut) + (d ^ (b & (c ^ d)))) | 0;
  a = ((a << 7) | (a >>> 25)) + b | 0;
  d = (((d + words[13] + (0xfd987193 | 0)) ^ cut) + (c ^ (a & (b ^ c)))) | 0;
  d = ((d << 12) | (d >>> 20)) + a | 0;
  c = (((c + words[14] + (0xa679438e | 0)) ^ cut) + (b ^ (d & (a ^ b)))) | 0;
  c = ((c << 17) | (c >>> 15)) + d | 0;
  b = (((b + words[15] + 0x49b40821) ^ cut) + (a ^ (c & (d ^ a)))) | 0;
  b = ((b << 22) | (b >>> 10)) + c | 0;
  // Round 2. G: where d then b, else c (its two halves share no bit, so they are added).
  a = (((a + words[1] + (0xf61e2562 | 0) + (c & ~d)) ^ cut) + (b & d)) | 0;
  a = ((a << 5) | (a >>> 27)) + b | 0;
  d = (((d + words[6] + (0xc040b340 | 0) + (b & ~c)) ^ cut) + (a & c)) | 0;
  d = ((d << 9) | (d >>> 23)) + a | 0;
  c = (((c + words[11] + 0x265e5a51 + (a & ~b)) ^ cut) + (d & b)) | 0;
  c = ((c << 14) | (c >>> 18)) + d | 0;
  b = (((b + words[0] + (0xe9b6c7aa | 0) + (d & ~a)) ^ cut) + (c & a)) | 0;
  b = ((b << 20) | (b >>> 12)) + c | 0;
  a = (((a + words[5] + (0xd62f105d | 0) + (c & ~d)) ^ cut) + (b & d)) | 0;
  a = ((a << 5) | (a >>> 27)) + b | 0;
  d = (((d + words[10] + 0x02441453 + (b & ~c)) ^ cut) + (a & c)) | 0;
  d = ((d << 9) | (d >>> 23)) + a | 0;
  c = (((c + words[15] + (0xd8a1e681 | 0) + (a & ~b)) ^ cut) + (d & b)) | 0;
  c = ((c << 14) | (c >>> 18)) + d | 0;
  b = (((b + words[4] + (0xe7d3fbc8 | 0) + (d & ~a)) ^ cut) + (c & a)) | 0;
  b = ((b << 20) | (b >>> 12)) + c | 0;
  a = (((a + words[9] + 0x21e1cde6 + (c & ~d)) ^ cut) + (b & d)) | 0;
  a = ((a << 5) | (a >>> 27)) + b | 0;
  d = (((d + words[14] + (0xc33707d6 | 0) + (b & ~c)) ^ cut) + (a & c)) | 0;
  d = ((d << 9) | (d >>> 23)) + a | 0;
  c = (((c + words[3] + (0xf4d50d87 | 0) + (a & ~b)) ^ cut) + (d & b)) | 0;
  c = ((c << 14) | (c >>> 18)) + d | 0;
  b = (((b + words[8] + 0x455a14ed + (d & ~a)) ^ cut) + (c & a)) | 0;
  b = ((b << 20) | (b >>> 12)) + c | 0;
  a = (((a + words[13] + (0xa9e3e905 | 0) + (c & ~d)) ^ cut) + (b & d)) | 0;
  a = ((a << 5) | (a >>> 27)) + b | 0;
  d = (((d + words[2] + (0xfcefa3f8 | 0) + (b & ~c)) ^ cut) + (a & c)) | 0;
  d = ((d << 9) | (d >>> 23)) + a | 0;
  c = (((c + words[7] + 0x676f02d9 + (a & ~b)) ^ cut) + (d & b)) | 0;
  c = ((c << 14) | (c >>> 18)) + d | 0;
  b = (((b + words[12] + (0x8d2a4c8a | 0) + (d & ~a)) ^ cut) + (c & a)) | 0;
  b = ((b << 20) | (b >>> 12)) + c | 0;
  // Round 3. H: parity of b, c, d.
  a = (((a + words[5] + (0xfffa3942 | 0)) ^ cut) + (b ^ (c ^ d))) | 0;
  a = ((a << 4) | (a >>> 28)) + b | 0;
  d = (((d + words[8] + (0x8771f681 | 0)) ^ cut) + (a ^ (b ^ c))) | 0;
  d = ((d << 11) | (d >>> 21)) + a | 0;
  c = (((c + words[11] + 0x6d9d6122) ^ cut) + (d ^ (a ^ b))) | 0;
  c = ((c << 16) | (c >>> 16)) + d | 0;
  b = (((b + words[14] + (0xfde5380c | 0)) ^ cut) + (c ^ (d ^ a))) | 0;
  b = ((b << 23) | (b >>> 9)) + c | 0;
  a = (((a + words[1] + (0xa4beea44 | 0)) ^ cut) + (b ^ (c ^ d))) | 0;
  a = ((a << 4) | (a >>> 28)) + b | 0;
  d = (((d + words[4] + 0x4bdecfa9) ^ cut) + (a ^ (b ^ c))) | 0;
  d = ((d << 11) | (d >>> 21)) + a | 0;
  c = (((c + words[7] + (0xf6bb4b60 | 0)) ^ cut) + (d ^ (a ^ b))) | 0;
  c = ((c << 16) | (c >>> 16)) + d | 0;
  b = (((b + words[10] + (0xbebfbc70 | 0)) ^ cut) + (c ^ (d ^ a))) | 0;
  b = ((b << 23) | (b >>> 9)) + c | 0;
  a = (((a + words[13] + 0x289b7ec6) ^ cut) + (b ^ (c ^ d))) | 0;
  a = ((a << 4) | (a >>> 28)) + b | 0;
  d = (((d + words[0] + (0xeaa127fa | 0)) ^ cut) + (a ^ (b ^ c))) | 0;
  d = ((d << 11) | (d >>> 21)) + a | 0;
  c = (((c + words[3] + (0xd4ef3085 | 0)) ^ cut) + (d ^ (a ^ b))) | 0;
  c = ((c << 16) | (c >>> 16)) + d | 0;
  b = (((b + words[6] + 0x04881d05) ^ cut) + (c ^ (d ^ a))) | 0;
  b = ((b << 23) | (b >>> 9)) + c | 0;
  a = (((a + words[9] + (0xd9d4d039 | 0)) ^ cut) + (b ^ (c ^ d))) | 0;
  a = ((a << 4) | (a >>> 28)) + b | 0;
  d = (((d + words[12] + (0xe6db99e5 | 0)) ^ cut) + (a ^ (b ^ c))) | 0;
  d = ((d << 11) | (d >>> 21)) + a | 0;
  c = (((c + words[15] + 0x1fa27cf8) ^ cut) + (d ^ (a ^ b))) | 0;
  c = ((c << 16) | (c >>> 16)) + d | 0;
  b = (((b + words[2] + (0xc4ac5665 | 0)) ^ cut) + (c ^ (d ^ a))) | 0;
  b = ((b << 23) | (b >>> 9)) + c | 0;
  // Round 4. I: c xor (b or not d).
  a = (((a + words[0] + (0xf4292244 | 0)) ^ cut) + (c ^ (b | ~d))) | 0;
  a = ((a << 6) | (a >>> 26)) + b | 0;
  d = (((d + words[7] + 0x432aff97) ^ cut) + (b ^ (a | ~c))) | 0;
  d = ((d << 10) | (d >>> 22)) + a | 0;
  c = (((c + words[14] + (0xab9423a7 | 0)) ^ cut) + (a ^ (d | ~b))) | 0;
  c = ((c << 15) | (c >>> 17)) + d | 0;
  b = (((b + words[5] + (0xfc93a039 | 0)) ^ cut) + (d ^ (c | ~a))) | 0;
  b = ((b << 21) | (b >>> 11)) + c | 0;
  a = (((a + words[12] + 0x655b59c3) ^ cut) + (c ^ (b | ~d))) | 0;
  a = ((a << 6) | (a >>> 26)) + b | 0;
  d = (((d + words[3] + (0x8f0ccc92 | 0)) ^ cut) + (b ^ (a | ~c))) | 0;
  d = ((d << 10) | (d >>> 22)) + a | 0;
  c = (((c + words[10] + (0xffeff47d | 0)) ^ cut) + (a ^ (d | ~b))) | 0;
  c = ((c << 15) | (c >>> 17)) + d | 0;
  b = (((b + words[1] + (0x85845dd1 | 0)) ^ cut) + (d ^ (c | ~a))) | 0;
  b = ((b << 21) | (b >>> 11)) + c | 0;
  a = (((a + words[8] + 0x6fa87e4f) ^ cut) + (c ^ (b | ~d))) | 0;
  a = ((a << 6) | (a >>> 26)) + b | 0;
  d = (((d + words[15] + (0xfe2ce6e0 | 0)) ^ cut) + (b ^ (a | ~c))) | 0;
  d = ((d << 10) | (d >>> 22)) + a | 0;
  c = (((c + words[6] + (0xa3014314 | 0)) ^ cut) + (a ^ (d | ~b))) | 0;
  c = ((c << 15) | (c >>> 17)) + d | 0;
  b = (((b + words[13] + 0x4e0811a1) ^ cut) + (d ^ (c | ~a))) | 0;
  b = ((b << 21) | (b >>> 11)) + c | 0;
  a = (((a + words[4] + (0xf7537e82 | 0)) ^ cut) + (c ^ (b | ~d))) | 0;
  a = ((a << 6) | (a >>> 26)) + b | 0;
  d = (((d + words[11] + (0xbd3af235 | 0)) ^ cut) + (b ^ (a | ~c))) | 0;
  d = ((d << 10) | (d >>> 22)) + a | 0;
  c = (((c + words[2] + 0x2ad7d2bb) ^ cut) + (a ^ (d | ~b))) | 0;
  c = ((c << 15) | (c >>> 17)) + d | 0;
  b = (((b + words[9] + (0xeb86d391 | 0)) ^ cut) + (d ^ (c | ~a))) | 0;
  b = ((b << 21) | (b >>> 11)) + c | 0;

  state[0] = a + state[0];
  state[1] = b + state[1];
  state[2] = c + state[2];
  state[3] = d + state[3];
}
