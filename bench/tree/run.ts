/**
 * A whole tree of real files through three nodes, with a death in the middle, and the count of what
 * was lost: which must be nothing.
 *
 *   files   0 %                  50 %            75 %               100 %
 *           ├─ three nodes take ──┼─ two do ──────┼─ three, one comes ─┤
 *                             kill -9          start       back with what it missed in hints
 *
 *   then    read back every acknowledged file from every node, and compare its SHA-256
 *           wait until no hint is left
 *           the same with r=1: each node answers from its own copy; /explain says that all hold it
 *
 * Every node owns every file here (three nodes, three copies). A file that was acknowledged and is
 * not read back right, from any node in either pass, is lost. One whose outcome is unknown may be
 * there or not, but never as other bytes.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Children, fetchText } from "../children.ts";
import { type HaloCluster, type HaloNode, startHalo } from "../halo.ts";
import { objectPath, type PutOutcome, type Reply, TreeClient } from "./client.ts";

const NODES = 3;
const BUCKET = "files";
/** The node stays away at least this long, so that the others notice and keep hints for it. */
const ABSENCE_MS_MIN = 3_000;
const HINTS_MS = 120_000;
const HINTS_POLL_MS = 250;
/** Without a gauge of pending hints: nothing was delivered for this long. */
const HINTS_QUIET_MS = 8_000;
const LOSSES_SHOWN = 10;

export interface TreeOptions {
  readonly children: Children;
  readonly binary: string;
  readonly folder: string;
  /** Paths below the folder. */
  readonly paths: readonly string[];
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Told what happens, a line each. */
  readonly report: (line: string) => void;
}

export interface TreeFigures {
  readonly files: number;
  readonly acknowledged: number;
  readonly acknowledgedBytes: number;
  readonly tooLarge: number;
  readonly refused: number;
  readonly unknown: number;
  /** Files of the folder that could not be read from disk. */
  readonly unreadable: number;
  /** Puts that were sent more than once. */
  readonly retried: number;
  readonly writeSeconds: number;
  /** Right answers over both passes and all nodes. */
  readonly readsRight: number;
  readonly readSeconds: number;
  /** Acknowledged files that some node did not answer right. */
  readonly lost: number;
  readonly losses: readonly string[];
  /** Replicas that /explain does not show as holding the one version that all hold. */
  readonly replicasMissing: number;
  readonly hintsDelivered: number;
  readonly hintsPending: number;
  /** The first refusal other than for size, or unknown outcome. */
  readonly complaint: string;
}

/** Runs it all on a cluster of its own. */
export async function storeTree(options: TreeOptions): Promise<TreeFigures> {
  const { children, binary } = options;
  const cluster = await startHalo(children, { binary, prefix: "tree", count: NODES });
  const urls = cluster.nodes.map((node) => node.url);
  const client = new TreeClient(urls, options.concurrency);
  try {
    return await new TreeRun(options, cluster, client).run();
  } finally {
    client.close();
    for (const node of cluster.nodes) await cluster.kill(node);
  }
}

interface StoredFile {
  readonly path: string;
  readonly digest: string;
  readonly bytes: number;
  readonly outcome: PutOutcome;
}

class TreeRun {
  readonly #options: TreeOptions;
  readonly #cluster: HaloCluster;
  readonly #client: TreeClient;
  readonly #stored: StoredFile[];
  readonly #losses: Map<string, string>;
  #unreadable: number;
  #retried: number;
  #settled: number;
  #readsRight: number;
  #replicasMissing: number;
  #complaint: string;
  #killing: Promise<void> | null;
  #restarting: Promise<void> | null;

  constructor(options: TreeOptions, cluster: HaloCluster, client: TreeClient) {
    this.#options = options;
    this.#cluster = cluster;
    this.#client = client;
    this.#stored = [];
    this.#losses = new Map();
    this.#unreadable = 0;
    this.#retried = 0;
    this.#settled = 0;
    this.#readsRight = 0;
    this.#replicasMissing = 0;
    this.#complaint = "";
    this.#killing = null;
    this.#restarting = null;
  }

  async run(): Promise<TreeFigures> {
    const { paths, report } = this.#options;
    const writeSeconds = await seconds(() => this.#each(paths, (path, n) => this.#store(path, n)));
    report(`stored ${this.#settled} files in ${writeSeconds.toFixed(1)} s`);
    await this.#comeBack();
    let readSeconds = await seconds(() => this.#readBack(""));
    const hints = await this.#hintsGone();
    report(`hints delivered: ${hints.delivered}, pending: ${hints.pending}`);
    readSeconds += await seconds(() => this.#readBack("?r=1"));
    await this.#each(this.#acknowledged(), (file) => this.#explain(file));
    return this.#figures(writeSeconds, readSeconds, hints);
  }

  /** Runs `work` on all items, as many at once as was asked. */
  async #each<Item>(
    items: readonly Item[],
    work: (item: Item, index: number) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const worker = async () => {
      while (next < items.length) {
        const index = next++;
        await work(items[index], index);
      }
    };
    await Promise.all(Array.from({ length: this.#options.concurrency }, worker));
  }

  async #store(path: string, index: number): Promise<void> {
    const body = await readFile(join(this.#options.folder, path)).catch(() => null);
    if (body === null) this.#unreadable++;
    else {
      const result = await this.#client.put(objectPath(BUCKET, path), body, index % NODES);
      const { outcome, complaint, retries } = result;
      this.#stored.push({ path, digest: sha256(body), bytes: body.length, outcome });
      if (retries > 0) this.#retried++;
      if (outcome === "refused" || outcome === "unknown") this.#complaint ||= complaint;
    }
    this.#settled++;
    this.#act();
  }

  /** Half-way the last node dies; at three quarters, after a while, it is started again. */
  #act(): void {
    const share = this.#settled / this.#options.paths.length;
    if (share >= 0.5) this.#killing ??= this.#killLast();
    if (share >= 0.75) this.#restarting ??= this.#restartLast();
  }

  get #victim(): HaloNode {
    return this.#cluster.nodes[NODES - 1];
  }

  async #killLast(): Promise<void> {
    this.#options.report(`kill -9 ${this.#victim.name} after ${this.#settled} files`);
    await this.#cluster.kill(this.#victim);
    await new Promise((resume) => setTimeout(resume, ABSENCE_MS_MIN));
  }

  async #restartLast(): Promise<void> {
    await this.#killing;
    this.#options.report(`start ${this.#victim.name} again after ${this.#settled} files`);
    this.#cluster.start(this.#victim);
  }

  async #comeBack(): Promise<void> {
    await this.#restarting;
    await this.#cluster.waitReady(this.#cluster.nodes, NODES);
  }

  #acknowledged(): StoredFile[] {
    return this.#stored.filter((file) => file.outcome === "acknowledged");
  }

