/** D7: a node dies with its disk, and another one takes its place by one command: every copy is there again. */

import type { Counts } from "../row.ts";
import type { Check } from "../suite.ts";
import { ChaosCluster, pause } from "./cluster.ts";
import { askOnce } from "./set-load.ts";

const CLIENTS = 32;

export async function replacement(check: Check, keys: number): Promise<Counts> {
  const cluster = new ChaosCluster();
  try {
    const nodes = [cluster.add(), cluster.add(), cluster.add()];
    for (const node of nodes) await cluster.start(node);
    await cluster.settled(["n1", "n2", "n3"]);
    const first = nodes[0]?.http ?? "";
    await each(keys, async (key) => {
      const body = new TextEncoder().encode(`value ${key}`);
      const answer = await askOnce(first, { method: "PUT", path: `/kv/keys/${key}?w=3`, body });
      check.ok(answer?.status === 204, `key ${key} is stored at all three`);
    });
    await nodes[2]?.kill();
    const heir = cluster.add(["--join-staged"]);
    await cluster.start(heir);
    await pause(1_000);
    await cluster.change("/cluster/replace", { node: "n3", by: "n4" });
    await cluster.settled(["n1", "n2", "n4"]);
    let lost = 0;
    // It answers alone where the two others must not: what it does not have itself is not found.
    for (const node of nodes.slice(0, 2)) await node?.kill();
    await each(keys, async (key) => {
      const answer = await askOnce(heir.http, { method: "GET", path: `/kv/keys/${key}?r=1` });
      if (answer?.status === 200 && new TextDecoder().decode(answer.body) === `value ${key}`) return;
      lost++;
    });
    check.equal(lost, 0, "keys that the new node does not have");
    return { keys, lost };
  } finally {
    await cluster.end();
  }
}

async function each(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}
