/**
 * CRC-32C (Castagnoli), the checksum of every record, payload and transfer chunk.
 *
 *   polynomial   0x1EDC6F41, reflected 0x82F63B78; all ones before, inverted after (RFC 3720, 12.1)
 *   8 bytes      at a step: table k holds the remainder of a byte that k zero bytes follow, so
 *                eight look-ups that do not wait for each other replace a chain of eight that do
 *
 * A checksum finds what disks and wires do by accident: each error within 32 bits in a row, and any
 * other but one in 2^32. It proves nothing against intent; a keyed MAC does (core/siphash).
 */

const POLYNOMIAL_REFLECTED = 0x82f63b78;
const SLICES = 8;
/** Table k at 256·k; signed words, so that no entry ever leaves 32-bit integer arithmetic. */
const tables = makeTables();

/**
 * The checksum of bytes[start, end), an unsigned 32-bit number.
 * @param seed the checksum of what comes before: crc32c(b, …, crc32c(a, …)) is that of a, then b
 * @hot
 */
export function crc32c(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let crc = ~seed;
  let offset = start;
  for (const last = end - SLICES; offset <= last; offset += SLICES) {
    crc = tables[1792 + ((crc ^ bytes[offset]) & 255)] ^
      tables[1536 + (((crc >>> 8) ^ bytes[offset + 1]) & 255)] ^
      tables[1280 + (((crc >>> 16) ^ bytes[offset + 2]) & 255)] ^
      tables[1024 + ((crc >>> 24) ^ bytes[offset + 3])] ^
      tables[768 + bytes[offset + 4]] ^
      tables[512 + bytes[offset + 5]] ^
      tables[256 + bytes[offset + 6]] ^
      tables[bytes[offset + 7]];
  }
  for (; offset < end; offset++) {
    crc = (crc >>> 8) ^ tables[(crc ^ bytes[offset]) & 255];
  }
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const words = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL_REFLECTED : 0);
    }
    words[byte] = crc;
  }
  for (let index = 256; index < words.length; index++) {
    const before = words[index - 256];
    words[index] = (before >>> 8) ^ words[before & 255];
  }
  return words;
}
