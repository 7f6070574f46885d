/**
 * What is saved when the client knows who coordinates? (Dynamo, Table 2: client-driven against server-driven.)
 *
 *   bun bench/coordination.ts [--rate 300] [--seconds 240] [--flags="--engine memory"] [--smoke]
 *
 * Nine nodes of dist/halo on this machine, N=3, R=W=quorum; a bucket of 10,000 keys, values of 100 bytes, last write
 * wins. Half of the requests are reads. A quarter are writes that one node has synced before they are answered (DW=1,
 * halo's default), a quarter writes that are synced soon after (DW=0): the paper's writer "waits only for W
 * responses", not for the disk (6.1). One process with three clients of the same library, over TCP, each with nine
 * connections:
 *
 *   server-driven   each request goes to a node drawn at random, through a load balancer: what the paper compares
 *                   with ("the overhead of the load balancer and the extra network hop"). Where HAProxy is installed
 *   at random       the same with a balancer that costs nothing: the client draws, and goes to the node itself
 *   client-driven   each request goes to an owner of its key
 *
 * A node drawn at random coordinates a third of its requests, and hands the others on.
 *
 * Requests begin at random moments at a fixed rate (open loop). The clients take
 * turns of half a second, all under one and the same cluster: what disturbs the machine disturbs all. A latency is
 * from the call to its promise's end. All retry and hedge alike.
 */

import { parseArgs } from "node:util";
import { type Bucket, bytes, connect, type Halo } from "../client/client.ts";
import { startBalancer } from "./balancer.ts";
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
    seconds: { type: "string", default: "240" },
    flags: { type: "string", default: "" },
    smoke: { type: "boolean", default: false },
  },
});
const nodes = values.smoke ? 4 : 9;
const keys = values.smoke ? 200 : 10_000;
const turns = values.smoke ? 6 : Math.max(2, Math.round((1000 * Number(values.seconds)) / (TURN_MS + GAP_MS)));
const rate = values.smoke ? 100 : Number(values.rate);
/** Nine nodes compile what they run often, and each gets a ninth of it: faster, so that they are done with that. */
const warmUpTurns = values.smoke ? 3 : 60;
const warmUpRate = values.smoke ? 100 : 1_500;

/** The paper's figures, milliseconds: [mean, p99.9] of reads, of writes. It does not tell writes apart. */
const PAPER = { server: [3.9, 68.9, 4.02, 68.5], client: [1.55, 30.4, 1.9, 30.4] };
const TARGETS = [0.75, 0.8, 0.75, 0.8, 0.75, 0.8];

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
  readonly syncedWrites = new Latencies();
  readonly bufferedWrites = new Latencies();
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
    const drawn = Math.random();
    const into = drawn < 0.5 ? this.reads : drawn < 0.75 ? this.syncedWrites : this.bufferedWrites;
    const beganMs = performance.now();
    try {
      if (into === this.reads) await this.bucket.get(key);
      else await this.bucket.put(key, VALUE, { dw: into === this.syncedWrites ? 1 : 0 });
    } catch {
      into.failed++;
      return;
    }
    if (isCounted) into.record(performance.now() - beganMs);
  }

  get kinds(): Latencies[] {
    return [this.reads, this.syncedWrites, this.bufferedWrites];
  }

  get figures(): number[] {
    return this.kinds.flatMap((kind) => kind.figures);
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
  const ports = cluster.nodes.map(({ tcpPort }) => tcpPort);
  const addresses = ports.map((port) => `127.0.0.1:${port}`).join();
  const balancer = await startBalancer(children, ports);
  const atRandom = new Contestant("at random", addresses, true);
  const client = new Contestant("client-driven", addresses, false);
  const contestants = [atRandom, client];
  if (balancer !== "") contestants.unshift(new Contestant("server-driven", balancer, true));
  await fill(client.bucket);
  for (let turn = 0; turn < warmUpTurns + turns; turn++) await run(whoseTurn(turn, contestants), turn >= warmUpTurns);
  print(contestants, client);
  for (const { halo } of contestants) halo.close();
}

/** One after the other; who comes first changes from round to round. */
function whoseTurn(turn: number, contestants: readonly Contestant[]): Contestant {
  const round = Math.floor(turn / contestants.length);
  return contestants[(turn + round) % contestants.length];
}

async function fill(bucket: Bucket<Uint8Array>): Promise<void> {
  const width = 32;
  for (let first = 0; first < keys; first += width) {
    const names = Array.from({ length: Math.min(width, keys - first) }, (_, index) => `k${first + index}`);
    await Promise.all(names.map((name) => bucket.put(name, VALUE)));
  }
}

/** A turn: requests at random moments, then what is still under way. Where it is not counted, to warm up. */
async function run(contestant: Contestant, isCounted: boolean): Promise<void> {
  const endMs = performance.now() + TURN_MS;
  const open = new Set<Promise<void>>();
  let dueMs = performance.now();
  while (performance.now() < endMs) {
    while (dueMs <= performance.now()) {
      const request: Promise<void> = contestant.request(isCounted).then(() => void open.delete(request));
      open.add(request);
      dueMs -= (1000 / (isCounted ? rate : warmUpRate)) * Math.log(1 - Math.random());
    }
    await pause(Math.max(0, dueMs - performance.now()));
  }
  await Promise.all(open);
  await pause(GAP_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(contestants: readonly Contestant[], client: Contestant): void {
  console.log(describeMachine(children.folder, haloVersion(HALO)));
  console.log(`${nodes} nodes, ${rate} requests a second, ${turns} turns of ${TURN_MS} ms${values.flags === "" ? "" : `, ${values.flags}`}\n`);
  console.log("ms                        reads: mean   p99.9  synced writes: mean   p99.9  buffered: mean   p99.9   counted  failed");
  for (const one of contestants) {
    const counted = one.kinds.reduce((sum, kind) => sum + kind.count, 0);
    const failed = one.kinds.reduce((sum, kind) => sum + kind.failed, 0);
    const medians = one.kinds.map((kind) => kind.medianMs.toFixed(2)).join(", ");
    console.log(`${row(one.label, one.figures, 2)}${`${counted}`.padStart(10)}${`${failed}`.padStart(8)}   (medians ${medians})`);
  }
  for (const other of contestants) {
    if (other === client) continue;
    const ratios = client.figures.map((figure, index) => figure / other.figures[index]);
    console.log(row(`client / ${other.label}`, ratios, 2));
  }
  if (contestants.length === 2) console.log("HAProxy is not installed: no balancer was measured");
  console.log(row("wanted, at most", TARGETS, 2));
  console.log(row("paper: server-driven", PAPER.server, 2));
  console.log(row("paper: client-driven", PAPER.client, 2));
  console.log(row("paper: client / server", PAPER.client.map((figure, index) => figure / PAPER.server[index]), 2));
}

function row(label: string, figures: readonly number[], digits: number): string {
  const widths = [13, 8, 21, 8, 16, 8];
  return label.padEnd(24) + figures.map((figure, index) => figure.toFixed(digits).padStart(widths[index])).join("");
}
