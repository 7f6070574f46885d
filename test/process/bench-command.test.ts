/** halo bench: what it measures adds up, it touches its own bucket alone, and it says what is wrong in one sentence. */

import { join } from "node:path";
import t from "tap";
import { halo, type ServedNode, serveNode, temporaryFolder } from "./program.ts";

t.setTimeout(200_000);

let node: ServedNode;

t.before(async () => {
  node = await serveNode(t, join(temporaryFolder(t), "data"));
});

function bench(...more: string[]) {
  return halo(["bench", "--node", node.url, "--keys", "50", "--connections", "4", "--seconds", "1", ...more]);
}

t.test("at a rate: so many requests as were due, in JSON; the bucket has last writes win, and its keys", async (tt) => {
  const { code, stdout, stderr } = await bench("--rate", "200", "--gets", "100", "--json", "--all-nodes", "--distribution", "zipf");
  tt.match({ code, stderr }, { code: 0, stderr: "" });
  const wanted = { seconds: 1, rate: 200, keys: 50, valueSize: 100, distribution: "zipf", errors: {} };
  tt.match(JSON.parse(stdout), { ...wanted, get: { requests: 200, failed: 0 }, put: { requests: 0 }, all: { requests: 200 } });
  const keys = await halo(["list", "halo-bench", "--node", node.url]);
  tt.equal(keys.stdout.trim().split("\n").length, 50);
  tt.match((await halo(["bucket", "get", "halo-bench", "--node", node.url])).stdout, /^policy +lww +set$/m);
});

t.test("without a rate: a table, both kinds, nothing failed", async (tt) => {
  const { code, stdout } = await bench("--no-fill", "--value-size", "2000");
  tt.equal(code, 0);
  tt.match(stdout, /^1\.0 s, 4 connections, as fast as they are answered; 50 keys of 2000 bytes\n {5}requests  failed +per s +p50/);
  for (const kind of ["get", "put", "all"]) tt.match(stdout, new RegExp(`^${kind} +[1-9]\\d* +0 +[1-9]`, "m"));
});

t.test("what is refused is counted by its code, and the exit code is 1", async (tt) => {
  const place = ["--bucket", "short", "--no-fill"];
  await halo(["bucket", "set", "short", "policy=lww", "w=3", "--node", node.url]);
  const { code, stdout } = await bench(...place, "--rate", "20", "--gets", "0");
  tt.equal(code, 1);
  tt.match(stdout, /^put +20 +20 +0 /m);
  tt.match(stdout, /^failed: 20 with \d{3} [a-z-]+$/m);
});

t.test("a bucket that keeps siblings is left alone; numbers out of range are usage errors", async (tt) => {
  tt.match(await bench("--bucket", "cart"), { code: 1, stdout: "", stderr: /cart keeps siblings.*want one with policy=lww\n$/ });
  const cases: [string, string][] = [
    ["seconds", "0"], ["seconds", "601"], ["rate", "0"], ["rate", "fast"], ["connections", "257"],
    ["gets", "101"], ["keys", "0"], ["value-size", "1048577"], ["distribution", "normal"],
  ];
  for (const [name, value] of cases) {
    const ended = await halo(["bench", `--${name}`, value]);
    tt.match(ended, { code: 2, stdout: "", stderr: new RegExp(`^halo: --${name} is '${value}', want .*\n$`) }, `${name} ${value}`);
  }
  tt.match(await halo(["bench", "--node", "http://127.0.0.1:1"]), { code: 1, stderr: /Nothing answers/ });
});
