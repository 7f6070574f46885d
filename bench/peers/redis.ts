/**
 * Peer: Redis, one process with an append-only file; what one node is compared with.
 *
 * A private server on a loopback port with a folder of its own. The promise of "everysec" is like a put
 * with DW=0: handed to the kernel, synced soon; that of "always" like one with DW=1.
 */

import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Children, findProgram, freePorts, waitUntil } from "../children.ts";
import type { Contestant } from "../contestant.ts";
import { respExchange } from "../load/resp-exchange.ts";

const START_MS = 10_000;

/** Null where Redis is not installed. @param appendfsync when its file is synced */
export async function startRedis(
  children: Children,
  appendfsync: "everysec" | "always" = "everysec",
): Promise<Contestant | null> {
  const program = findProgram("redis-server");
  if (program === "") return null;
  const [port] = await freePorts(1);
  const id = `redis-${appendfsync}`;
  const folder = join(children.folder, id);
  mkdirSync(folder);
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const durability = ["--appendonly", "yes", "--appendfsync", appendfsync, "--save", ""];
  const child = children.start(id, program, [...settings, ...durability]);
  await waitUntil(() => isAnswering(port), "Redis", [child], START_MS);
  return { name: `Redis ${appendfsync}`, ports: [port], exchange: respExchange, children: [child] };
}

function isAnswering(port: number): Promise<boolean> {
  return new Promise((answered) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => socket.write("PING\r\n"));
    socket.on("data", (bytes) => {
      answered(bytes.toString().startsWith("+PONG"));
      socket.destroy();
    });
    socket.on("error", () => answered(false));
    socket.on("close", () => answered(false));
  });
}
