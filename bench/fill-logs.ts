/**
 * Fills the nodes of a stopped cluster beside it, which is much faster than through it: the log of one is written and
 * copied to the others. REQUIRES: every node owns everything (three nodes, three copies)
 */

import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../server/ports/clock.ts";
import { openDataDirectory } from "../server/ports/disk.ts";
import { type LogEngine, openLogEngine } from "../storage/log/log-engine.ts";
import { OPTIONS } from "../test/storage/engine-beds.ts";
import { LABELS, nameOf, payloadOf, setOf } from "../test/storage/sets.ts";
import type { Children } from "./children.ts";
import type { HaloCluster } from "./halo.ts";

const WRITES_A_TURN = 500;

/** What is written, in this order: names, some of them more than once. */
export type Names = Iterable<string>;

/** Stops the nodes that run, writes one's log, gives it to the others, and starts them again. */
export async function fillLogs(
  children: Children,
  cluster: HaloCluster,
  names: Names,
  valueBytes: number,
): Promise<void> {
  const nodes = cluster.nodes.filter((node) => cluster.isRunning(node));
  for (const node of nodes) await cluster.kill(node);
  const [first, ...others] = nodes.map((node) => join(children.folder, node.name));
  await fill(first, names, valueBytes);
  for (const other of others) {
    rmSync(join(other, "objects"), { recursive: true });
    cpSync(join(first, "objects"), join(other, "objects"), { recursive: true });
  }
  // What was copied goes to the disk now and not under the measured puts.
  spawnSync("sync");
  for (const node of nodes) cluster.start(node);
  await cluster.waitReady(nodes, nodes.length);
}

async function fill(folder: string, names: Names, valueBytes: number): Promise<void> {
  const data = openDataDirectory(folder);
  const engine = open(data.disk);
  const payload = payloadOf(1, valueBytes);
  let counter = 0;
  for (const name of names) {
    const { status } = engine.write(nameOf(name), setOf({ counter: ++counter, payload }), LABELS);
    if (status !== "done") throw new Error(`write is ${status}`);
    if (counter % WRITES_A_TURN === 0) await new Promise<void>((done) => engine.handedOver(() => done()));
  }
  await new Promise<void>((done) => engine.close(done));
  data.release();
}

function open(disk: Parameters<typeof openLogEngine>[0]): LogEngine {
  const opened: LogEngine[] = [];
  const soon = (callback: () => void): void => systemClock.soon(callback);
  const options = { ...OPTIONS, folder: "objects", partitionBits: 10, soon };
  openLogEngine(disk, options, (engine, error) => {
    if (engine === null) throw new Error(error);
    opened.push(engine);
  });
  return opened[0];
}
