/**
 * How many bytes does one call allocate? Measured on the heap, on every runtime, without flags.
 *
 *   heap  ┤            ╭╴           A gauge is read, the function is called some thousand times, the
 *         ┤   ╭╴ ╭╴ ╭╴ │ ╭╴         gauge is read again: a window. A collection makes a window small
 *         ┤╭╴╭╯╭╴╯╭╯╭──╯╭╯          or negative, compiled code makes one large; what the upper
 *         ┤╯ ╯ ╯  ╯ ╯   ╯           quartile of the windows grew by is what the calls took.
 *         └─────────────────►
 *
 *   Node, Deno   bytes in use on the heap and in array buffers
 *   Bun          what the collector has reserved, in blocks of 16 KiB, and all bytes ever asked of
 *                the allocator for anything but such blocks (buffers lie there); a full sweep before
 *                gives back what earlier garbage reserved
 *
 * What the readings take themselves is measured and taken off, and less than the gauge can tell in a
 * window (on Bun: a block) counts as nothing. Bun's figures are good to a tenth or so. Where one call
 * allocates a megabyte they are rough everywhere: collections fall into it, and Bun counts large
 * plain arrays on both sides. The tests that hot functions allocate nothing are stricter and run
 * longer (test/heap-growth.ts).
 */

import process from "node:process";
import { medianOf } from "./median.ts";

const WINDOWS = 9;
/** A window is long enough when it takes so much: some of Bun's blocks, well under a collection. */
const WINDOW_BYTES = 1 << 18;
const WINDOW_MS_MAX = 20;
const WINDOW_CALLS_MAX = 1 << 16;
const COLLECTOR_BLOCK_BYTES = 1 << 14;
/** What a reading on Node and Deno may differ by from the next. */
const READING_BYTES = 1 << 10;

interface Gauge {
  /** Growth below this, in bytes, says nothing. */
  readonly resolution: number;
  settle(): void;
  /** Bytes; only differences mean anything. */
  read(): number;
}

/** Bytes that a call of `run` allocates. REQUIRES: `run` has been called often. */
export async function bytesPerCall(run: () => void): Promise<number> {
  const gauge = await openGauge();
  const calls = windowCalls(gauge, run);
  gauge.settle();
  const own = typicalGrowth(gauge, run, 0);
  const growth = typicalGrowth(gauge, run, calls) - own;
  return growth < gauge.resolution ? 0 : growth / calls;
}

/** Doubles until a window is long enough for the gauge, in bytes, time or calls. */
function windowCalls(gauge: Gauge, run: () => void): number {
  gauge.settle();
  for (let calls = 1; calls < WINDOW_CALLS_MAX; calls *= 2) {
    const growths: number[] = [];
    let fastestMs = Infinity;
    for (let window = 0; window < 3; window++) {
      const start = performance.now();
      growths.push(growthOver(gauge, run, calls));
      fastestMs = Math.min(fastestMs, performance.now() - start);
    }
    if (medianOf(growths) > WINDOW_BYTES || fastestMs > WINDOW_MS_MAX) return calls;
  }
  return WINDOW_CALLS_MAX;
}

/** The upper quartile: collections shorten some windows, rarely does compiled code lengthen two. */
function typicalGrowth(gauge: Gauge, run: () => void, calls: number): number {
  const growths = Array.from({ length: WINDOWS }, () => growthOver(gauge, run, calls));
  growths.sort((left, right) => left - right);
  // Whole collections fit into a single call that allocates megabytes; the best window has fewest.
  return calls === 1 ? growths[WINDOWS - 1] : growths[WINDOWS - 1 - (WINDOWS >> 2)];
}

function growthOver(gauge: Gauge, run: () => void, calls: number): number {
  const before = gauge.read();
  for (let call = 0; call < calls; call++) run();
  return gauge.read() - before;
}

async function openGauge(): Promise<Gauge> {
  if (process.versions.bun === undefined) {
    return {
      resolution: READING_BYTES,
      settle: () => undefined,
      read() {
        const { heapUsed, external } = process.memoryUsage();
        return heapUsed + external;
      },
    };
  }
  const { gcAndSweep, heapStats } = await import("bun:jsc");
  return {
    resolution: COLLECTOR_BLOCK_BYTES,
    settle: () => void gcAndSweep(),
    read() {
      // The allocator's counters are newer than the types that describe this object.
      const stats: BunHeap = heapStats();
      return stats.heapCapacity - stats.extraMemorySize + bytesOutsideBlocks(stats);
    },
  };
}

interface BunHeap {
  readonly heapCapacity: number;
  /** Buffers that the collector knows of: part of its capacity, though the allocator's. */
  readonly extraMemorySize: number;
  readonly mimalloc?: {
    readonly malloc_requested: number;
    readonly malloc_bins: readonly { readonly block_size: number; readonly total: number }[];
  };
}

function bytesOutsideBlocks({ mimalloc }: BunHeap): number {
  if (mimalloc === undefined) return 0;
  const blocks = mimalloc.malloc_bins.find((bin) => bin.block_size === COLLECTOR_BLOCK_BYTES);
  return mimalloc.malloc_requested - COLLECTOR_BLOCK_BYTES * (blocks?.total ?? 0);
}
