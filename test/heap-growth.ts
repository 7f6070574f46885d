/**
 * Does a hot function allocate? On every runtime, without flags.
 *
 * The heap is read before and now and then during many calls, and each rise since the reading before
 * counts. One object of 16 bytes a call would be most of a megabyte; what is allowed (HEAP_NOISE_BYTES)
 * is what reading the heap and compiling hot code leave behind.
 *
 *   Node, Deno   bytes in use: they rise and fall with collections, as often as every megabyte, so
 *                they are read often, and a fall hides but the rise of one interval
 *   Bun          tells its bytes in use only as of the last collection, but what it has reserved
 *                grows with allocation: that is read, after a full sweep, and seldom, since reading
 *                it takes some kilobytes itself
 */

import process from "node:process";
import type { Check } from "./suite.ts";

/** Growth that says nothing: compiled code, the readings themselves. */
export const HEAP_NOISE_BYTES = 1 << 18;

/**
 * By how much the heap rose during `calls` calls, in bytes, falls left out.
 * @param run calls the function under test so many times
 */
export async function heapGrowth(run: (calls: number) => void, calls: number): Promise<number> {
  const heap = await heapGauge();
  run(calls >> 2);
  heap.read();
  heap.settle();
  let last = heap.read();
  let growth = 0;
  for (let reading = 0; reading < heap.readings; reading++) {
    run(calls / heap.readings);
    const now = heap.read();
    growth += Math.max(0, now - last);
    last = now;
  }
  return growth;
}

/** Times that a function is given to come to rest. */
const ATTEMPTS = 20;
const PAUSE_MS = 20;

/**
 * The growth once the function is compiled: the least of several attempts, since on a busy machine the
 * compiler may come a million calls late, and code that is still interpreted puts large numbers on the
 * heap. A function that allocates does so in each attempt.
 */
export async function steadyHeapGrowth(
  run: (calls: number) => void,
  calls: number,
): Promise<number> {
  let least = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS && least > HEAP_NOISE_BYTES; attempt++) {
    if (attempt > 0) await new Promise((resume) => setTimeout(resume, PAUSE_MS));
    least = Math.min(least, await heapGrowth(run, calls));
  }
  return least;
}

/** Checks that HOT_CALLS calls allocate nothing. @param run one call; its number makes it differ */
export async function allocatesNothing(
  check: Check,
  name: string,
  run: (call: number) => void,
): Promise<void> {
  const growth = await steadyHeapGrowth((calls) => {
    for (let call = 0; call < calls; call++) run(call);
  }, HOT_CALLS);
  check.ok(growth <= HEAP_NOISE_BYTES, `${name}: the heap grew by ${growth} bytes`);
}

/** So many that an object of 16 bytes a call is three times the noise. */
export const HOT_CALLS = 50_000;

interface HeapGauge {
  readonly readings: number;
  /** Gives back what earlier garbage reserved, where that would hide new allocations. */
  settle(): void;
  /** Bytes. */
  read(): number;
}

async function heapGauge(): Promise<HeapGauge> {
  if (process.versions.bun === undefined) {
    const read = () => process.memoryUsage().heapUsed;
    return { readings: 20, settle: () => undefined, read };
  }
  const { gcAndSweep, heapStats } = await import("bun:jsc");
  return { readings: 4, settle: () => void gcAndSweep(), read: () => heapStats().heapCapacity };
}
