/**
 * Starts nodes of `dist/halo`, one or a cluster, with folders and ports of their own, and can kill
 * and start them again. A cluster is ready when every node says so, knows all members and each owns
 * a part.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Child, type Children, fetchText, freePorts, ROOT, waitUntil } from "./children.ts";

const READY_MS = 30_000;
const VERSION_MS = 10_000;

/** The compiled binary. */
export const HALO = join(ROOT, "dist/halo");

export function isBuilt(binary: string): boolean {
  return existsSync(binary);
}

/** What the binary says of itself, in one line. */
export function haloVersion(binary: string): string {
  if (!isBuilt(binary)) return "halo not built";
  const asked = spawnSync(binary, ["version"], { encoding: "utf8", timeout: VERSION_MS });
  return asked.stdout?.trim().split("\n")[0] || "halo of unknown version";
}

export interface HaloNode {
  readonly name: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  /** http://127.0.0.1:PORT */
  readonly url: string;
}

/** Nodes that know each other. */
export class HaloCluster {
  readonly nodes: readonly HaloNode[];
  readonly #children: Children;
  readonly #binary: string;
  readonly #flags: readonly string[];
  readonly #running: Map<HaloNode, Child>;

  constructor(
    children: Children,
    binary: string,
    nodes: readonly HaloNode[],
    flags: readonly string[] = [],
  ) {
    this.nodes = nodes;
    this.#flags = flags;
    this.#children = children;
    this.#binary = binary;
    this.#running = new Map();
  }

  isRunning(node: HaloNode): boolean {
    return this.#running.has(node);
  }

  get running(): readonly Child[] {
    return [...this.#running.values()];
  }

  /** Starts a node; the first one founds the cluster, the others join it. */
  start(node: HaloNode): void {
    const founder = this.nodes[0];
    const listen = ["--http", `127.0.0.1:${node.httpPort}`, "--tcp", `127.0.0.1:${node.tcpPort}`];
    const join = node === founder ? [] : ["--join", `127.0.0.1:${founder.tcpPort}`];
    const data = `${this.#children.folder}/${node.name}`;
    const args = ["serve", "--data", data, "--name", node.name, ...listen, ...join, ...this.#flags];
    this.#running.set(node, this.#children.start(node.name, this.#binary, args));
  }

  /** SIGKILL. */
  async kill(node: HaloNode): Promise<void> {
    const child = this.#running.get(node);
    this.#running.delete(node);
    await child?.kill();
  }

  /** @throws Error with the logs when a node ends or is not ready within 30 s */
  async waitReady(nodes: readonly HaloNode[], members: number): Promise<void> {
    for (const node of nodes) {
      const isReady = () => isMemberOf(node, members);
      await waitUntil(isReady, `${node.name} to be ready`, this.running, READY_MS);
    }
  }
}

export interface HaloOptions {
  readonly binary: string;
  /** Of the names of its nodes. */
  readonly prefix: string;
  readonly count: number;
  /** Further nodes that are not started. */
  readonly spares?: number;
  /** Further flags of all nodes. */
  readonly flags?: readonly string[];
}

/** A running cluster. */
export async function startHalo(children: Children, options: HaloOptions): Promise<HaloCluster> {
  const { binary, prefix, count, spares = 0, flags = [] } = options;
  const all = count + spares;
  const ports = await freePorts(2 * all);
  const nodes = Array.from({ length: all }, (_, index) => ({
    name: `${prefix}-${index + 1}`,
    httpPort: ports[index],
    tcpPort: ports[all + index],
    url: `http://127.0.0.1:${ports[index]}`,
  }));
  const cluster = new HaloCluster(children, binary, nodes, flags);
  const started = nodes.slice(0, count);
  for (const [index, node] of started.entries()) {
    cluster.start(node);
    await cluster.waitReady([node], index + 1);
  }
  await cluster.waitReady(started, count);
  return cluster;
}

/** @throws Error where the bucket is refused */
export async function makeLwwBucket(node: HaloNode, bucket: string): Promise<void> {
  const answer = await fetch(`${node.url}/buckets/${bucket}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ policy: "lww" }),
  });
  if (answer.ok) return;
  throw new Error(`PUT /buckets/${bucket}: ${answer.status} ${await answer.text()}`);
}

interface ClusterReport {
  readonly members?: readonly { readonly partitions?: number }[];
}

async function isMemberOf(node: HaloNode, members: number): Promise<boolean> {
  if ((await fetchText(`${node.url}/readyz`)) === null) return false;
  const text = await fetchText(`${node.url}/cluster`);
  if (text === null) return false;
  // The shape is a promise of the product to its clients (GET /cluster).
  const report = JSON.parse(text) as ClusterReport;
  const owners = (report.members ?? []).filter((member) => (member.partitions ?? 0) > 0);
  return owners.length >= members;
}
