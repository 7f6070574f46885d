/**
 * Question: what share of this machine's limits do three nodes and one node of halo reach?
 *
 * Three tables over HTTP, each with its probe, halo, and the installed peers, in turn:
 *
 *   put, three nodes   N=3, R=W=quorum, DW=1, an `lww` bucket; 33 connections, 11 to each node
 *   get, three nodes   the same
 *   one node           get; put with DW=1; put with DW=0; 32 connections
 *
 * Sizes: keys of 16 bytes, values of 100 bytes: the small objects of the paper's cart and session
 * services, where a store's own cost shows, not the network's. 10,000 keys by default (the index
 * does not fit in a processor's first caches; the probe's Map does not either); `--keys` for more.
 * An absolute figure drifts by tens of percent on a shared machine, so what counts are the ratios.
 *
 *   bun bench/cluster.ts [--smoke] [--rounds 5] [--seconds 3] [--preheat 10] [--keys 10000] [--data FOLDER]
 *                        [--binary dist/halo] [--table put|get|node]
 *
 * It prints and never fails over a figure; it says what is "not built" or "not installed".
 */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Children, ROOT } from "./children.ts";
import type { Contestant } from "./contestant.ts";
import { HALO, haloVersion, isBuilt, makeLwwBucket, startHalo } from "./halo.ts";
import { Lineup } from "./lineup.ts";
import { httpExchange } from "./load/http-exchange.ts";
import { FIRST_KEY } from "./load/key.ts";
import { isWrkInstalled, runWrk } from "./load/wrk.ts";
import { medianOf } from "./median.ts";
import { startEtcd } from "./peers/etcd.ts";
import { startRedis } from "./peers/redis.ts";
import { startEmptyCluster, startEmptyServer } from "./probes/start.ts";
import { describeMachine, missing, wholeNumber } from "./report.ts";
import type { RoundSettings, Series } from "./rounds.ts";

const CLUSTER_CONNECTIONS = 33;
const NODE_CONNECTIONS = 32;
const NODES = 3;
const BUCKET = "bench";
const REDIS = "Redis everysec";
const NOT_INSTALLED = "not installed";
const HALO_EXCHANGE = { path: `/kv/${BUCKET}/`, putQuery: "", isValueChecked: true };
/** The bench ends itself when it takes this much longer than its rounds should. */
const PATIENCE = 2;
const PATIENCE_MS = 180_000;
/** Series of all tables and the cross-check together. */
const SERIES = 14;

const CLUSTER_WORKLOADS = [
  {
    title: "Row 1: put",
    putShare: 1,
    probeTarget: { wanted: 0.6, firstStep: 0.35 },
    etcdTarget: { wanted: 3.5, firstStep: 0 },
  },
  {
    title: "Row 2: get",
    putShare: 0,
    probeTarget: { wanted: 0.7, firstStep: 0.4 },
    etcdTarget: { wanted: 2, firstStep: 0 },
  },
];
const NODE_TARGETS = {
  get: { wanted: 0.6, firstStep: 0.45 },
  putDurable: { wanted: 0.3, firstStep: 0 },
  putBuffered: { wanted: 0.5, firstStep: 0 },
};

interface Settings extends RoundSettings {
  readonly folder: string;
  readonly binary: string;
  /** The one table that is wanted; "": all. */
  readonly table: string;
}

const settings = readSettings();
const children = new Children(settings.folder);
const limit = setTimeout(giveUp, timeLimitMs(settings));
try {
  printHead();
  if (settings.table !== "node") await benchCluster();
  if (settings.table === "" || settings.table === "node") await benchNode();
} finally {
  clearTimeout(limit);
  await children.end();
}

/** Rows 1 and 2: three nodes. */
async function benchCluster(): Promise<void> {
  const lineup = new Lineup(CLUSTER_CONNECTIONS, settings.keys);
  await lineup.enter("empty cluster", () => startEmptyCluster(children));
  await lineup.enter("halo", () => startHaloContestant("node", NODES));
  await lineup.enter("etcd", async () => (await startEtcd(children)) ?? NOT_INSTALLED);
  for (const workload of CLUSTER_WORKLOADS) {
    if (settings.table !== "" && !workload.title.endsWith(settings.table)) continue;
    const race = await lineup.race(lineup.alike(workload.putShare), settings);
    race.compare("halo", "empty cluster", workload.probeTarget);
    race.compare("halo", "etcd", workload.etcdTarget);
    print(`\n${workload.title}, ${NODES} nodes, ${CLUSTER_CONNECTIONS} connections\n${race}`);
  }
  await lineup.end();
}

