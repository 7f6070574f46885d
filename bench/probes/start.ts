/**
 * Starts the probes: the limits of this machine that every figure of halo is divided by.
 */

import { join } from "node:path";
import { type Children, fetchText, freePorts, ROOT, waitUntil } from "../children.ts";
import type { Contestant } from "../contestant.ts";
import { httpExchange } from "../load/http-exchange.ts";

const START_MS = 10_000;
const CLUSTER_NODES = 3;
const PATH = "/kv/bench/";

/** One process that answers 100 bytes to everything. */
export async function startEmptyServer(children: Children): Promise<Contestant> {
  const [port] = await freePorts(1);
  const script = join(ROOT, "bench/probes/empty-server.ts");
  const child = children.start("empty-server", process.execPath, [script, String(port)]);
  await waitUntil(() => isReady(port), "the empty server", [child], START_MS);
  const exchange = httpExchange({ path: PATH, putQuery: "", isValueChecked: false });
  return { name: "empty server", ports: [port], exchange, children: [child] };
}

/** Three processes that replicate to each other's Maps. */
export async function startEmptyCluster(children: Children): Promise<Contestant> {
  const ports = await freePorts(2 * CLUSTER_NODES);
  const httpPorts = ports.slice(0, CLUSTER_NODES);
  const tcpPorts = ports.slice(CLUSTER_NODES);
  const script = join(ROOT, "bench/probes/empty-cluster.ts");
  const started = httpPorts.map((httpPort, index) => {
    const peers = tcpPorts.filter((port) => port !== tcpPorts[index]);
    const args = [script, ...[httpPort, tcpPorts[index], ...peers].map(String)];
    return children.start(`empty-cluster-${index + 1}`, process.execPath, args);
  });
  for (const port of httpPorts) {
    await waitUntil(() => isReady(port), "the empty cluster", started, START_MS);
  }
  const exchange = httpExchange({ path: PATH, putQuery: "", isValueChecked: true });
  return { name: "empty cluster", ports: httpPorts, exchange, children: started };
}

async function isReady(port: number): Promise<boolean> {
  return (await fetchText(`http://127.0.0.1:${port}/ready`)) !== null;
}
