/**
 * What does it cost to find a name's place, and to read it from a URL? One core, no I/O.
 *
 *   bun bench/names.ts        deno run -A bench/names.ts
 *
 *   name → preference list    a 16-byte name through MD5 to its row of the ring; wanted is at most
 *                             1.25 × the runtime's own MD5 into a given array
 *   URL → name                what an HTTP request pays on top: path to bytes, position, tag
 *
 * Alternatives alternate for five rounds and medians are compared; the checksum shows that the work
 * was done.
 */

import { measure } from "mitata";
import { assign, preferenceLists } from "../core/placement.ts";
import { Ring } from "../core/ring.ts";
import { pathStart, readTarget } from "../server/http/target.ts";

const ROUNDS = 5;
const NAMES = 1024;
const PARTITION_BITS = 10;

const encoder = new TextEncoder();
const texts = Array.from({ length: NAMES }, (_, index) => `cart/user-${100_000 + index}`);
const names = texts.map((text) => encoder.encode(text));
const urls = texts.map((text) => `http://127.0.0.1:7070/kv/${text}?r=2`);
const ring = makeRing();
const digest = new Uint8Array(16);
let next = 0;
let checksum = 0;

function makeRing(): Ring {
  const nodes = Array.from({ length: 6 }, (_, index) => ({
    id: String(index),
    capacity: 1,
    zone: "one",
  }));
  const layout = assign({ partitionBits: PARTITION_BITS, replicas: 3, nodes });
  return new Ring(PARTITION_BITS, preferenceLists(layout));
}

/** A name, another one each time. */
function take(): number {
  next = (next + 1) & (NAMES - 1);
  return next;
}

type Work = () => void;

const works: [string, Work][] = [
  ["name → preference list", () => {
    checksum ^= ring.rowOfName(names[take()], 0, 16);
  }],
  ["URL → name", () => {
    const url = urls[take()];
    checksum ^= readTarget(url, pathStart(url) + 4).name?.tag ?? 0;
  }],
];
// The yardstick exists on Bun alone; elsewhere the figures stand for themselves.
if (typeof Bun !== "undefined") {
  works.unshift(["Bun.MD5.hash(name, out)", () => {
    Bun.MD5.hash(names[take()], digest);
    checksum ^= digest[0];
  }]);
}

function medianOf(values: number[]): number {
  return values.sort((left, right) => left - right)[values.length >> 1];
}

const samples = works.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, [, work]] of works.entries()) samples[index].push((await measure(work)).p50);
}
const medians = samples.map(medianOf);
for (const [index, [name]] of works.entries()) {
  const relative = (medians[index] / medians[0]).toFixed(2);
  console.log(
    `${name.padEnd(26)} ${medians[index].toFixed(0).padStart(6)} ns   ${relative} × ${works[0][0]}`,
  );
}
console.log(`checksum ${checksum}`);
