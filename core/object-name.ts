/**
 * An object's name: `bucket/key` as bytes, and where MD5 puts it on the ring.
 *
 *   bytes     "cart/user-17"        opaque; the first slash ends the bucket
 *   position  MD5(bytes), 128 bits  four words, most significant first: word 0 picks the partition
 *   tag       two more hashes, 16 bits each, independent of MD5 and of each other:
 *
 *               31            16 15             0
 *             ┌─────────────────┬────────────────┐    the bucket's part picks the entries of one
 *             │ of the bucket   │ of the name    │    bucket out of an index that holds no names
 *             └─────────────────┴────────────────┘
 *
 * Position and tag tell names apart without reading them, in all but contrived cases (those are told
 * apart by reading them).
 *
 * Two names with one MD5 are two objects: nothing may identify a name by its position alone.
 */

import { BUCKET_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX } from "./limits.ts";
import { md5Into } from "./md5.ts";

const SLASH = 0x2f;
const FNV_START = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

export class ObjectName {
  readonly bytes: Uint8Array;
  readonly position0: number;
  readonly position1: number;
  readonly position2: number;
  readonly position3: number;
  readonly tag: number;

  /** REQUIRES: `bytes` is a well-formed name (checkName) and is never changed afterwards. */
  constructor(bytes: Uint8Array) {
    md5Into(bytes, 0, bytes.length, digest, 0);
    this.bytes = bytes;
    this.position0 = digest[0];
    this.position1 = digest[1];
    this.position2 = digest[2];
    this.position3 = digest[3];
    this.tag = nameTag(bytes);
  }

  /** Bytes of the bucket part. */
  get bucketLength(): number {
    return this.bytes.indexOf(SLASH);
  }

  equals(other: ObjectName): boolean {
    return (
      this.position0 === other.position0 &&
      this.tag === other.tag &&
      equalBytes(this.bytes, other.bytes)
    );
  }
}

/** MD5 of the name under construction; valid inside the constructor only. */
const digest = new Uint32Array(4);

/** "" where the bytes are a well-formed name, else what is wrong with them. @hot */
export function checkName(bytes: Uint8Array): "" | "bad-bucket" | "bad-key" | "key-too-long" {
  const slash = bytes.indexOf(SLASH);
  if (slash < 1 || slash > BUCKET_BYTES_MAX) return "bad-bucket";
  const keyLength = bytes.length - slash - 1;
  if (keyLength < 1) return "bad-key";
  if (keyLength > KEY_BYTES_MAX || bytes.length > NAME_BYTES_MAX) return "key-too-long";
  return "";
}

/**
 * FNV-1a with a final mix: independent of MD5, cheap, and good enough to tell colliding names apart.
 * The bucket's part is the hash of what was read up to the first slash.
 * @hot
 */
export function nameTag(bytes: Uint8Array): number {
  let hash = FNV_START;
  let bucket = -1;
  for (let index = 0; index < bytes.length; index++) {
    if (bucket < 0 && bytes[index] === SLASH) bucket = mixed(hash) & 0xffff;
    hash = Math.imul(hash ^ bytes[index], FNV_PRIME);
  }
  return ((bucket << 16) | (mixed(hash) & 0xffff)) >>> 0;
}

/** The upper half of the tags of all names in a bucket. @hot */
export function bucketTag(bucket: Uint8Array): number {
  let hash = FNV_START;
  for (let index = 0; index < bucket.length; index++) {
    hash = Math.imul(hash ^ bucket[index], FNV_PRIME);
  }
  return mixed(hash) & 0xffff;
}

/** The upper half of a tag. @hot */
export function bucketTagOf(tag: number): number {
  return tag >>> 16;
}

function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** @hot */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
