/**
 * What is saved when the client knows who coordinates? (Dynamo, Table 2: client-driven against server-driven.)
 *
 *   bun bench/coordination.ts [--rate 300] [--seconds 42] [--flags="--engine memory"] [--smoke]
 *
 * Nine nodes of dist/halo on this machine, N=3, R=W=quorum, DW=1; a bucket of 10,000 keys, values of 100 bytes, last
 * write wins. One process with two clients of the same library, over TCP, both with connections to all nine nodes:
 *
 *   server-driven   each request goes to a node drawn at random, as from a load balancer (which costs nothing here);
 *                   it coordinates a third of them, and hands the others on
 *   client-driven   each request goes to an owner of its key
 *
 * Requests begin at random moments at a fixed rate (open loop), half of them reads, half writes. The two take turns of
 * half a second, all under one and the same cluster: what disturbs the machine disturbs both. A latency is from the
 * call to its promise's end. Both retry and hedge alike.
 */

import { parseArgs } from "node:util";
import { type Bucket, bytes, connect, type Halo } from "../client/client.ts";
import { Children, ROOT } from "./children.ts";
import { HALO, haloVersion, makeLwwBucket, startHalo } from "./halo.ts";
import { Histogram } from "../server/cli/histogram.ts";
import { describeMachine } from "./report.ts";

const BUCKET = "bench";
const VALUE = new Uint8Array(100).fill(120);
const TURN_MS = 500;
/** Before each turn, for what is still under way. */
const GAP_MS = 50;
const TIMEOUT_MS = 5_000;

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "300" },
    seconds: { type: "string", default: "42" },
    flags: { type: "string", default: "" },
    smoke: { type: "boolean", default: false },
  },
});
const nodes = values.smoke ? 4 : 9;
const keys = values.smoke ? 200 : 10_000;
const turns = values.smoke ? 4 : Math.max(2, Math.round((1000 * Number(values.seconds)) / (TURN_MS + GAP_MS)));
/** Nine nodes compile what they run often; each gets a ninth of it. */
const warmUpTurns = values.smoke ? 2 : 30;
const rate = values.smoke ? 100 : Number(values.rate);

/** The paper's figures, milliseconds: [mean, p99.9] of reads, of writes. */
const PAPER = { server: [3.9, 68.9, 4.02, 68.5], client: [1.55, 30.4, 1.9, 30.4] };
const TARGETS = [0.75, 0.8, 0.75, 0.8];

class Latencies {
  readonly #histogram = new Histogram();
  #sumMs = 0;
  failed = 0;

  record(tookMs: number): void {
    this.#histogram.record(tookMs);
    this.#sumMs += tookMs;
  }

  get count(): number {
    return this.#histogram.count;
  }

  get medianMs(): number {
    return this.#histogram.quantileMs(0.5);
  }

  /** Mean and p99.9. */
  get figures(): number[] {
    return [this.#sumMs / Math.max(1, this.count), this.#histogram.quantileMs(0.999)];
  }
}

class Contestant {
  readonly label: string;
  readonly reads = new Latencies();
  readonly writes = new Latencies();
  readonly bucket: Bucket<Uint8Array>;
  readonly halo: Halo;

  constructor(label: string, addresses: string, addressesOnly: boolean) {
    this.label = label;
    this.halo = connect(addresses, { addressesOnly, timeoutMs: TIMEOUT_MS });
    this.bucket = this.halo.bucket(BUCKET, { codec: bytes });
  }

  /** One request; resolves when it has ended. */
  async request(isCounted: boolean): Promise<void> {
    const key = `k${Math.floor(Math.random() * keys)}`;
    const isRead = Math.random() < 0.5;
    const into = isRead ? this.reads : this.writes;
    const beganMs = performance.now();
    try {
      if (isRead) await this.bucket.get(key);
      else await this.bucket.put(key, VALUE);
    } catch {
      into.failed++;
      return;
    }
    if (isCounted) into.record(performance.now() - beganMs);
  }

  get figures(): number[] {
    return [...this.reads.figures, ...this.writes.figures];
  }
}

const children = new Children(`${ROOT}/build`);
try {
  await main();
} finally {
  await children.end();
}

async function main(): Promise<void> {
  const flags = values.flags.split(" ").filter((flag) => flag !== "");
  const cluster = await startHalo(children, { binary: HALO, prefix: "coordination", count: nodes, flags });
  await makeLwwBucket(cluster.nodes[0], BUCKET);
  const addresses = cluster.nodes.map(({ tcpPort }) => `127.0.0.1:${tcpPort}`).join();
  const server = new Contestant("server-driven", addresses, true);
  const client = new Contestant("client-driven", addresses, false);
  await fill(client.bucket);
  for (let turn = 0; turn < warmUpTurns + turns; turn++) {
    const isCounted = turn >= warmUpTurns;
    // Who comes first changes from pair to pair.
    await run((turn + (turn >> 1)) % 2 === 0 ? server : client, isCounted);
  }
  print(server, client);
  server.halo.close();
  client.halo.close();
}

async function fill(bucket: Bucket<Uint8Array>): Promise<void> {
  const width = 32;
  for (let first = 0; first < keys; first += width) {
    const names = Array.from({ length: Math.min(width, keys - first) }, (_, index) => `k${first + index}`);
    await Promise.all(names.map((name) => bucket.put(name, VALUE)));
  }
}

/** A turn: requests at random moments, then what is still under way. */
async function run(contestant: Contestant, isCounted: boolean): Promise<void> {
  const endMs = performance.now() + TURN_MS;
  const open = new Set<Promise<void>>();
  let dueMs = performance.now();
  while (performance.now() < endMs) {
    while (dueMs <= performance.now()) {
      const request: Promise<void> = contestant.request(isCounted).then(() => void open.delete(request));
      open.add(request);
      dueMs -= (1000 / rate) * Math.log(1 - Math.random());
    }
    await pause(Math.max(0, dueMs - performance.now()));
  }
  await Promise.all(open);
  await pause(GAP_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(server: Contestant, client: Contestant): void {
  console.log(describeMachine(children.folder, haloVersion(HALO)));
  console.log(`${nodes} nodes, ${rate} requests a second, ${turns} turns of ${TURN_MS} ms${values.flags === "" ? "" : `, ${values.flags}`}\n`);
  console.log(`ms                    reads: mean   p99.9   writes: mean   p99.9    counted  failed`);
  for (const one of [server, client]) {
    const { reads, writes } = one;
    const counts = `${reads.count + writes.count}`.padStart(11) + `${reads.failed + writes.failed}`.padStart(8);
    const medians = `   (medians ${reads.medianMs.toFixed(2)}, ${writes.medianMs.toFixed(2)})`;
    console.log(row(one.label, one.figures, 2) + counts + medians);
  }
  const ratios = client.figures.map((figure, index) => figure / server.figures[index]);
  console.log(row("client / server", ratios, 2));
  console.log(row("wanted, at most", TARGETS, 2));
  console.log(row("paper: server-driven", PAPER.server, 2));
  console.log(row("paper: client-driven", PAPER.client, 2));
  console.log(row("paper: ratio", PAPER.client.map((figure, index) => figure / PAPER.server[index]), 2));
}

function row(label: string, figures: readonly number[], digits: number): string {
  const widths = [13, 8, 15, 8];
  return label.padEnd(20) + figures.map((figure, index) => figure.toFixed(digits).padStart(widths[index])).join("");
}
