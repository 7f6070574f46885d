/**
 * What do requests wait for while a node joins and half-dead logs are compacted? (The paper's 6.5: background work may
 * go on as long as requests do not feel it; Figure 5's measure, the 99.9th percentile.)
 *
 *   bun bench/background.ts [--objects 600000] [--rate 1500] [--seconds 20] [--value 300] [--smoke]
 *
 * Three nodes of dist/halo on this machine, each with all objects, every second one written twice, so that a third
 * of each log is dead. A load at a fixed rate (open loop, half gets, half puts): without background work (compaction
 * paused), while a fourth node takes its share and all logs are compacted, until both are done, and without again.
 * The start of the fourth node's process is not measured: elsewhere it has a machine of its own.
 */

import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { WorksReport } from "../server/http/http-node.ts";
import { Children, fetchText, ROOT, waitUntil } from "./children.ts";
import { fillLogs } from "./fill-logs.ts";
import { HALO, type HaloCluster, makeLwwBucket, startHalo } from "./halo.ts";
import { fillKeys } from "./load/fill.ts";
import { type LoadResult, runLoad } from "./load/generator.ts";
import { httpExchange } from "./load/http-exchange.ts";

const CONNECTIONS = 16;
const LOAD_KEYS = 10_000;
const LIMIT_MS = 300_000;
const EXCHANGE = httpExchange({ path: "/kv/big/", putQuery: "", isValueChecked: false });

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "600000" },
    rate: { type: "string", default: "1500" },
    seconds: { type: "string", default: "20" },
    value: { type: "string", default: "300" },
    smoke: { type: "boolean", default: false },
  },
});
const objects = values.smoke ? 3_000 : Number(values.objects);
const measuredMs = values.smoke ? 500 : 1000 * Number(values.seconds);
const warmUpMs = values.smoke ? 100 : 2_000;
const rate = values.smoke ? 50 : Number(values.rate);

function* names(): Generator<string> {
  for (let index = 0; index < objects; index++) yield `big/o${index}`;
  for (let index = 0; index < objects; index += 2) yield `big/o${index}`;
}

const children = new Children(join(ROOT, "build"));
try {
  const flags = ["--compaction-cold-ms", "1000"];
  const cluster = await startHalo(children, { binary: HALO, prefix: "background", count: 3, spares: 1, flags });
  await makeLwwBucket(cluster.nodes[0], "big");
  await fillLogs(children, cluster, names(), Number(values.value));
  const ports = cluster.nodes.slice(0, 3).map((node) => node.httpPort);
  await fillKeys({ ports, connections: CONNECTIONS, exchange: EXCHANGE, keys: LOAD_KEYS, timeoutMs: 60_000 });
  await answer(cluster);
} finally {
  await children.end();
}

async function answer(cluster: HaloCluster): Promise<void> {
  const { url } = cluster.nodes[0];
  console.log(`three nodes, ${objects} objects of ${values.value} bytes, ${rate} requests a second, Bun ${process.versions.bun ?? "-"}\n`);
  console.log("requests, ms               p50     p99   p99.9    failed");
  await order(url, "pause", "compaction");
  const before = await load(cluster);
  console.log(`nothing beside them   ${row(before)}`);
  await order(url, "resume", "compaction");
  const spare = cluster.nodes[3];
  cluster.start(spare);
  const began = performance.now();
  const isThere = async (): Promise<boolean> => (await fetchText(`${spare.url}/healthz`)) !== null;
  await waitUntil(isThere, "the fourth node", cluster.running, LIMIT_MS);
  const results: LoadResult[] = [];
  let report: WorksReport | null = null;
  do {
    const result = await load(cluster);
    report = await work(url);
    results.push(result);
    console.log(`a node joins          ${row(result)}    ${progress(report)}`);
  } while (!isDone(report) && performance.now() - began < LIMIT_MS);
  const tookS = (performance.now() - began) / 1000;
  if (!isDone(report)) console.log(`the background has not finished in ${tookS.toFixed(0)} s`);
  const after = await load(cluster);
  console.log(`nothing again         ${row(after)}`);
  const without = (p999(before) + p999(after)) / 2;
  const during = results.map(p999).sort((left, right) => left - right);
  const ratio = during[during.length >> 1] / without;
  console.log(`\np99.9 with it (median of ${during.length}) / mean of both without = ${ratio.toFixed(2)}; wanted 1.5; done after ${tookS.toFixed(0)} s at most`);
}

function p999({ latency }: LoadResult): number {
  return latency.quantileMs(0.999);
}

function load(cluster: HaloCluster): Promise<LoadResult> {
  return runLoad({
    ports: cluster.nodes.slice(0, 3).map((node) => node.httpPort),
    connections: CONNECTIONS,
    exchange: EXCHANGE,
    keys: LOAD_KEYS,
    putShare: 0.5,
    warmUpMs,
    measuredMs,
    rate,
  });
}

async function order(url: string, what: "pause" | "resume", kind: string): Promise<void> {
  const answered = await fetch(`${url}/cluster/${what}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ kind }),
  });
  if (!answered.ok) throw new Error(await answered.text());
}

async function work(url: string): Promise<WorksReport | null> {
  const text = await fetchText(`${url}/cluster/transfers`);
  // The shape is a promise of the product to its clients.
  return text === null ? null : (JSON.parse(text) as WorksReport);
}

function isDone(report: WorksReport | null): boolean {
  return report !== null && report.members.length === 4 && report.members.every(({ transfer, background }) => {
    const compaction = background.find(({ kind }) => kind === "compaction");
    return transfer.left === 0 && transfer.surplus === 0 && compaction?.waiting === 0;
  });
}

function progress(report: WorksReport | null): string {
  if (report === null) return "";
  return report.members.map(({ name, transfer, background, bytesPerSecondMax }) => {
    const moved = background.filter(({ kind }) => kind === "compaction" || kind === "transfer");
    const mib = moved.map(({ kind, bytes }) => `${kind} ${(bytes / (1 << 20)).toFixed(0)}`).join(", ");
    return `${name.slice(-1)}: ${transfer.of - transfer.left}/${transfer.of} ${mib} MiB @${(bytesPerSecondMax / (1 << 20)).toFixed(0)}`;
  }).join("; ");
}

function row({ latency, failed }: LoadResult): string {
  const shares = [0.5, 0.99, 0.999].map((share) => latency.quantileMs(share).toFixed(2).padStart(8));
  return shares.join("") + String(failed).padStart(10);
}
