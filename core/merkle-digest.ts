/**
 * What one object adds to a Merkle tree: a keyed 64-bit digest of its entry in the index.
 *
 *   position0  position1  tag        digest0  digest1
 *   └──── the name ─────────┘        └ head: dots, clock, payload checksums ┘
 *        a round a word                    a round a word, four to close
 *
 *   v0 v1 v2 v3 ◄─ key          each word w:  v3 ⊕= w   round   v0 ⊕= w
 *   then: v2 ⊕= ff  4 rounds    digest = (v0 ⊕ v2, v1 ⊕ v3)
 *
 * A node of a tree is the *sum* of its entries' digests, two lanes modulo 2^32. So the digest must
 * hold against what sums are weak at:
 *
 *   duplicates     XOR forgets what comes twice; a sum forgets only what comes 2^32 times
 *   accident       digests behave as random numbers, so two given sets agree once in 2^64
 *   structure      the digest is not linear in its words: e.g. swapping the heads of two objects
 *                  changes the sum, which it would not with any hash that is a sum itself
 *   intent         whoever can compute digests can find sets of equal sum in far less than 2^32
 *                  steps (Wagner, "A generalized birthday problem", 2002). Names, sizes and request
 *                  ids are in the hands of clients, MD5 and tag are public; so the digest is under
 *                  a key of the cluster, and no client is ever shown one.
 *
 * The round is that of SipHash on 32-bit words (Aumasson, Bernstein 2012). What goes in are fixed
 * five words that are hashes already, hence one round a word. Two names with one MD5 differ by
 * tag, and if even that agrees by their dots, which no two versions share.
 *
 * Replacing a head pays for the name's rounds once: mixName(), then addHead() for both heads.
 */

import { readU32 } from "./bytes.ts";
import { SIPHASH_BYTES, SIPHASH_KEY_BYTES, siphashInto } from "./siphash.ts";

/**
 * The key of a cluster's trees, four words, derived from a secret that has other uses as well.
 * @param secret SIPHASH_KEY_BYTES bytes, equal on all members
 */
export function merkleKey(secret: Uint8Array): Int32Array {
  if (secret.length !== SIPHASH_KEY_BYTES) {
    throw new RangeError(
      `Cannot key Merkle trees: ${secret.length} bytes, wanted ${SIPHASH_KEY_BYTES}`,
    );
  }
  const bytes = new Uint8Array(2 * SIPHASH_BYTES);
  for (let half = 0; half < 2; half++) {
    LABEL[LABEL.length - 1] = half;
    siphashInto(secret, LABEL, 0, LABEL.length, bytes, half * SIPHASH_BYTES);
  }
  return Int32Array.from([0, 4, 8, 12], (offset) => readU32(bytes, offset));
}

/** "merkle" and which half of the key: no context that is sealed under the secret is as short. */
const LABEL = Uint8Array.from([0x6d, 0x65, 0x72, 0x6b, 0x6c, 0x65, 0]);

/** The state after a name; valid from mixName() to the last addHead() that belongs to it. */
const state = new Int32Array(4);

/** Takes in a name: the first half of an entry's digest. @hot */
export function mixName(
  key: Int32Array,
  position0: number,
  position1: number,
  tag: number,
): void {
  let v0 = key[0];
  let v1 = key[1];
  let v2 = key[2];
  let v3 = key[3];
  for (let round = 0; round < 3; round++) {
    const word = round === 0 ? position0 : round === 1 ? position1 : tag;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v2 = (v2 + v3) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (((v0 << 16) | (v0 >>> 16)) + v3) | 0;
    v2 = (v2 + v1) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}

/**
 * Adds `sign` times the digest of the last mixed name with this head to sum[0] and sum[1].
 * @hot
 * @param sign 1 or -1
 */
export function addHead(digest0: number, digest1: number, sign: number, sum: Int32Array): void {
  let v0 = state[0];
  let v1 = state[1];
  let v2 = state[2];
  let v3 = state[3];
  // Two rounds take a word each, the four that close take none. The round stands here once more: its
  // four words live in locals, and a function that changed them would have to keep them in memory.
  for (let round = 0; round < 6; round++) {
    const word = round === 0 ? digest0 : round === 1 ? digest1 : 0;
    if (round === 2) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v2 = (v2 + v3) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (((v0 << 16) | (v0 >>> 16)) + v3) | 0;
    v2 = (v2 + v1) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  sum[0] += Math.imul(sign, v0 ^ v2);
  sum[1] += Math.imul(sign, v1 ^ v3);
}
