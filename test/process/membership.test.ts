/**
 * Three nodes become four and three again while a client writes, by the commands that an administrator
 * types; what was acknowledged is there at the end, on every node.
 */

import { join } from "node:path";
import t from "tap";
import type { ClusterReport } from "../../server/http/http-node.ts";
import type { LayoutPlan } from "../../server/membership/plan.ts";
import { halo, pause, type ServedNode, serveNode, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

async function reportOf(url: string): Promise<ClusterReport> {
  return (await (await fetch(`${url}/cluster`)).json()) as ClusterReport;
}

/** Whether a node knows of one layout, with so many members in it. */
async function isSettled(url: string, members: number): Promise<boolean> {
  const { members: all, layout } = await reportOf(url);
  return layout.live.length === 1 && all.filter(({ partitions }) => partitions > 0).length === members;
}

/** Writes one key after the other, through one node after the other, until it is told to stop. */
class Writer {
  readonly acknowledged: number[] = [];
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(urls: readonly string[]) {
    this.#ended = this.#write(urls);
  }

  async #write(urls: readonly string[]): Promise<void> {
    for (let index = 0; !this.#isStopped; index++) {
      const url = urls[index % urls.length] ?? "";
      const sent = { method: "PUT", body: `value ${index}` };
      const response = await fetch(`${url}/kv/load/${index}`, sent).catch(() => null);
      if (response?.status === 204) this.acknowledged.push(index);
      await pause(2);
    }
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#ended;
  }
}

async function missingAt(url: string, keys: readonly number[]): Promise<string[]> {
  const missing: string[] = [];
  for (const index of keys) {
    const response = await fetch(`${url}/kv/load/${index}`);
    const text = await response.text();
    if (text !== `value ${index}`) missing.push(`${index}: ${response.status} ${text.slice(0, 200)}`);
  }
  return missing;
}

t.test("three nodes, four, and three again under load: nothing is lost", async (t) => {
  const folder = temporaryFolder(t);
  const partitions = ["--partitions", "64"];
  const first = await serveNode(t, join(folder, "a"), ["--name", "a", ...partitions]);
  const nodes: ServedNode[] = [first];
  for (const name of ["b", "c"]) {
    nodes.push(await serveNode(t, join(folder, name), ["--name", name, "--join", first.tcp]));
  }
  await untilTrue(() => isSettled(first.url, 3));
  const writer = new Writer(nodes.map(({ url }) => url));
  const cli = (...given: string[]) => halo(["cluster", ...given, "--node", first.url]);

  const waiting = serveNode(t, join(folder, "d"), ["--name", "d", "--join", first.tcp, "--join-staged"]);
  await untilTrue(async () => (await reportOf(first.url)).staged.length === 1);
  t.match((await cli("status")).stdout, /^d at 127\.0\.0\.1:\d+ asks to be let in: commit its join$/m);
  const plan = JSON.parse((await cli("plan", "--json")).stdout) as LayoutPlan;
  t.match(plan, { refusal: "", movedSlots: 48, slots: 192 }, "a quarter of the slots moves");
  const shown = await cli("plan");
  t.match(shown.stdout, /48 of 192 slots move \(25\.0 %\)/);
  t.match(shown.stdout, `commit it with: halo cluster commit ${plan.version}-${plan.token}\n`);
  const stale = await cli("commit", `${plan.version - 1}`);
  t.equal(stale.code, 1);
  t.match(stale.stderr, /^halo: Layout \d+ was looked at, and layout \d+ is the newest/);
  t.equal((await cli("commit", `${plan.version}-${plan.token}`)).code, 0);
  const fourth = await waiting;
  await untilTrue(() => isSettled(fourth.url, 4));

  const left = await cli("leave", "b", "--commit");
  t.equal(left.code, 0, left.stderr);
  t.match(left.stdout, /committed layout \d+\n$/);
  const standing = async (): Promise<string> => {
    return (await reportOf(first.url)).members.find(({ name }) => name === "b")?.status ?? "left";
  };
  await untilTrue(async () => (await standing()) === "left");
  const second = nodes[1];
  t.equal((await fetch(`${second?.url}/kv/load/0`)).status, 503, "it takes no requests any more");
  second?.process.kill("SIGTERM");
  t.equal(await second?.process.ended, 0);
  await writer.stop();

  t.ok(writer.acknowledged.length > 50, `${writer.acknowledged.length} writes were acknowledged`);
  for (const url of [first.url, nodes[2]?.url ?? "", fourth.url]) {
    t.same(await missingAt(url, writer.acknowledged), [], `through ${url}`);
  }
  const again = await halo(["serve", "--data", join(folder, "b"), "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"]);
  t.equal(again.code, 1);
  t.match(again.stderr, /Cannot start: Node \w+ \(b\) has left this cluster/);
});
