/**
 * A place on the ring, finer than a name's position: where a listing of keys goes on.
 *
 *   position0  position1  tag        order
 *   └─ order of the index ─┘         crc32c of the name, for names that share all three
 *
 * Places are compared word by word, most significant first. Two names in one place would have to be
 * contrived three times over; a page never ends between them.
 */

import { readU32, writeU32 } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";

export interface RingPlace {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
  readonly order: number;
}

export const PLACE_BYTES = 16;
const WORD_MAX = 0xffffffff;

/** Negative, 0 or positive as `left` lies before, in or behind `right`. */
export function comparePlaces(left: RingPlace, right: RingPlace): number {
  return left.position0 - right.position0 || left.position1 - right.position1 ||
    left.tag - right.tag || left.order - right.order;
}

/** The last word of the place of a name. */
export function orderOf(name: Uint8Array): number {
  return crc32c(name, 0, name.length) >>> 0;
}

/** The last place of all names whose first position word is `position0`. */
export function lastPlaceOf(position0: number): RingPlace {
  return { position0, position1: WORD_MAX, tag: WORD_MAX, order: WORD_MAX };
}

export function writePlace(place: RingPlace, target: Uint8Array, offset: number): void {
  writeU32(target, offset, place.position0);
  writeU32(target, offset + 4, place.position1);
  writeU32(target, offset + 8, place.tag);
  writeU32(target, offset + 12, place.order);
}

export function readPlace(bytes: Uint8Array, offset: number): RingPlace {
  return {
    position0: readU32(bytes, offset),
    position1: readU32(bytes, offset + 4),
    tag: readU32(bytes, offset + 8),
    order: readU32(bytes, offset + 12),
  };
}
