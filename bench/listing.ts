/**
 * What does it cost to list a bucket of a million keys while writes go on, and a small bucket beside it?
 *
 *   bun bench/listing.ts [--objects 1000000] [--rate 300] [--seconds 8] [--smoke]
 *
 * Three nodes of dist/halo on this machine, each with all objects (100 bytes) and a bucket of 100 keys,
 * written beside the running cluster: the log of one, copied to the others. Then puts at a fixed rate
 * (open loop, last write wins) into the same bucket: without a listing, with one that follows cursors as
 * fast as it is answered, and without again, so that drift shows. The listing is a process of its own; it
 * checks that each of the first keys came once. The small bucket is listed without load.
 *
 * Memory is by how much each node grew meanwhile, at most: some tens of MiB, the first node most, which makes the pages.
 * That is garbage between two collections, since JavaScriptCore lets a heap grow by a part of what it holds: a node that
 * was made to collect every 5 s held the same 18 MB after each of them, over 8,660 pages of 1,000 keys. A listing holds
 * one page, and of its way the runs of one round (test/server/coordination/listing-memory.test.ts).
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Children, ROOT } from "./children.ts";
import { fillLogs } from "./fill-logs.ts";
import { HALO, type HaloCluster, makeLwwBucket, startHalo } from "./halo.ts";
import { httpExchange } from "./load/http-exchange.ts";
import { type LoadResult, runLoad } from "./load/generator.ts";

const SMALL_KEYS = 100;
const CONNECTIONS = 16;
const LOAD_KEYS = 10_000;
const MEMORY_EVERY_MS = 100;
/** The keys that are there throughout; the load's own are others. */
const OBJECT_KEY = /^o\d+$/;

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "1000000" },
    rate: { type: "string", default: "300" },
    seconds: { type: "string", default: "8" },
    smoke: { type: "boolean", default: false },
    list: { type: "string", default: "" },
    least: { type: "string", default: "0" },
  },
});
const objects = values.smoke ? 2_000 : Number(values.objects);
const measuredMs = values.smoke ? 300 : 1000 * Number(values.seconds);
const warmUpMs = values.smoke ? 100 : 1_000;
const rate = values.smoke ? 50 : Number(values.rate);

if (values.list === "") await main();
else await list(values.list);

async function main(): Promise<void> {
  const children = new Children(join(ROOT, "build"));
  try {
    const cluster = await startHalo(children, { binary: HALO, prefix: "list", count: 3 });
    await makeLwwBucket(cluster.nodes[0], "big");
    await fillLogs(children, cluster, names(), 100);
    await answer(cluster);
  } finally {
    await children.end();
  }
}

/** The bucket's keys, and behind them the small bucket's. */
function* names(): Generator<string> {
  for (let index = 0; index < objects; index++) yield `big/o${index}`;
  for (let index = 0; index < SMALL_KEYS; index++) yield `small/${index}`;
}

// Measuring.

async function answer(cluster: HaloCluster): Promise<void> {
  const { url } = cluster.nodes[0];
  console.log(`three nodes, ${objects} objects in the bucket, ${rate} puts a second, Bun ${process.versions.bun ?? "-"}\n`);
  await small(url);
  const [alone, aloneMiB] = await growing(cluster, () => listing(url, 0));
  console.log(`\nlisting alone         ${alone}; the nodes grew by MiB ${aloneMiB}`);
  console.log(`\nputs, ms              p50     p99   p99.9    failed   the nodes grew by MiB`);
  // What was copied beside the cluster is read for the first time.
  await load(cluster);
  const [before, beforeMiB] = await growing(cluster, () => load(cluster));
  console.log(`without a listing  ${row(before)}   ${beforeMiB}`);
  const [{ result, text }, listedMiB] = await growing(cluster, () => loadAndList(cluster));
  console.log(`with a listing     ${row(result)}   ${listedMiB}; ${text}`);
  const [after, afterMiB] = await growing(cluster, () => load(cluster));
  console.log(`without again      ${row(after)}   ${afterMiB}`);
  const p99 = (before.latency.quantileMs(0.99) + after.latency.quantileMs(0.99)) / 2;
  const ratio = result.latency.quantileMs(0.99) / p99;
  console.log(`\np99 with a listing / mean of both without = ${ratio.toFixed(2)}`);
}

