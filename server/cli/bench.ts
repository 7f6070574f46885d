/**
 * halo bench: what a running cluster does under a load of gets and puts, as tables or JSON.
 *
 *   a bucket of its own ─► filled with keys ─► the load (bench-load.ts) ─► throughput, latencies, errors by code
 *
 * Its puts follow no get, so the bucket is one where the last write wins: elsewhere they would pile up siblings.
 */

import { systemClock } from "../ports/clock.ts";
import { onStopSignal, writeOut } from "../ports/process.ts";
import { systemRandom } from "../ports/random.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import { type Kind, Load, type LoadCounts, type LoadShape } from "./bench-load.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, type Option, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { Histogram } from "./histogram.ts";
import { Progress } from "./progress.ts";
import { formatTable } from "./table.ts";
import { zipf } from "./zipf.ts";

const OWN_BUCKET = "halo-bench";
const WARM_UP_MS = 1_000;
const SHARES = { p50: 0.5, p99: 0.99, "p99.9": 0.999 };

export const benchCommand: Command = {
  name: "bench",
  takes: "",
  summary: "measure a running cluster under load",
  examples: ["halo bench --seconds 30 --rate 2000 --gets 95 --distribution zipf"],
  about: `Fills a bucket with keys, then gets and puts them for so long after a second of warm-up. With --rate requests are
due at fixed times and latencies count from then, so that waiting shows; without, each connection asks again at once.
This program takes a core of its own: measure from another machine where that matters. ^C ends it early.
Nothing but the bucket is touched, and it stays: halo bucket empty ${OWN_BUCKET}.
${EXIT_CODES}`,
  options: [
    defaulted("seconds", "S", "how long, 1 to 600", "10"),
    option("rate", "N", "requests a second, 1 to 100000 (default: as many as are answered)"),
    defaulted("connections", "N", "requests in flight, 1 to 256", "32"),
    defaulted("gets", "PERCENT", "how many of the requests are gets; the others are puts", "50"),
    defaulted("keys", "N", "how many keys there are, 1 to 10000000", "10000"),
    defaulted("value-size", "BYTES", "of each value, 0 to 1048576", "100"),
    defaulted("distribution", "D", "how keys are drawn: uniform, or zipf (few of them often)", "uniform"),
    defaulted("bucket", "BUCKET", "where; another than this one must have policy=lww", OWN_BUCKET),
    option("all-nodes", "", "spread connections over all members, not only --node"),
    option("no-fill", "", "the keys are there from the last time"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 0,
  positionalsMax: 0,
  run: bench,
};

function defaulted(name: string, placeholder: string, help: string, fallback: string): Option {
  return { ...option(name, placeholder, help), fallback };
}

interface Plan extends LoadShape {
  readonly bucket: string;
  readonly keys: number;
  readonly value: Uint8Array;
  readonly draw: () => number;
}

async function bench(line: CommandLine): Promise<number> {
  const plan = planOf(line);
  const api = apiOf(line);
  await prepareBucket(api, plan.bucket);
  const apis = line.flag("all-nodes") ? await apisOfAll(line, api) : [api];
  const isShown = !line.flag("json");
  if (!line.flag("no-fill")) await fill(apis, plan, new Progress("fill", isShown));
  const load = new Load(plan, (kind, lane, signal) => {
    return send(apis[lane % apis.length], kind, targetOf(plan, plan.draw()), plan.value, signal);
  }, share);
  onStopSignal(() => load.stop());
  const ms = await watched(load, plan, new Progress("load", isShown));
  tell(line, plan, load.counts, ms);
  return load.counts.errors.size === 0 ? DONE : FAILED;
}

/** @throws UsageError */
function planOf(line: CommandLine): Plan {
  const keys = numberOf(line, "keys", 1, 10_000_000);
  const value = new Uint8Array(numberOf(line, "value-size", 0, 1 << 20));
  // Bytes that nothing can compress, as most of what is large.
  for (let from = 0; from < value.length; from += 65_536) systemRandom.fill(value.subarray(from, from + 65_536));
  return {
    bucket: line.text("bucket"),
    keys,
    value,
    draw: drawing(line, keys),
    connections: numberOf(line, "connections", 1, 256),
    rate: line.has("rate") ? numberOf(line, "rate", 1, 100_000) : 0,
    warmUpMs: WARM_UP_MS,
    measuredMs: numberOf(line, "seconds", 1, 600) * 1_000,
    gets: numberOf(line, "gets", 0, 100) / 100,
  };
}

/** @throws UsageError */
function numberOf(line: CommandLine, name: string, min: number, max: number): number {
  const text = line.text(name);
  const number = /^\d{1,8}$/.test(text) ? Number(text) : -1;
  if (number >= min && number <= max) return number;
  throw new UsageError(`--${name} is '${text}', want a whole number from ${min} to ${max}`);
}

/** @throws UsageError */
function drawing(line: CommandLine, keys: number): () => number {
  const text = line.text("distribution");
  if (text === "uniform") return () => systemRandom.below(keys);
  if (text !== "zipf") throw new UsageError(`--distribution is '${text}', want uniform or zipf`);
  const draw = zipf(keys);
  return () => draw(share());
}

function share(): number {
  return systemRandom.below(2 ** 32) / 2 ** 32;
}

/** @throws CommandFailure where puts would pile up siblings */
async function prepareBucket(api: Api, bucket: string): Promise<void> {
  const target = `/buckets/${encodeURIComponent(bucket)}`;
  const { properties, given } = await api.json<{ properties: { policy: string }; given: object }>({ method: "GET", target });
  if (properties.policy === "lww") return;
  if (bucket !== OWN_BUCKET) {
    throw new CommandFailure(FAILED, `The bucket ${bucket} keeps siblings and they would pile up, want one with policy=lww`);
  }
  const headers = { "Content-Type": "application/json" };
  await api.expect({ method: "PUT", target, headers, body: JSON.stringify({ ...given, policy: "lww" }) });
}

async function apisOfAll(line: CommandLine, api: Api): Promise<readonly [Api, ...Api[]]> {
  const { members } = await api.json<{ members: { http: string; healthy: boolean }[] }>({ method: "GET", target: "/cluster" });
  const others = members.filter(({ http, healthy }) => healthy && http !== "").map(({ http }) => apiOf(line, http));
  const [first = api, ...rest] = others;
  return [first, ...rest];
}

function targetOf({ bucket }: Plan, key: number): string {
  return `/kv/${encodeURIComponent(bucket)}/key-${String(key).padStart(8, "0")}`;
}

/** Puts every key once. @throws CommandFailure at the first that fails */
async function fill(apis: readonly Api[], plan: Plan, progress: Progress): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: plan.connections }, async (_, lane) => {
    while (next < plan.keys) {
      const target = targetOf(plan, next++);
      const response = await apis[lane % apis.length].expect({ method: "PUT", target, body: plan.value });
      await response.arrayBuffer();
      progress.update(next, plan.keys, `${next} keys`);
    }
  });
  try {
    await Promise.all(lanes);
  } finally {
    next = plan.keys;
    progress.end();
  }
}