/** Row 5: one node. */
async function benchNode(): Promise<void> {
  const lineup = new Lineup(NODE_CONNECTIONS, settings.keys);
  const probe = await lineup.enter("empty server", () => startEmptyServer(children));
  const halo = await lineup.enter("halo", () => startHaloContestant("single", 1));
  const startPeer = async () => (await startRedis(children)) ?? NOT_INSTALLED;
  const redis = await lineup.enter(REDIS, startPeer);
  const race = await lineup.race(nodeSeries(lineup, probe, halo, redis), settings);
  race.compare("halo get", "empty server", NODE_TARGETS.get);
  race.compare("halo put dw=1", "empty server", NODE_TARGETS.putDurable);
  race.compare("halo put dw=0", "empty server", NODE_TARGETS.putBuffered);
  race.compare("halo get", `${REDIS} get`, null);
  race.compare("halo put dw=0", `${REDIS} put`, null);
  print(`\nRow 5: one node, ${NODE_CONNECTIONS} connections, one request in flight each\n${race}`);
  if (probe !== null) await crossCheck(probe, halo);
  await lineup.end();
}

function nodeSeries(
  lineup: Lineup,
  probe: Contestant | null,
  halo: Contestant | null,
  redis: Contestant | null,
): Series[] {
  const series: Series[] = [];
  if (probe !== null) series.push(lineup.series("empty server", probe, 0));
  if (halo !== null) {
    const exchange = httpExchange({ ...HALO_EXCHANGE, putQuery: "?dw=0" });
    series.push(lineup.series("halo get", halo, 0));
    series.push(lineup.series("halo put dw=1", halo, 1));
    series.push({ ...lineup.series("halo put dw=0", halo, 1), exchange });
  }
  if (redis !== null) {
    series.push(lineup.series(`${REDIS} get`, redis, 0));
    series.push(lineup.series(`${REDIS} put`, redis, 1));
  }
  return series;
}

/** Gets of one key with wrk, probe and halo in turn. */
async function crossCheck(probe: Contestant, halo: Contestant | null): Promise<void> {
  if (!isWrkInstalled()) {
    print(missing("wrk", NOT_INSTALLED));
    return;
  }
  const limits: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    limits.push(await wrkRate(probe));
    if (halo !== null) ours.push(await wrkRate(halo));
  }
  const shares = `empty server ${wholeNumber(medianOf(limits))}/s`;
  const text = `    wrk, gets of one key: ${shares}`;
  if (halo === null) print(text);
  else {
    const share = (medianOf(ours) / medianOf(limits)).toFixed(2);
    print(`${text}, halo ${wholeNumber(medianOf(ours))}/s, halo / empty server = ${share}`);
  }
}

function wrkRate(contestant: Contestant): Promise<number> {
  const url = `http://127.0.0.1:${contestant.ports[0]}/kv/${BUCKET}/${FIRST_KEY}`;
  const seconds = Math.max(1, Math.round(settings.measuredMs / 1000));
  return runWrk(children, { url, connections: NODE_CONNECTIONS, seconds });
}

async function startHaloContestant(prefix: string, count: number): Promise<Contestant | string> {
  const { binary } = settings;
  if (!isBuilt(binary)) return "not built (make build)";
  const cluster = await startHalo(children, { binary, prefix, count });
  await makeLwwBucket(cluster.nodes[0], BUCKET);
  return {
    name: "halo",
    ports: cluster.nodes.map((node) => node.httpPort),
    exchange: httpExchange(HALO_EXCHANGE),
    children: cluster.running,
  };
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      smoke: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      preheat: { type: "string" },
      table: { type: "string", default: "" },
      keys: { type: "string" },
      data: { type: "string", default: join(ROOT, ".data") },
      binary: { type: "string", default: HALO },
    },
  });
  const seconds = Number(values.seconds ?? (values.smoke ? 0.2 : 3));
  const folder = resolve(values.data);
  mkdirSync(folder, { recursive: true });
  return {
    rounds: Number(values.rounds ?? (values.smoke ? 1 : 5)),
    preheatMs: Number(values.preheat ?? (values.smoke ? 0 : 10)) * 1000,
    warmUpMs: values.smoke ? 100 : 1000,
    measuredMs: seconds * 1000,
    keys: Number(values.keys ?? (values.smoke ? 200 : 10_000)),
    folder,
    binary: resolve(values.binary),
    table: values.table,
  };
}

function timeLimitMs({ rounds, preheatMs, warmUpMs, measuredMs }: Settings): number {
  const eachMs = warmUpMs + preheatMs + rounds * (warmUpMs + measuredMs);
  return PATIENCE_MS + PATIENCE * SERIES * eachMs;
}

function giveUp(): never {
  print(`\ngave up after ${Math.round(timeLimitMs(settings) / 1000)} s`);
  process.exit(1);
}

function printHead(): void {
  const { keys, rounds, preheatMs, warmUpMs, measuredMs, folder, binary } = settings;
  print("halo benchmark: shares of this machine's limits");
  print(describeMachine(folder, haloVersion(binary)));
  print(
    `sizes     ${wholeNumber(keys)} keys of 16 bytes, values of 100 bytes, ` +
      `rounds: ${rounds}, each ${measuredMs / 1000} s after ${warmUpMs / 1000} s of warm-up; ` +
      `before the first, each system runs ${preheatMs / 1000} s`,
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