async function small(url: string): Promise<void> {
  const times: number[] = [];
  let pages = 0;
  for (let round = 0; round < 7; round++) {
    const began = performance.now();
    const listed = await follow(url, "small", () => {});
    times.push(performance.now() - began);
    pages = listed.pages;
    if (listed.keys !== SMALL_KEYS) throw new Error(`${listed.keys} keys in the small bucket`);
  }
  times.sort((left, right) => left - right);
  const first = `first ${times[6].toFixed(0)} ms at most`;
  console.log(`100 keys of ${objects}: ${times[3].toFixed(1)} ms (median of 7), ${pages} pages, ${first}`);
}

function load(cluster: HaloCluster): Promise<LoadResult> {
  return runLoad({
    ports: cluster.nodes.map((node) => node.httpPort),
    connections: CONNECTIONS,
    exchange: httpExchange({ path: "/kv/big/", putQuery: "", isValueChecked: false }),
    keys: LOAD_KEYS,
    putShare: 1,
    warmUpMs,
    measuredMs,
    rate,
  });
}

async function loadAndList(cluster: HaloCluster): Promise<{ result: LoadResult; text: string }> {
  const listed = listing(cluster.nodes[0].url, warmUpMs + measuredMs);
  const result = await load(cluster);
  return { result, text: await listed };
}

/** What `work` comes to, and by how many MiB each node grew meanwhile, at most. */
async function growing<Outcome>(cluster: HaloCluster, work: () => Promise<Outcome>): Promise<[Outcome, string]> {
  const memoryOf = (): number[] => cluster.running.map(({ pid }) => residentBytes(pid));
  const start = memoryOf();
  let peak = start;
  const timer = setInterval(() => {
    peak = memoryOf().map((bytes, index) => Math.max(bytes, peak[index]));
  }, MEMORY_EVERY_MS);
  const outcome = await work();
  clearInterval(timer);
  const growth = peak.map((bytes, index) => ((bytes - start[index]) / (1 << 20)).toFixed(0));
  return [outcome, growth.join(", ")];
}

function row({ latency, failed }: LoadResult): string {
  const shares = [0.5, 0.99, 0.999].map((share) => latency.quantileMs(share).toFixed(2).padStart(8));
  return shares.join("") + String(failed).padStart(10);
}

function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return 1024 * Number(found?.[1] ?? 0);
}

// Listing, in a process of its own.

/** @param leastMs lists once, and again until so much time is over */
function listing(url: string, leastMs: number): Promise<string> {
  const file = fileURLToPath(import.meta.url);
  const args = [file, "--list", url, "--objects", String(objects), "--least", String(leastMs)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => (text += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      if (code === 0) resolve(text.trim());
      else reject(new Error("The listing failed"));
    });
  });
}

async function list(url: string): Promise<void> {
  const began = performance.now();
  let [keys, pages] = [0, 0];
  do {
    const round = await listOnce(url);
    keys += round.keys;
    pages += round.pages;
  } while (performance.now() - began < Number(values.least));
  const seconds = (performance.now() - began) / 1000;
  const rateText = `${Math.round(keys / seconds)} keys a second`;
  console.log(`${keys} keys in ${pages} pages, ${seconds.toFixed(1)} s, ${rateText}`);
}

async function listOnce(url: string): Promise<{ keys: number; pages: number }> {
  const seen = new Uint8Array(objects);
  let count = 0;
  const listed = await follow(url, "big", (keys) => {
    for (const key of keys) {
      if (!OBJECT_KEY.test(key)) continue;
      if (seen[Number(key.slice(1))]++ > 0) throw new Error(`${key} was listed twice`);
      count++;
    }
  });
  if (count !== objects) throw new Error(`${count} of ${objects} keys were listed`);
  return listed;
}

async function follow(
  url: string,
  bucket: string,
  take: (keys: string[]) => void,
): Promise<{ keys: number; pages: number }> {
  let cursor: string | null = "";
  let keys = 0;
  let pages = 0;
  while (cursor !== null) {
    const target: string = `${url}/kv/${bucket}${cursor === "" ? "" : `?cursor=${cursor}`}`;
    const response = await fetch(target);
    if (!response.ok) throw new Error(`page ${pages}: ${await response.text()}`);
    const page = (await response.json()) as { keys: string[]; cursor: string | null };
    take(page.keys);
    keys += page.keys.length;
    pages++;
    cursor = page.cursor;
  }
  return { keys, pages };
}
