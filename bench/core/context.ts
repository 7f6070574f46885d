/**
 * What does it cost to make a context, and to open one?
 *
 * Every answer to a get carries a context, every put that follows brings it back: the clock and a
 * keyed MAC over it, as text. One entry is the context of most objects; ten is where truncation sets
 * in. The reference is what one would write without thinking: the same bytes with HMAC-SHA-256 of
 * node:crypto, through a Buffer to base64url and back.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import {
  contextLengthMax,
  contextToText,
  CONTEXT_BYTES_MAX,
  decodeContext,
  encodeContextInto,
} from "../../core/context.ts";
import { SIPHASH_KEY_BYTES } from "../../core/siphash.ts";
import { ENTRY_BYTES, PAIR, writeEntry } from "../../core/clock-entry.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const STAMP_MS = 1_795_000_000_000;
const MAC_BYTES = 8;

const key = new Uint8Array(SIPHASH_KEY_BYTES);
new SeededRandom(1).fill(key);
const name = new TextEncoder().encode("cart/user-100017");
const reader = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const bytes = new Uint8Array(CONTEXT_BYTES_MAX);

function clockOf(count: number): Uint8Array {
  const clock = new Uint8Array(count * ENTRY_BYTES);
  for (let index = 0; index < count; index++) {
    const actor = Uint8Array.of(index, 1, 2, 3, 4, 5, 6, 7);
    writeEntry(clock, index * ENTRY_BYTES, actor, 0, 100 + index, PAIR, STAMP_MS, 0);
  }
  return clock;
}

function seal(clock: Uint8Array, count: number): string {
  const length = encodeContextInto(clock, 0, count, clock, 0, 0, reader, key, name, bytes, 0);
  return contextToText(bytes, 0, length);
}

function hmacOf(context: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(name).update(context).digest().subarray(0, MAC_BYTES);
}

function sealByReference(clock: Uint8Array): string {
  const context = Buffer.concat([reader, clock]);
  return Buffer.concat([context, hmacOf(context)]).toString("base64url");
}

function openByReference(text: string): number {
  const sealed = Buffer.from(text, "base64url");
  const context = sealed.subarray(0, -MAC_BYTES);
  return timingSafeEqual(hmacOf(context), sealed.subarray(-MAC_BYTES)) ? context.length : -1;
}

function sealing(count: number, title: string): Task {
  const clock = clockOf(count);
  const works = [
    { name: "encodeContextInto, contextToText", run: () => keep(seal(clock, count).length) },
    {
      name: "HMAC-SHA-256 and Buffer",
      isReference: true,
      run: () => keep(sealByReference(clock).length),
    },
  ];
  return { title: `make, ${title}`, works };
}

function opening(count: number, title: string): Task {
  const text = seal(clockOf(count), count);
  const otherText = sealByReference(clockOf(count));
  const works = [
    { name: "decodeContext", run: () => keep(decodeContext(text, key, name, bytes)) },
    {
      name: "HMAC-SHA-256 and Buffer",
      isReference: true,
      run: () => keep(openByReference(otherText)),
    },
  ];
  return { title: `open, ${title}`, works };
}

await ask("What does it cost to make a context, and to open one?", [
  sealing(1, `1 entry, ${contextLengthMax(1)} bytes`),
  opening(1, `1 entry, ${contextLengthMax(1)} bytes`),
  sealing(10, `10 entries, ${contextLengthMax(10)} bytes`),
  opening(10, `10 entries, ${contextLengthMax(10)} bytes`),
]);
