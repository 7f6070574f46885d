/**
 * Peer: Redis, one process, its append-only file synced every second; what one node is compared
 * with.
 *
 * A private server on a loopback port with a folder of its own. Its default promise is like a put
 * with DW=0: handed to the kernel, synced soon.
 */

import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Children, findProgram, freePorts, waitUntil } from "../children.ts";
import type { Contestant } from "../contestant.ts";
import { respExchange } from "../load/resp-exchange.ts";

const START_MS = 10_000;

/** Null where Redis is not installed. */
export async function startRedis(children: Children): Promise<Contestant | null> {
  const program = findProgram("redis-server");
  if (program === "") return null;
  const [port] = await freePorts(1);
  const folder = join(children.folder, "redis");
  mkdirSync(folder);
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const durability = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""];
  const child = children.start("redis", program, [...settings, ...durability]);
  await waitUntil(() => isAnswering(port), "Redis", [child], START_MS);
  return { name: "Redis everysec", ports: [port], exchange: respExchange, children: [child] };
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