  /** Every file from every node. */
  async #readBack(query: string): Promise<void> {
    const files = this.#stored.filter(({ outcome }) => outcome !== "too large");
    await this.#each(files, async (file) => {
      for (const node of this.#cluster.nodes) {
        const url = node.url + objectPath(BUCKET, file.path) + query;
        this.#check(file, `${node.name}${query}`, await this.#client.get(url));
      }
    });
  }

  #check(file: StoredFile, where: string, reply: Reply | null): void {
    const isAcknowledged = file.outcome === "acknowledged";
    if (reply !== null && reply.status === 200 && sha256(reply.body) === file.digest) {
      if (isAcknowledged) this.#readsRight++;
      return;
    }
    if (!isAcknowledged && reply?.status === 404) return;
    const answer = reply === null ? "no answer" : `${reply.status}, ${reply.body.length} bytes`;
    this.#losses.set(file.path, `${file.path} (${file.outcome}, ${where}): ${answer}`);
  }

  /** Waits until every hint is delivered; bounded. */
  async #hintsGone(): Promise<{ delivered: number; pending: number }> {
    const untilMs = performance.now() + HINTS_MS;
    let quietSinceMs = performance.now();
    let delivered = -1;
    for (;;) {
      const hints = await this.#hints();
      const nowMs = performance.now();
      if (hints.delivered !== delivered) quietSinceMs = nowMs;
      delivered = hints.delivered;
      const isQuiet = nowMs - quietSinceMs > HINTS_QUIET_MS;
      const isDone = Number.isNaN(hints.pending) ? isQuiet : hints.pending === 0;
      if (isDone || nowMs > untilMs) return hints;
      await new Promise((resume) => setTimeout(resume, HINTS_POLL_MS));
    }
  }

  /** Sums over the nodes; `pending` is NaN where /stats does not say. */
  async #hints(): Promise<{ delivered: number; pending: number }> {
    let delivered = 0;
    let pending = 0;
    for (const node of this.#cluster.nodes) {
      const text = await fetchText(`${node.url}/stats`);
      // /stats is an object of numbers by name.
      const stats = JSON.parse(text ?? "{}") as Record<string, number>;
      delivered += stats["hintsDelivered"] ?? 0;
      pending += stats["hintsPending"] ?? NaN;
    }
    return { delivered, pending };
  }

  /** Asks one node where the replicas of a file stand. */
  async #explain(file: StoredFile): Promise<void> {
    const path = objectPath(BUCKET, file.path).replace("/kv/", "/explain/");
    const reply = await this.#client.get(this.#cluster.nodes[0].url + path);
    // The shape is a promise of the product to its clients (GET /explain).
    const explanation = JSON.parse(reply?.body.toString() || "{}") as Explanation;
    const primaries = (explanation.preference ?? []).filter(({ role }) => role === "primary");
    const etag = primaries.find(({ state }) => state === "holds")?.etag;
    const holding = primaries.filter((one) => one.state === "holds" && one.etag === etag);
    this.#replicasMissing += NODES - holding.length;
  }

  #figures(
    writeSeconds: number,
    readSeconds: number,
    hints: { delivered: number; pending: number },
  ): TreeFigures {
    const count = (wanted: PutOutcome) => {
      return this.#stored.filter(({ outcome }) => outcome === wanted).length;
    };
    return {
      files: this.#options.paths.length,
      acknowledged: count("acknowledged"),
      acknowledgedBytes: this.#acknowledged().reduce((sum, { bytes }) => sum + bytes, 0),
      tooLarge: count("too large"),
      refused: count("refused"),
      unknown: count("unknown"),
      unreadable: this.#unreadable,
      retried: this.#retried,
      writeSeconds,
      readsRight: this.#readsRight,
      readSeconds,
      lost: this.#losses.size,
      losses: [...this.#losses.values()].slice(0, LOSSES_SHOWN),
      replicasMissing: this.#replicasMissing,
      hintsDelivered: hints.delivered,
      hintsPending: hints.pending,
      complaint: this.#complaint,
    };
  }
}

interface Explanation {
  readonly preference?: readonly {
    readonly role: string;
    readonly state: string;
    readonly etag: string;
  }[];
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}
