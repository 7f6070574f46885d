/**
 * The values that simulated clients write: each says who wrote it, so that a read can be judged.
 *
 *   "sib/k4#118#…"             key, id of the write, then filler drawn from the id
 *   "cart/k1#231#7,19,231"     a cart: the items in it; an item is the id of the write that added
 *                              it
 *
 * A key of a simulation is ASCII without "#".
 */

import type { PayloadMeta } from "../../core/payload.ts";
import { SeededRandom } from "../random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const HASH = 0x23;

/** A value of `key` by write `id` with `fillerBytes` of noise. */
export function valueOf(key: string, id: number, fillerBytes: number): Uint8Array {
  const start = encoder.encode(`${key}#${id}#`);
  const body = new Uint8Array(start.length + fillerBytes);
  body.set(start);
  new SeededRandom(id).fill(body.subarray(start.length));
  return body;
}

/** A cart as write `id` leaves it. */
export function cartOf(key: string, id: number, items: ReadonlySet<number>): Uint8Array {
  return encoder.encode(`${key}#${id}#${[...items].sort((a, b) => a - b).join(",")}`);
}

/** The items of a cart's value. */
export function itemsOf(body: Uint8Array): number[] {
  const list = decoder.decode(body).split("#")[2] ?? "";
  return list === "" ? [] : list.split(",").map(Number);
}

/** The id of the write that a value claims to be; 0 where it claims none. */
export function idOfBody(body: Uint8Array): number {
  const first = body.indexOf(HASH);
  const second = body.indexOf(HASH, first + 1);
  if (first < 0 || second < 0 || second - first > 12) return 0;
  const id = Number(decoder.decode(body.subarray(first + 1, second)));
  return Number.isSafeInteger(id) && id > 0 ? id : 0;
}

/** The metadata that goes with the value of write `id`. */
export function metaOf(id: number): PayloadMeta {
  const meta: [string, string][] = id % 4 === 0 ? [["writer", `${id}`]] : [];
  return { contentType: `application/x-${id % 3}`, meta };
}

/** Whether metadata came back with the value that it was written with. */
export function isMetaOf(id: number, found: PayloadMeta): boolean {
  const wanted = metaOf(id);
  return found.contentType === wanted.contentType &&
    JSON.stringify(found.meta) === JSON.stringify(wanted.meta);
}
