/**
 * Bytes per call on every runtime: nothing is nothing, and what is known to allocate is found, also
 * where it lies outside of the collected heap.
 */

import { bytesPerCall } from "../../bench/allocation.ts";
import type { Case } from "../suite.ts";

/** Calls until a function is compiled: code that is interpreted puts numbers on the heap. */
const WARM_UP_CALLS = 20_000;
const BUFFER_BYTES = 4096;

let kept: unknown = null;
const counts = new Uint32Array(1);

async function measured(run: () => void): Promise<number> {
  for (let call = 0; call < WARM_UP_CALLS; call++) run();
  return bytesPerCall(run);
}

export const suite: readonly Case[] = [
  {
    name: "bytesPerCall() finds nothing where nothing is allocated",
    async run(check) {
      const bytes = await measured(() => void counts[0]++);
      check.ok(bytes < 0.5, `${bytes} bytes`);
    },
  },
  {
    name: "bytesPerCall() finds a small object",
    async run(check) {
      const bytes = await measured(() => {
        kept = { count: counts[0]++, before: kept === null };
      });
      check.ok(bytes >= 16 && bytes <= 64, `${bytes} bytes for an object of two fields`);
    },
  },
  {
    name: "bytesPerCall() finds a buffer outside of the heap",
    async run(check) {
      const bytes = await measured(() => {
        kept = new Uint8Array(BUFFER_BYTES);
      });
      // Bun's gauge goes in blocks, and a buffer has an object beside it.
      const isNear = bytes >= 0.75 * BUFFER_BYTES && bytes <= 1.5 * BUFFER_BYTES;
      check.ok(isNear, `${bytes} bytes for a buffer of ${BUFFER_BYTES}`);
    },
  },
];
