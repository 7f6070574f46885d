/** Cursors of listings: what was given out is understood, for that listing alone, and nothing else is. */

import { decodeCursor, encodeCursor } from "../../core/listing-cursor.ts";
import { BUCKET_BYTES_MAX, CONTEXT_CHARS_MAX, KEY_BYTES_MAX } from "../../core/limits.ts";
import { comparePlaces, lastPlaceOf, type RingPlace } from "../../core/ring-place.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";
import { randomBytes } from "./wire-sets.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
const OTHER_KEY = KEY.map((byte) => byte ^ 1);
const PLACE: RingPlace = { position0: 0x89abcdef, position1: 0xffffffff, tag: 7, order: 0x80000000 };
const encoder = new TextEncoder();
const BUCKET = encoder.encode("cart");
const PREFIX = encoder.encode("user-");
const NOTHING = new Uint8Array(0);

export const suite: Case[] = [
  {
    name: "decodeCursor() gives the place back that encodeCursor() took, at the limits as well",
    run(check) {
      const random = new SeededRandom(1);
      const longest = [randomBytes(random, BUCKET_BYTES_MAX), randomBytes(random, KEY_BYTES_MAX)] as const;
      for (const [bucket, prefix] of [[BUCKET, NOTHING], [BUCKET, PREFIX], longest] as const) {
        const text = encodeCursor(PLACE, KEY, bucket, prefix);
        check.ok(/^[A-Za-z0-9_-]{38}$/.test(text), `printable: ${text}`);
        check.same(decodeCursor(text, KEY, bucket, prefix), PLACE, "the place");
      }
    },
  },
  {
    name: "a cursor of another bucket, prefix or cluster is none",
    run(check) {
      const text = encodeCursor(PLACE, KEY, BUCKET, PREFIX);
      check.equal(decodeCursor(text, KEY, encoder.encode("cars"), PREFIX), null, "another bucket");
      check.equal(decodeCursor(text, KEY, BUCKET, NOTHING), null, "no prefix");
      check.equal(decodeCursor(text, KEY, encoder.encode("cartu"), encoder.encode("ser-")), null, "moved");
      check.equal(decodeCursor(text, OTHER_KEY, BUCKET, PREFIX), null, "another cluster");
    },
  },
  {
    name: "no change of a single letter, no cut and no addition makes another cursor",
    run(check) {
      const text = encodeCursor(PLACE, KEY, BUCKET, PREFIX);
      for (let index = 0; index < text.length; index++) {
        const other = text[index] === "A" ? "B" : "A";
        const changed = text.slice(0, index) + other + text.slice(index + 1);
        check.equal(decodeCursor(changed, KEY, BUCKET, PREFIX), null, `letter ${index}`);
        check.equal(decodeCursor(text.slice(0, index), KEY, BUCKET, PREFIX), null, `${index} letters`);
      }
      for (const more of ["A", "=", "AAAA", "A".repeat(CONTEXT_CHARS_MAX)]) {
        check.equal(decodeCursor(text + more, KEY, BUCKET, PREFIX), null, "more letters");
      }
      check.equal(decodeCursor("ä".repeat(38), KEY, BUCKET, PREFIX), null, "other characters");
    },
  },
  {
    name: "comparePlaces() goes by position, tag and order, unsigned",
    run(check) {
      const places: RingPlace[] = [
        { position0: 0, position1: 0, tag: 0, order: 0 },
        { position0: 1, position1: 0, tag: 9, order: 9 },
        { position0: 1, position1: 2, tag: 0, order: 0x80000000 },
        { position0: 1, position1: 2, tag: 0x80000000, order: 0 },
        lastPlaceOf(1),
        { position0: 0x80000000, position1: 0, tag: 0, order: 0 },
      ];
      for (let left = 0; left < places.length; left++) {
        for (let right = 0; right < places.length; right++) {
          const order = Math.sign(comparePlaces(places[left], places[right]));
          check.equal(order, Math.sign(left - right), `${left} and ${right}`);
        }
      }
    },
  },
];
