/** D8: every node is stopped and started again, one after the other, under load: nobody notices who tries twice. */

import type { Counts } from "../row.ts";
import type { Check } from "../suite.ts";
import { ChaosCluster, pause } from "./cluster.ts";
import { askOnce, numbersOf, SetLoad } from "./set-load.ts";

export async function rollingRestart(check: Check, seed: number, rounds: number): Promise<Counts> {
  const cluster = new ChaosCluster();
  try {
    const nodes = [cluster.add(), cluster.add(), cluster.add()];
    for (const node of nodes) await cluster.start(node);
    await cluster.settled(["n1", "n2", "n3"]);
    const load = new SetLoad(() => nodes);
    for (let restart = 0; restart < rounds * nodes.length; restart++) {
      await pause(2_000);
      const node = nodes[(seed + restart) % nodes.length];
      if (node === undefined) continue;
      await node.stop();
      await cluster.start(node);
      await node.ready();
      await cluster.settled(["n1", "n2", "n3"]);
    }
    await load.end();
    let lost = 0;
    for (const [key, numbers] of load.acknowledged.entries()) {
      const http = nodes[0]?.http ?? "";
      const answer = await askOnce(http, { method: "GET", path: `/kv/sets/${key}?r=3`, headers: ["Accept: application/json"] });
      const held = answer === null ? new Set<number>() : numbersOf(answer);
      lost += [...numbers].filter((number) => !held.has(number)).length;
    }
    check.equal(lost, 0, "acknowledged numbers that were lost");
    check.equal(load.errors, 0, `requests that failed twice (${load.reasons.join(" | ")})`);
    const { requests, firstErrors, errors } = load;
    return { restarts: rounds * nodes.length, requests, failedOnce: firstErrors, failedTwice: errors, acknowledged: load.count, lost };
  } finally {
    await cluster.end();
  }
}
