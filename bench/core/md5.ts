/**
 * What does one name's hash cost?
 *
 * Every request begins with MD5 of its name. 16 bytes are a short name, one block as nearly all
 * names; "10 to 40 bytes" is the same with lengths that no branch predictor knows; 4 KiB is a name
 * about as long as may be, and a chunk. Many names at once are what a scan or a bulk load has.
 * References: Bun.MD5 into a given array, node:crypto in both of its forms, @noble/hashes.
 */

import { createHash, hash } from "node:crypto";
import { md5 } from "@noble/hashes/legacy.js";
import { md5BatchInto } from "../../core/md5-batch.ts";
import { md5Into } from "../../core/md5.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task, type Work } from "../question.ts";

/** A power of two: works take one after the other. */
const NAMES = 1024;

const random = new SeededRandom(1);
const digest = new Uint8Array(16);
const words = new Uint32Array(4);

function namesOf(shortest: number, longest: number): Uint8Array[] {
  return Array.from({ length: NAMES }, () => {
    const name = new Uint8Array(shortest + random.below(longest - shortest + 1));
    random.fill(name);
    return name;
  });
}

function single(title: string, names: readonly Uint8Array[]): Task {
  let taken = 0;
  const take = (): Uint8Array => {
    taken = (taken + 1) % NAMES;
    return names[taken];
  };
  const works = [
    {
      name: "md5Into",
      run() {
        const name = take();
        md5Into(name, 0, name.length, words, 0);
        keep(words[0]);
      },
    },
    typeof Bun === "undefined" ? null : {
      name: "Bun.MD5.hash into an array",
      isReference: true,
      run() {
        Bun.MD5.hash(take(), digest);
        keep(digest[0]);
      },
    },
    // Newer than Node 20.
    typeof hash !== "function" ? null : {
      name: "node:crypto hash",
      isReference: true,
      run: () => keep(hash("md5", take(), "buffer")[0]),
    },
    {
      name: "node:crypto createHash",
      isReference: true,
      run: () => keep(createHash("md5").update(take()).digest()[0]),
    },
    { name: "@noble/hashes", isReference: true, run: () => keep(md5(take())[0]) },
  ];
  return { title, works };
}

/** Names that lie one behind the other; figures are of one name. */
function many(title: string, names: readonly Uint8Array[]): Task {
  const offsets = new Uint32Array(NAMES + 1);
  names.forEach((name, index) => (offsets[index + 1] = offsets[index] + name.length));
  const bytes = new Uint8Array(offsets[NAMES]);
  names.forEach((name, index) => bytes.set(name, offsets[index]));
  const positions = new Uint32Array(4 * NAMES);
  const work = (name: string, hashAll: () => void): Work => ({
    name,
    operations: NAMES,
    isReference: name !== "md5BatchInto",
    run() {
      hashAll();
      keep(positions[0]);
    },
  });
  const works = [
    work("md5BatchInto", () => md5BatchInto(bytes, offsets, NAMES, positions)),
    work("md5Into, one by one", () => {
      for (let index = 0; index < NAMES; index++) {
        md5Into(bytes, offsets[index], offsets[index + 1], positions, 4 * index);
      }
    }),
  ];
  return { title, works };
}

await ask("What does one name's hash cost?", [
  single("16 bytes", namesOf(16, 16)),
  single("10 to 40 bytes", namesOf(10, 40)),
  single("4 KiB", namesOf(4096, 4096)),
  many("1,024 names of 16 bytes, each", namesOf(16, 16)),
  many("1,024 names of 10 to 40 bytes, each", namesOf(10, 40)),
]);
