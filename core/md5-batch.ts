/**
 * MD5 of many names: eight at once where the runtime has vectors, one by one where it has not.
 *
 *   names ──► columns of words, eight at a time ──► wasm/md5-lanes ──► positions
 *         └── longer than one block: one by one, md5
 *
 * One name's hash is a chain of 64 steps that leaves most of the processor idle; names that do not
 * wait for each other fill it. A name of 16 bytes takes 32 ns on Bun where `md5Into` takes 82;
 * copying names into the kernel's memory and positions out of it is 9 of them (bench/core/md5,
 * November 2026).
 *
 * Invariants: the same words as `md5Into` for each name, on every path. Nothing here allocates
 * after the module is loaded.
 */

import { md5Into, SINGLE_BLOCK_BYTES_MAX } from "./md5.ts";
import { BLOCK_WORDS, DIGEST_WORDS, LANES, md5LanesModule } from "./wasm/md5-lanes.ts";

/** The block words that hold a name; the two behind them hold its length in bits. */
const NAME_WORDS = 14;

/** A running kernel and the words of its memory. */
interface Kernel {
  /** Rows of LANES words, as wasm/md5-lanes draws them; valid within one call of `hashLanes`. */
  readonly blocks: Int32Array;
  readonly digests: Int32Array;
  readonly run: () => void;
}

/** null where the runtime has no WebAssembly, or no vectors in it. */
const kernel = startKernel();

/** Which name lies in a lane; valid within one call of `md5BatchInto`. */
const names = new Uint32Array(LANES);

/**
 * Writes the MD5 of many names that lie one behind the other: name i is
 * `input[offsets[i], offsets[i + 1])` and its four words, as `md5Into` writes them, go to
 * `target[4 i]`.
 * @hot
 * @param offsets `count` + 1 rising offsets into `input`
 */
export function md5BatchInto(
  input: Uint8Array,
  offsets: Uint32Array,
  count: number,
  target: Uint32Array,
): void {
  let lanes = 0;
  for (let name = 0; name < count; name++) {
    const start = offsets[name];
    const end = offsets[name + 1];
    if (kernel === null || end - start > SINGLE_BLOCK_BYTES_MAX) {
      md5Into(input, start, end, target, name * DIGEST_WORDS);
      continue;
    }
    fillColumn(kernel.blocks, lanes, input, start, end);
    names[lanes++] = name;
    if (lanes < LANES) continue;
    hashLanes(kernel, lanes, target);
    lanes = 0;
  }
  // One that is left over would pay for eight; what the other lanes still hold does not matter.
  if (kernel !== null && lanes > 1) hashLanes(kernel, lanes, target);
  else if (lanes === 1) {
    md5Into(input, offsets[names[0]], offsets[names[0] + 1], target, names[0] * DIGEST_WORDS);
  }
}

/** A name of one block with its padding (RFC 1321, 3.1 and 3.2), into its lane of every row. */
function fillColumn(
  blocks: Int32Array,
  lane: number,
  input: Uint8Array,
  start: number,
  end: number,
): void {
  const lengthAt = NAME_WORDS * LANES + lane;
  let offset = start;
  let at = lane;
  for (; offset + 4 <= end; offset += 4) {
    blocks[at] =
      input[offset] |
      (input[offset + 1] << 8) |
      (input[offset + 2] << 16) |
      (input[offset + 3] << 24);
    at += LANES;
  }
  let last = 0x80;
  for (let rest = end - 1; rest >= offset; rest--) last = (last << 8) | input[rest];
  blocks[at] = last;
  for (at += LANES; at < lengthAt; at += LANES) blocks[at] = 0;
  blocks[lengthAt] = (end - start) << 3;
}

function hashLanes({ run, digests }: Kernel, lanes: number, target: Uint32Array): void {
  run();
  for (let lane = 0; lane < lanes; lane++) {
    const at = names[lane] * DIGEST_WORDS;
    target[at] = digests[lane];
    target[at + 1] = digests[LANES + lane];
    target[at + 2] = digests[2 * LANES + lane];
    target[at + 3] = digests[3 * LANES + lane];
  }
}

function startKernel(): Kernel | null {
  if (typeof WebAssembly === "undefined") return null;
  const bytes = md5LanesModule();
  if (!WebAssembly.validate(bytes)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { memory, run } = exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof run !== "function") return null;
  return {
    blocks: new Int32Array(memory.buffer, 0, BLOCK_WORDS * LANES),
    digests: new Int32Array(memory.buffer, 4 * BLOCK_WORDS * LANES, DIGEST_WORDS * LANES),
    // The module is ours: its one function has neither parameters nor results.
    run: run as () => void,
  };
}
