/**
 * A load balancer before the nodes of a cluster: HAProxy, one process and one thread, which passes the bytes of
 * each connection on to one of them, in turns. As many ports as there are nodes, so that a client with one
 * connection to each has one to every node, and does not know which.
 */

import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Children, findProgram, freePorts, waitUntil } from "./children.ts";

const START_MS = 10_000;

/** Its addresses, joined by commas; "" where HAProxy is not installed. @param nodes loopback ports */
export async function startBalancer(children: Children, nodes: readonly number[]): Promise<string> {
  const program = findProgram("haproxy");
  if (program === "") return "";
  const ports = await freePorts(nodes.length);
  const path = join(children.folder, "haproxy.cfg");
  writeFileSync(path, settings(ports, nodes));
  const child = children.start("haproxy", program, ["-db", "-f", path]);
  await waitUntil(() => isListening(ports[ports.length - 1]), "HAProxy", [child], START_MS);
  return ports.map((port) => `127.0.0.1:${port}`).join();
}

function settings(ports: readonly number[], nodes: readonly number[]): string {
  return [
    "global",
    "  nbthread 1",
    "defaults",
    "  mode tcp",
    "  timeout connect 5s",
    "  timeout client 10m",
    "  timeout server 10m",
    "listen nodes",
    ...ports.map((port) => `  bind 127.0.0.1:${port}`),
    "  balance roundrobin",
    ...nodes.map((port, index) => `  server node-${index} 127.0.0.1:${port}`),
    "",
  ].join("\n");
}

function isListening(port: number): Promise<boolean> {
  return new Promise((answered) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      answered(true);
      socket.destroy();
    });
    socket.on("error", () => answered(false));
  });
}