/** A request; a key that is not there is an answer. @returns "" or what went wrong */
async function send(api: Api, kind: Kind, target: string, value: Uint8Array, signal: AbortSignal): Promise<string> {
  try {
    const put = { method: "PUT", target, body: value, signal };
    const response = await api.send(kind === "get" ? { method: "GET", target, signal } : put);
    const body = await response.arrayBuffer();
    return response.status < 400 || response.status === 404 ? "" : `${response.status} ${codeIn(body)}`.trimEnd();
  } catch {
    // Api says it in a sentence with an address; they are counted here.
    return signal.aborted ? "no answer" : "connection broken";
  }
}

function codeIn(body: ArrayBuffer): string {
  try {
    return (JSON.parse(new TextDecoder().decode(body)) as { code?: string }).code ?? "";
  } catch {
    // Whatever answered, it was no node of ours.
    return "";
  }
}

const LOOK_MS = 200;

async function watched(load: Load, { measuredMs }: Plan, progress: Progress): Promise<number> {
  let isOver = false;
  const look = (): void => {
    if (isOver) return;
    progress.update(load.measuredMs, measuredMs, `${Math.round(load.measuredMs / 1000)} of ${measuredMs / 1000} s`);
    systemClock.after(LOOK_MS, look);
  };
  look();
  try {
    return await load.run();
  } finally {
    isOver = true;
    progress.end();
  }
}

interface Row {
  readonly requests: number;
  readonly failed: number;
  /** Those that did not fail. */
  readonly perSecond: number;
  /** By the names of SHARES, and "max". */
  readonly latencyMs: Readonly<Record<string, number>>;
}

function tell(line: CommandLine, plan: Plan, { latencies, failed, errors }: LoadCounts, ms: number): void {
  const all = new Histogram();
  all.add(latencies.get);
  all.add(latencies.put);
  const rows: Record<string, Row> = {
    get: rowOf(latencies.get, failed.get, ms),
    put: rowOf(latencies.put, failed.put, ms),
    all: rowOf(all, failed.get + failed.put, ms),
  };
  if (line.flag("json")) {
    const { connections, rate, keys, value, gets } = plan;
    const shape = { connections, rate, keys, valueSize: value.length, gets, distribution: line.text("distribution") };
    writeOut(`${JSON.stringify({ seconds: ms / 1000, ...shape, ...rows, errors: Object.fromEntries(errors) })}\n`);
    return;
  }
  const how = plan.rate === 0 ? "as fast as they are answered" : `${plan.rate} due a second`;
  writeOut(`${(ms / 1000).toFixed(1)} s, ${plan.connections} connections, ${how}; ${plan.keys} keys of ${plan.value.length} bytes\n`);
  const header = ["", "requests", "failed", "per s", ...Object.keys(SHARES), "max"];
  writeOut(formatTable([header, ...Object.entries(rows).map(([name, row]) => cellsOf(name, row))]));
  for (const [error, count] of errors) writeOut(`failed: ${count} with ${error}\n`);
}

function rowOf(latency: Histogram, failed: number, ms: number): Row {
  const quantiles = Object.entries(SHARES).map(([name, of]) => [name, latency.quantileMs(of)]);
  const perSecond = ms === 0 ? 0 : Math.round(((latency.count - failed) * 1_000) / ms);
  return { requests: latency.count, failed, perSecond, latencyMs: { ...Object.fromEntries(quantiles), max: latency.maxMs } };
}

function cellsOf(name: string, { requests, failed, perSecond, latencyMs }: Row): string[] {
  const latencies = Object.values(latencyMs).map((one) => (requests === 0 ? "-" : `${one.toFixed(2)} ms`));
  return [name, String(requests), String(failed), String(perSecond), ...latencies];
}
