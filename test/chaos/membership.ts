/**
 * D4: two nodes join three and leave again, under load, while a node is killed and the network is cut. Riak lost
 * writes so in almost every run (riak_kv #1754), Garage in ten of ten.
 *
 *   3 nodes ── +2 ──► 5 ── -2 ──► 3      the load goes on throughout
 *              └ kill -9, a cut └ again, at other moments
 */

import { SeededRandom } from "../random.ts";
import type { Counts } from "../row.ts";
import type { Check } from "../suite.ts";
import { ChaosCluster, pause } from "./cluster.ts";
import { askOnce, numbersOf, SetLoad } from "./set-load.ts";

const CUT_MS = 8_000;
const DOWN_MS = 2_000;

export async function membership(check: Check, seed: number, runs: number): Promise<Counts> {
  const counts: Counts = { runs: 0, acknowledged: 0, lost: 0, requests: 0, failedTwice: 0 };
  for (let run = 0; run < runs; run++) {
    const cluster = new ChaosCluster();
    try {
      await oneRun(cluster, new SeededRandom(seed + run), counts, check, `SEED=${seed + run} RUNS=1`);
      counts["runs"]++;
    } finally {
      await cluster.end();
    }
  }
  check.equal(counts["lost"], 0, "acknowledged numbers that were lost");
  return counts;
}

async function oneRun(
  cluster: ChaosCluster,
  random: SeededRandom,
  counts: Counts,
  check: Check,
  say: string,
): Promise<void> {
  const [first, second, third, fourth, fifth] = Array.from({ length: 5 }, () => cluster.add());
  for (const node of [first, second, third]) if (node !== undefined) await cluster.start(node);
  await cluster.settled(["n1", "n2", "n3"]);
  const load = new SetLoad(() => cluster.nodes.filter((node) => node.isUp));
  await pause(2_000);
  for (const node of [fourth, fifth]) if (node !== undefined) await cluster.start(node);
  await trouble(cluster, random, [0, 1, 2, 3, 4]);
  await cluster.settled(["n1", "n2", "n3", "n4", "n5"]);
  for (const name of ["n4", "n5"]) await cluster.change("/cluster/leave", { node: name });
  await trouble(cluster, random, [0, 1, 2]);
  await cluster.settled(["n1", "n2", "n3"]);
  await load.end();
  for (const node of [fourth, fifth]) await node?.stop();
  await cluster.settled(["n1", "n2", "n3"]);
  counts["acknowledged"] += load.count;
  counts["requests"] += load.requests;
  counts["failedTwice"] += load.errors;
  check.ok(load.count > 500, `${say}: ${load.count} acknowledged: too few to say anything`);
  for (const [key, numbers] of load.acknowledged.entries()) {
    for (const { http, name } of cluster.up) {
      const answer = await askOnce(http, { method: "GET", path: `/kv/sets/${key}?r=3`, headers: ["Accept: application/json"] });
      const held = answer === null ? new Set<number>() : numbersOf(answer);
      const lost = [...numbers].filter((number) => !held.has(number));
      counts["lost"] += lost.length;
      check.ok(lost.length === 0, `${say}: set ${key} through ${name} lacks ${lost.length}, such as ${lost[0]}`);
    }
  }
}

/** A kill and a cut, in one order or the other, some moments apart. */
async function trouble(cluster: ChaosCluster, random: SeededRandom, hosts: readonly number[]): Promise<void> {
  const kill = async (): Promise<void> => {
    const node = cluster.nodes[hosts[random.below(hosts.length)] ?? 0];
    await node?.kill();
    await pause(DOWN_MS);
    if (node !== undefined) await cluster.start(node);
  };
  const cut = async (): Promise<void> => {
    const alone = hosts[random.below(hosts.length)] ?? 0;
    const side = random.chance(1, 2) ? [alone] : [alone, (alone + 1) % hosts.length];
    cluster.network.cut(side);
    await pause(CUT_MS);
    cluster.network.heal(side);
  };
  const both = random.chance(1, 2) ? [kill, cut] : [cut, kill];
  for (const one of both) {
    await pause(random.below(2_000));
    await one();
  }
}
