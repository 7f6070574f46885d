/**
 * What does it cost to seal a client's context?
 *
 * Every answer to a get carries a context with a keyed MAC, and every put that follows brings it
 * back: SipHash-2-4 under the cluster's key. 38 bytes are a context of one entry, 218 one of ten.
 * References: what one would take without thinking, HMAC-SHA-256 of node:crypto, and of
 * @noble/hashes, which is TypeScript as well.
 */

import { createHmac } from "node:crypto";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { SIPHASH_BYTES, SIPHASH_KEY_BYTES, siphashInto } from "../../core/siphash.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const random = new SeededRandom(1);
const key = new Uint8Array(SIPHASH_KEY_BYTES);
const tag = new Uint8Array(SIPHASH_BYTES);
random.fill(key);

function sealing(title: string, length: number): Task {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  const works = [
    {
      name: "siphashInto",
      run() {
        bytes[0]++;
        siphashInto(key, bytes, 0, length, tag, 0);
        keep(tag[0]);
      },
    },
    {
      name: "node:crypto HMAC-SHA-256",
      isReference: true,
      run() {
        bytes[0]++;
        keep(createHmac("sha256", key).update(bytes).digest()[0]);
      },
    },
    {
      name: "@noble/hashes HMAC-SHA-256",
      isReference: true,
      run() {
        bytes[0]++;
        keep(hmac(sha256, key, bytes)[0]);
      },
    },
  ];
  return { title, works };
}

await ask("What does it cost to seal a client's context?", [
  sealing("context of 1 entry, 38 bytes", 38),
  sealing("context of 10 entries, 218 bytes", 218),
]);
