/**
 * A real node without room: no descriptors, under a flood of connections or for files, none for hints, no disk, no memory. Writes are
 * refused with the right sentence, reads and deletes go on, and it recovers without a restart.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, statfsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import type { ClusterReport } from "../../server/http/http-node.ts";
import { HALO, pause, serveNode, type ServedNode, statsOf, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

const MIB = 1 << 20;

async function put(url: string, key: string, body: string | Uint8Array): Promise<Response> {
  return fetch(`${url}/kv/b/${key}`, { method: "PUT", body: Buffer.from(body) });
}

/** The status of a request; 0 where the node does not take the connection. */
async function statusOf(request: () => Promise<Response>): Promise<number> {
  try {
    const response = await request();
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** A wave of connections, some silent, most with half a request; a quarter of them to the peers' door. */
function flood(url: string, tcp: string): Socket[] {
  return Array.from({ length: 200 }, (_, index) => {
    const { hostname, port } = new URL(index % 4 === 3 ? `tcp://${tcp}` : url);
    const words = index % 3 === 0 ? "" : "GET /healthz HTTP/1.1\r\nHo";
    const socket = connect(Number(port), hostname, () => socket.write(words));
    return socket.on("error", () => undefined);
  });
}

t.test("under ulimit -n 64 a flood takes no descriptor from the log", async (tt) => {
  const folder = join(temporaryFolder(tt), "data");
  const limited = ["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh", HALO];
  const { process: node, url, tcp } = await serveNode(tt, folder, [], limited);
  const shares = await statsOf(url);
  tt.match(shares, { descriptorsMax: 64, httpConnectionsMax: 18, peerConnectionsMax: 6 }, "shared out");
  tt.equal((await put(url, "before", "value")).status, 204, "before the flood");
  const waves: Socket[] = [];
  const done: number[] = [];
  const value = new Uint8Array(MIB);
  // More than a segment, so that files are opened meanwhile; a wave breaks upon every tenth write.
  // The door counts once a second while it is at rest: a fast machine has written all before that.
  const isShutOnce = (): boolean => /too many connections/.test(node.output);
  for (let tries = 0; (done.length < 70 || !isShutOnce()) && tries < 2_000; tries++) {
    if (done.length % 10 === 5 && waves.length < done.length * 20) {
      waves.push(...flood(url, tcp));
      await pause(20);
    }
    const status = await statusOf(() => put(url, `k${done.length}`, value));
    if (status === 0) await pause(20);
    else done.push(status);
  }
  tt.same(new Set(done), new Set([204]), "who gets in is served, none is refused for want of a file");
  tt.ok(done.length >= 70, `and they do get in: ${done.length}`);
  for (const socket of waves) socket.destroy();
  await untilTrue(async () => (await statusOf(() => fetch(`${url}/kv/b/before`))) === 200);
  const segments = readdirSync(join(folder, "objects")).filter((name) => name.endsWith(".log"));
  tt.ok(segments.length >= 2, `${segments.length} segments`);
  const after = await statsOf(url);
  tt.ok(after.httpShut > 0, `the door was shut ${after.httpShut} times`);
  tt.ok(after.wireTurnedAway > 0, `${after.wireTurnedAway} peers were turned away`);
  tt.equal(after.writesRefused, 0, "no write was refused");
  for (const told of [/too many connections/g, /connections are turned away/g]) {
    const lines = node.output.match(told)?.length ?? 0;
    tt.ok(lines >= 1 && lines < 20, `${told} stands in the log ${lines} times, of hundreds`);
  }
  await untilTrue(async () => (await statsOf(url)).httpConnections < 10);
  tt.match(await statsOf(url), { httpRefuses: 0 }, "the door is open");
});

t.test("fewer descriptors than a node needs are refused with a sentence", async (tt) => {
  const limited = ["-c", `ulimit -n 63; exec ${HALO} serve --http 127.0.0.1:0 --tcp 127.0.0.1:0`];
  const { status, stderr } = spawnSync("/bin/sh", limited, { cwd: temporaryFolder(tt) });
  tt.equal(status, 1);
  tt.match(String(stderr), "Cannot serve with 63 file descriptors, want 64 or more (ulimit -n)");
});

t.test("without a descriptor for the next file values are 507, and taken again when there is one", async (tt) => {
  const { url, process: node } = await serveNode(tt, join(temporaryFolder(tt), "data"));
  const limit = (soft: string): void => {
    const { status, stderr } = spawnSync("prlimit", ["--pid", String(node.pid), `--nofile=${soft}:`]);
    tt.equal(status, 0, String(stderr));
  };
  tt.equal((await put(url, "held", "value")).status, 204, "the connection that the rest goes over");
  const before = readdirSync(`/proc/${node.pid}/fd`).length;
  limit("8");
  // More than what is left of the segment that is being written.
  const value = new Uint8Array(MIB);
  let refused = new Response();
  for (let index = 0; index < 200 && refused.status !== 507; index++) refused = await put(url, `k${index}`, value);
  tt.equal(refused.status, 507);
  tt.equal(refused.headers.get("retry-after"), "5");
  tt.match(await refused.json(), { code: "files-full", outcome: "refused" });
  tt.equal(await (await fetch(`${url}/kv/b/held`)).text(), "value", "reads go on");
  limit(String(before + 64));
  await untilTrue(async () => (await put(url, "after", value)).status === 204);
});

t.test("a stand-in whose room for hints is used up says so, and still takes what it owns", async (tt) => {
  const folder = temporaryFolder(tt);
  const nodes: ServedNode[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    const seeds = nodes.length === 0 ? [] : ["--join", nodes[0].tcp];
    nodes.push(await serveNode(tt, join(folder, name), ["--name", name, "--hints-bytes-max", "1", ...seeds]));
  }
  const { url } = nodes[3];
  await untilTrue(async () => {
    const { members, layout } = (await (await fetch(`${url}/cluster`)).json()) as ClusterReport;
    return members.length === 4 && members.every(({ partitions }) => partitions > 0) && layout.live.length === 1;
  });
  for (const { process: node } of nodes.slice(0, 3)) node.kill("SIGKILL");
  const answers = new Map<number, Response>();
  await untilTrue(async () => {
    // One after the other, so that among so many names there are both kinds.
    for (let index = 0; index < 40; index++) {
      const answer = await fetch(`${url}/kv/b/k${index}?w=1&timeout=1000`, { method: "PUT", body: "v" });
      answers.set(answer.status, answer);
    }
    return answers.has(204) && answers.has(507);
  });
  const refused = answers.get(507);
  tt.equal(refused?.headers.get("retry-after"), "5");
  tt.match(await refused?.json(), { code: "hints-full", outcome: "refused" });
});

t.test("below the reserve of free disk values are 507, and taken again when there is space", async (tt) => {
  const folder = temporaryFolder(tt);
  const ballast = join(folder, "ballast");
  const made = spawnSync("fallocate", ["-l", "4G", ballast]);
  tt.equal(made.status, 0, String(made.stderr));
  const { bavail, bsize } = statfsSync(folder);
  const reserve = bavail * bsize + 2048 * MIB;
  const more = ["--free-bytes-min", String(reserve)];
  const data = join(folder, "data");
  rmSync(ballast);
  const { url } = await serveNode(tt, data, more);
  tt.equal((await put(url, "held", "value")).status, 204, "with space");
  tt.match(await statsOf(url), { diskRefuses: 0, diskBytesFreeMin: reserve }, "told");
  spawnSync("fallocate", ["-l", "4G", ballast]);
  // What was asked last counts for some megabytes.
  const value = new Uint8Array(MIB);
  let refused = new Response();
  await untilTrue(async () => {
    refused = await put(url, "more", value);
    return refused.status !== 204;
  });
  tt.equal(refused.status, 507);
  const problem = (await refused.json()) as { detail: string };
  tt.match(problem, { code: "disk-full", outcome: "refused" });
  tt.match(problem.detail, /the disk has \d+ free bytes, \d+ are kept in reserve/);
  tt.match(await statsOf(url), { diskRefuses: 1, memoryRefuses: 0 }, "told");
  tt.equal(await (await fetch(`${url}/kv/b/held`)).text(), "value", "reads go on");
  tt.equal((await fetch(`${url}/kv/b/held`, { method: "DELETE" })).status, 204, "deletes go on");
  rmSync(ballast);
  tt.equal((await put(url, "after", value)).status, 204, "space again, without a restart");
});

t.test("without memory new objects are 507, and taken again when there is some", async (tt) => {
  const more = ["--engine", "memory", "--max-memory-bytes", String(192 * MIB)];
  const { url } = await serveNode(tt, join(temporaryFolder(tt), "data"), more);
  const value = new Uint8Array(MIB).fill(1);
  let count = 0;
  let refused = new Response();
  await untilTrue(async () => {
    refused = await put(url, `k${count}`, value);
    if (refused.status === 204) count++;
    return refused.status !== 204 || count > 400;
  });
  tt.equal(refused.status, 507, `after ${count} MiB`);
  const problem = (await refused.json()) as { detail: string };
  tt.match(problem, { code: "memory-full", outcome: "refused" });
  tt.match(problem.detail, /\d+ bytes of memory are in use, new objects are taken again below \d+/);
  tt.match(await statsOf(url), { memoryRefuses: 1, memoryBytesMax: 192 * MIB }, "told");
  tt.equal((await fetch(`${url}/kv/b/k0`)).status, 200, "reads go on");
  for (let index = 0; index < count; index++) {
    const { status } = await fetch(`${url}/kv/b/k${index}`, { method: "DELETE" });
    if (status !== 204) tt.fail(`delete ${index} is ${status}`);
  }
  await untilTrue(async () => (await put(url, "after", value)).status === 204);
  tt.match(await statsOf(url), { memoryRefuses: 0 }, "memory again, without a restart");
});
