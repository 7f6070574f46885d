/**
 * The question: does memory stay bounded however many large values are in flight?
 *
 * COUNT values of BYTES each (64 of 64 MiB unless said otherwise) are put at the same time through the
 * nodes of one cluster of three, then read at the same time, each with its SHA-256 compared. Printed are
 * the MB a second of both, and for each node its resident memory before, and the most it had (VmHWM of
 * /proc, which the kernel keeps). Values are made as they are sent and hashed as they come: the bench
 * holds none either. Run with `node_modules/.bin/bun bench/large-values.ts [COUNT] [BYTES]` after `make build`;
 * `--smoke` instead: four values of 2 MiB and a bit, to see that it runs.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Child, Children, ROOT } from "./children.ts";
import { HALO, type HaloNode, startHalo } from "./halo.ts";

const PIECE_BYTES = 256 << 10;

/** The bytes of a value: a counter in each word, so that no two pieces are equal. */
function pieceOf(value: number, piece: number, length: number): Uint8Array {
  const words = new Uint32Array(PIECE_BYTES / 4);
  for (let word = 0; word < words.length; word++) words[word] = (value << 24) ^ (piece << 14) ^ word;
  return new Uint8Array(words.buffer).subarray(0, length);
}

function bodyOf(value: number, bytes: number, hash: ReturnType<typeof createHash>): ReadableStream {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes) return controller.close();
      const piece = pieceOf(value, at / PIECE_BYTES, Math.min(PIECE_BYTES, bytes - at));
      hash.update(piece);
      at += piece.length;
      return controller.enqueue(piece);
    },
  }, { highWaterMark: 0 });
}

async function put(node: HaloNode, value: number, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const answer = await fetch(`${node.url}/kv/large/${value}?timeout=60000`, {
    method: "PUT",
    body: bodyOf(value, bytes, hash),
  });
  if (answer.status !== 204) throw new Error(`put ${value}: ${answer.status} ${await answer.text()}`);
  return hash.digest("hex");
}

async function get(node: HaloNode, value: number): Promise<string> {
  const answer = await fetch(`${node.url}/kv/large/${value}?timeout=60000`);
  if (answer.status !== 200 || answer.body === null) {
    throw new Error(`get ${value}: ${answer.status} ${await answer.text()}`);
  }
  const hash = createHash("sha256");
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value: chunk } = await reader.read();
    if (done) return hash.digest("hex");
    hash.update(chunk);
  }
}

/** A figure of /proc/PID/status in MiB. */
function memoryMiB(child: Child, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024);
}

async function main(count: number, bytes: number): Promise<boolean> {
  const children = new Children(join(ROOT, "build/bench"));
  try {
    process.env["HALO_MAX_VALUE_BYTES"] = String(64 << 20);
    const cluster = await startHalo(children, { binary: HALO, prefix: "large", count: 3 });
    const idle = cluster.running.map((child) => memoryMiB(child, "VmRSS"));
    const values = Array.from({ length: count }, (_, value) => value);
    const nodeOf = (value: number): HaloNode => cluster.nodes[value % 3];
    const megabytes = (count * bytes) / 1e6;
    const putFrom = performance.now();
    const written = await Promise.all(values.map((value) => put(nodeOf(value), value, bytes)));
    const putSeconds = (performance.now() - putFrom) / 1000;
    const peaksOfPuts = cluster.running.map((child) => memoryMiB(child, "VmHWM"));
    const getFrom = performance.now();
    const read = await Promise.all(values.map((value) => get(nodeOf(value + 1), value)));
    const getSeconds = (performance.now() - getFrom) / 1000;
    const wrong = values.filter((value) => written[value] !== read[value]).length;
    console.log(`${count} values of ${bytes} bytes at once, 3 nodes, N=3`);
    console.log(`put  ${putSeconds.toFixed(1)} s  ${(megabytes / putSeconds).toFixed(0)} MB/s of values`);
    console.log(`get  ${getSeconds.toFixed(1)} s  ${(megabytes / getSeconds).toFixed(0)} MB/s`);
    cluster.running.forEach((child, index) => {
      const peak = memoryMiB(child, "VmHWM");
      const above = `${peaksOfPuts[index] - idle[index]} in the puts, ${peak - idle[index]} in all`;
      console.log(`${child.name}  idle ${idle[index]} MiB, most ${peak} MiB; above idle: ${above}`);
    });
    console.log(wrong === 0 ? "every value has its SHA-256" : `${wrong} values are WRONG`);
    return wrong === 0;
  } finally {
    await children.end();
  }
}

const SMOKE = ["4", String((2 << 20) + 17)];

const given = process.argv.slice(2);
const [count = "64", bytes = String(64 << 20)] = given[0] === "--smoke" ? SMOKE : given;
process.exit((await main(Number(count), Number(bytes))) ? 0 : 1);
