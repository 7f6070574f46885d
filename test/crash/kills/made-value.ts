/**
 * Values that can be told from each other and checked to the byte: made from their number and length.
 * Their bytes are a stretch of one noise, so that a megabyte costs a copy; the number stands in the
 * first ones, and travels as metadata beside a value too short for it.
 */

import { SeededRandom } from "../../random.ts";

export const VALUE_BYTES_MAX = 1 << 20;
const NOISE_BYTES = 2 * VALUE_BYTES_MAX;
const STRIDE = 7919;

let noise: Uint8Array | null = null;

function theNoise(): Uint8Array {
  if (noise !== null) return noise;
  noise = new Uint8Array(NOISE_BYTES);
  new SeededRandom(5).fill(noise);
  return noise;
}

/** The value of this number and length. */
export function madeValue(id: number, length: number): Uint8Array {
  const start = (id * STRIDE) % (NOISE_BYTES - length);
  const value = theNoise().slice(start, start + length);
  for (let byte = 0; byte < 4 && byte < length; byte++) value[byte] = (id >>> (8 * byte)) & 255;
  return value;
}

/** Whether these bytes are that value. */
export function isMadeValue(bytes: Uint8Array, id: number, length: number): boolean {
  if (bytes.length !== length) return false;
  return Buffer.compare(bytes, madeValue(id, length)) === 0;
}

/** Most values are small; one in twenty is some KiB, one in a hundred up to 1 MiB. */
export function drawLength(random: SeededRandom): number {
  const draw = random.below(100);
  if (draw === 0) return 1 + random.below(VALUE_BYTES_MAX >> random.below(5));
  if (draw < 6) return 1 + random.below(16 << 10);
  return 1 + random.below(800);
}
