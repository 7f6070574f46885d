/**
 * Does a hot function allocate? On every runtime, without flags.
 *
 * The heap is read before and, a few times, during a million calls, and the largest growth counts: a
 * collection in between cannot hide what a quarter of a million calls left. One object of 16 bytes a
 * call would be megabytes; what is allowed (HEAP_NOISE_BYTES) is what reading the heap and compiling
 * hot code leave behind.
 *
 * Bun tells its heap's size only as of the last collection, but what is reserved for it grows with
 * each allocation: there, that is what is read.
 */

import process from "node:process";

/** Growth that says nothing: compiled code, the readings themselves. */
export const HEAP_NOISE_BYTES = 1 << 20;
const READINGS = 4;

/**
 * The most by which the heap grew during `calls` calls, in bytes.
 * @param run calls the function under test so many times
 */
export async function heapGrowth(run: (calls: number) => void, calls: number): Promise<number> {
  const heap = await heapGauge();
  run(calls >> 2);
  heap.read();
  heap.settle();
  const before = heap.read();
  let growth = 0;
  for (let reading = 0; reading < READINGS; reading++) {
    run(calls / READINGS);
    growth = Math.max(growth, heap.read() - before);
  }
  return growth;
}

interface HeapGauge {
  /** Gives back what earlier garbage reserved, where that would hide new allocations. */
  settle(): void;
  /** Bytes. */
  read(): number;
}

async function heapGauge(): Promise<HeapGauge> {
  if (process.versions.bun === undefined) {
    return { settle: () => undefined, read: () => process.memoryUsage().heapUsed };
  }
  const { gcAndSweep, heapStats } = await import("bun:jsc");
  return { settle: () => void gcAndSweep(), read: () => heapStats().heapCapacity };
}
