/** The commands of dist/halo: what they print, what they do, and their exit codes. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import {
  Background,
  HALO,
  halo,
  isAlive,
  ROOT,
  serveNode,
  temporaryFolder,
  untilTrue,
} from "./program.ts";

t.setTimeout(200_000);

t.test("a command that is called wrongly gets one sentence and exit code 2", async (t) => {
  const cases: [string[], RegExp][] = [
    [["nothing"], /'nothing' is not a command/],
    [["cluster"], /want cluster status/],
    [["cluster", "stauts"], /'cluster stauts' is not a command/],
    [["cluster", "commit"], /nothing follows cluster commit, want VERSION/],
    [["cluster", "commit", "seven"], /The version is 'seven', want what the plan ends with/],
    [["cluster", "commit", "7-12"], /The version is '7-12'/],
    [["cluster", "replace", "n1"], /'n1' follows cluster replace, want NODE BY/],
    [["cluster", "stage", "n1"], /Nothing is given to change, want --capacity or --zone/],
    [["cluster", "stage", "n1", "--capacity", "two"], /--capacity is 'two', want a whole number/],
    [["cluster", "leave", "n1", "--force"], /--force is given without --commit/],
    [["bucket"], /want bucket get, bucket set/],
    [["serve", "--prot", "1"], /'--prot' is not an option/],
    [["serve", "-x"], /'-x' is not an option/],
    [["serve", "extra"], /'extra' follows serve/],
    [["serve", "--data"], /--data is given without a value/],
    [["serve", "--data", "a", "--data", "b"], /--data is given twice/],
    [["serve", "--json=1"], /--json is given with the value '1'/],
    [["serve", "--http", "7070"], /--http is '7070', want host:port/],
    [["serve", "--http", "127.0.0.1:70700"], /--http is/],
    [["serve", "--http", "0.0.0.0:7070"], /loopback.*or --insecure/],
    [["serve", "--tcp", "192.168.1.1:7071"], /loopback.*or --insecure/],
    [["serve", "--http", "[::]:7070"], /loopback.*or --insecure/],
    [["serve", "--tcp", "0.0.0.0:7071", "--insecure"], /--tcp is '0.0.0.0:7071', want --advertise HOST:PORT/],
    [["serve", "--tcp", "[::]:7071", "--insecure"], /want --advertise/],
    [["serve", "--advertise", "0.0.0.0:7071"], /--advertise is '0.0.0.0:7071', want an address/],
    [["serve", "--join", "a,b"], /--join is 'a,b'/],
    [["serve", "--capacity", "0"], /--capacity is '0', want a whole number from 1/],
    [["serve", "--engine", "disk"], /want log or memory/],
    [["serve", "--partitions", "1000"], /want a power of two/],
    [["serve", "--partitions", "131072"], /from 1 to 65536/],
    [["serve", "--replicas", "9"], /from 1 to 8/],
    [["serve", "--w", "0"], /--w is '0'/],
    [["serve", "--max-value-bytes", "67108865"], /from 1 to 67108864/],
    [["serve", "--log", "xml"], /want text or json/],
    [["dev", "--http-port", "65535"], /--http-port is '65535'/],
    [["put"], /nothing follows put/],
    [["put", "cart"], /want BUCKET\/KEY/],
    [["put", "/k", "v"], /want BUCKET\/KEY/],
    [["put", "b/", "v"], /want BUCKET\/KEY/],
    [["put", "b/k"], /want VALUE, - or --file/],
    [["put", "b/k", "v", "--file", "f"], /want VALUE, - or --file/],
    [["put", "b/k", "v", "w"], /follows put/],
    [["put", "b/k", "v", "--meta", "x"], /want NAME=VALUE/],
    [["get", "b/k", "--node", "localhost"], /want a URL/],
    [["bucket", "set", "b", "policy"], /want NAME=VALUE/],
    [["list"], /nothing follows list/],
    [["list", "b", "--limit", "x"], /--limit is 'x', want a number from 1/],
    [["bucket", "empty", "b"], /no terminal to ask on, want --yes/],
  ];
  for (const [words, sentence] of cases) {
    const ended = await halo(words);
    t.equal(ended.code, 2, words.join(" "));
    t.match(ended.stderr, sentence);
    t.match(ended.stderr, /^halo: .*\n$/, "one line");
    t.equal(ended.stdout, "");
  }
});

t.test("settings: default, file, environment, then flag; unknown names are errors", async (t) => {
  const env = { HALO_ZONE: "hall", HALO_CAPACITY: "7" };
  const shown = await halo(["serve", "--capacity", "5", "--print-config"], { env });
  t.equal(shown.code, 0);
  t.match(shown.stdout, /^zone +hall +HALO_ZONE$/m);
  t.match(shown.stdout, /^capacity +5 +--capacity$/m);
  t.match(shown.stdout, /^http +127\.0\.0\.1:7070 +default$/m);
  const json = await halo(["serve", "--print-config", "--json"], { env });
  const entries = JSON.parse(json.stdout) as { name: string }[];
  t.match(entries.find(({ name }) => name === "capacity"), { value: "7", origin: "HALO_CAPACITY" });
  const unknown = await halo(["serve", "--print-config"], { env: { HALO_ZOEN: "hall" } });
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /HALO_ZOEN in the environment is not a setting/);
  const bad = await halo(["serve", "--print-config"], { env: { HALO_CAPACITY: "big" } });
  t.equal(bad.code, 2);
  t.match(bad.stderr, /HALO_CAPACITY is 'big'/);
  const flag = await halo(["serve", "--print-config"], { env: { HALO_INSECURE: "yes" } });
  t.match(flag.stderr, /HALO_INSECURE is 'yes', want true or false/);
  const path = join(temporaryFolder(t), "halo.toml");
  const example = await halo(["serve", "--example-config"]);
  writeFileSync(path, `${example.stdout}\nzone = "cellar"\ncapacity = 9\n`);
  const filed = await halo(["serve", "--print-config"], { env: { ...env, HALO_CONFIG: path } });
  t.match(filed.stdout, /^capacity +7 +HALO_CAPACITY$/m);
  const alone = await halo(["serve", "--config", path, "--print-config"]);
  t.match(alone.stdout, new RegExp(`^zone +cellar +${path}:\\d+$`, "m"));
  const absent = await halo(["serve", "--config", `${path}.old`]);
  t.match(absent, { code: 2, stderr: /halo\.toml\.old cannot be read: ENOENT/ });
});

t.test("objects: put, get, siblings, delete, with contexts, files and streams", async (t) => {
  const folder = temporaryFolder(t);
  const node = await serveNode(t, join(folder, "data"));
  const env = { HALO_NODE: node.url };
  const run = (words: string[], input: string | Uint8Array = "") => halo(words, { env, input });

  const put = await run(["put", "cart/u", "two books", "--content-type", "text/plain"]);
  t.equal(put.code, 0, put.stderr);
  t.match(put.stdout, /^stored cart\/u \(primaries=1, fallbacks=0\)\ncontext \S+\n$/);
  const get = await run(["get", "cart/u"]);
  t.equal(get.stdout, "two books");
  t.equal(get.code, 0);

  const beside = await run(["put", "cart/u", "a lamp", "--json", "--meta", "of=möbel"]);
  t.match(JSON.parse(beside.stdout), { status: 204, context: String, primaries: 1, fallbacks: 0 });
  const both = await run(["get", "cart/u"]);
  t.equal(both.code, 4);
  t.match(both.stdout, /^2 concurrent values\n/);
  t.match(both.stdout, "two books");
  t.match(both.stdout, "a lamp");
  const listed = await run(["get", "cart/u", "--json"]);
  t.equal(listed.code, 4);
  const { context, siblings } = JSON.parse(listed.stdout) as {
    context: string;
    siblings: { value: string; contentType: string; meta: object }[];
  };
  t.same(siblings.map(({ value }) => Buffer.from(value, "base64").toString()), [
    "two books",
    "a lamp",
  ]);
  t.same(siblings[1]?.meta, { of: "möbel" });
  t.equal((await run(["put", "cart/u", "both", "--context", context, "--meta", "a=ü"])).code, 0);
  const merged = JSON.parse((await run(["get", "cart/u", "--json"])).stdout) as typeof both & {
    siblings: { value: string; meta: object }[];
  };
  t.same(merged.siblings.map(({ value, meta }) => [atob(value), meta]), [["both", { a: "ü" }]]);

  const deleted = await run(["delete", "cart/u"]);
  t.match(deleted.stdout, /^deleted cart\/u/);
  t.equal(deleted.code, 0);
  const gone = await run(["get", "cart/u"]);
  t.equal(gone.code, 3);
  t.equal(gone.stdout, "");
  t.match(gone.stderr, /^halo: .*\n$/);

  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index & 255));
  t.equal((await run(["put", "bin/../odd /ü", "-"], bytes)).code, 0);
  t.same((await run(["get", "bin/../odd /ü"])).bytes, bytes);
  const path = join(folder, "value");
  writeFileSync(path, bytes.subarray(0, 1000));
  t.equal((await run(["put", "bin/f", "--file", path])).code, 0);
  t.equal((await run(["get", "bin/f", "--file", join(folder, "copy")])).code, 0);
  t.same(readFileSync(join(folder, "copy")), bytes.subarray(0, 1000));
  t.equal((await run(["put", "bin/empty", "-"])).code, 0);
  t.equal((await run(["get", "bin/empty"])).stdout, "");

  t.equal((await run(["put", "b/once", "1", "--if-absent"])).code, 0);
  const twice = await run(["put", "b/once", "2", "--if-absent"]);
  t.equal(twice.code, 1);
  t.equal((await run(["put", "b/k", "v", "--context", "nonsense"])).code, 1);
  t.equal((await run(["put", "b/k", "v", "--timeout", "0"])).code, 1);
  t.equal((await run(["put", "b/k", "v", "--w", "9"])).code, 1);
  t.equal((await run(["put", "b/big", "-"], Buffer.alloc((1 << 20) + 1))).code, 1);
  t.equal((await run(["put", "b/big", "-"], Buffer.alloc(1 << 20))).code, 0);
  t.equal((await run(["put", "b/f", "--file", join(folder, "none")])).code, 1);
});

t.test("completion: bash offers what the binary understands", (t) => {
  const script = `PATH=${join(ROOT, "dist")}:$PATH; source <(halo completion bash)
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _halo; echo "\${COMPREPLY[@]}"; }
    try halo cluster le; try halo serve --max-v; try halo com`;
  const run = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  t.equal(run.stdout, "leave\n--max-value-bytes\ncompletion\n", run.stderr);
  t.end();
});

t.test("batch: a result a line for each operation of a file, and work in the background is shown and paused", async (t) => {
  const folder = temporaryFolder(t);
  const node = await serveNode(t, join(folder, "data"));
  const on = ["--node", node.url];
  const file = join(folder, "operations");
  const operation = (index: number): string => JSON.stringify({ op: "put", bucket: "b", key: `${index}`, value: btoa(`value ${index}`) });
  const lines = Array.from({ length: 250 }, (_, index) => operation(index));
  writeFileSync(file, [...lines, "", JSON.stringify({ op: "get", bucket: "b", key: "249" })].join("\n"));
  const done = await halo(["batch", file, ...on]);
  t.equal(done.code, 0, done.stderr);
  const results = done.stdout.trim().split("\n").map((line) => JSON.parse(line) as { status: number; value?: string });
  t.equal(results.filter(({ status }) => status === 204).length, 250);
  t.equal(atob(results[250]?.value ?? ""), "value 249");
  writeFileSync(file, JSON.stringify({ op: "put", bucket: "b", key: "x", value: "eA==", context: "forged" }));
  t.match(await halo(["batch", file, ...on]), { code: 1, stdout: /"code":"bad-context"/ });
  writeFileSync(file, "nonsense");
  t.match(await halo(["batch", file, ...on]), { code: 2, stderr: /Line 1 is 'nonsense'/ });
  t.match(await halo(["batch", join(folder, "none"), ...on]), { code: 1, stderr: /Cannot read/ });
  t.match(await halo(["cluster", "transfers", ...on]), { code: 0, stdout: /all here/ });
  t.match(await halo(["cluster", "pause", "scrub", ...on]), { code: 0, stdout: /paused/ });
  t.match(await halo(["cluster", "background", ...on]), { code: 0, stdout: /paused/ });
  t.match(await halo(["cluster", "pause", "sleep", ...on]), { code: 2, stderr: /'sleep' is not a kind of work/ });
  node.process.kill("SIGKILL");
  await node.process.ended;
  const again = await serveNode(t, join(folder, "data"));
  t.match((await halo(["cluster", "background", "--node", again.url])).stdout, /paused/, "after kill -9, too");
  t.notMatch((await halo(["cluster", "resume", "scrub", "--node", again.url])).stdout, /paused/);
  mkdirSync(join(folder, "data", "pauses.cbor.new"));
  const unkept = await halo(["cluster", "pause", "scrub", "--node", again.url]);
  t.match(unkept, { code: 1, stderr: /did not answer, or cannot keep the order on disk/ }, "its disk does not take it");
  t.notMatch((await halo(["cluster", "background", "--node", again.url])).stdout, /paused/, "and nothing is paused");
});

t.test("explain, cluster status and bucket show and set what the cluster knows", async (t) => {
  const node = await serveNode(t, join(temporaryFolder(t), "data"), [
    "--name",
    "alpha",
    "--zone",
    "z",
  ]);
  const env = { HALO_NODE: node.url };
  const run = (words: string[]) => halo(words, { env });
  await run(["put", "cart/u", "v"]);
  const explained = await run(["explain", "cart/u"]);
  t.equal(explained.code, 0);
  t.match(explained.stdout, /position [0-9a-f]{32}, partition \d+ of 1024, layout 1/);
  t.match(explained.stdout, /^alpha +primary +yes +holds +1/m);
  t.match(JSON.parse((await run(["explain", "cart/u", "--json"])).stdout), { partitions: 1024 });
  const status = await run(["cluster", "status"]);
  t.match(status.stdout, /^alpha \(asked\) +[0-9a-f]{16} .* z +1 +1024 +member$/m);
  const report = JSON.parse((await run(["cluster", "status", "--json"])).stdout) as {
    members: object[];
  };
  t.match(report.members, [{
    name: "alpha",
    zone: "z",
    http: node.url,
    address: node.tcp,
  }]);

  const repaired = await run(["cluster", "repair"]);
  t.match(repaired, { code: 0, stdout: /^alpha +done +0 of 0 +0 +0 +-$/m });
  t.match(await run(["cluster", "repair", "cart", "--json"]), { code: 0, stdout: /"silent":\[\]/ });
  t.match(await run(["cluster", "repair", "cart", "--partition", "1"]), { code: 2, stderr: /both given/ });
  t.match(await run(["cluster", "repair", "--partition", "1024"]), { code: 1, stderr: /from 0 to 1023/ });

  t.match((await run(["bucket", "list"])).stdout, "no bucket has properties");
  t.equal((await run(["bucket", "set", "cart", "policy=lww", "r=1"])).code, 0);
  t.equal((await run(["bucket", "set", "cart", "w=all"])).code, 0);
  t.match((await run(["bucket", "list"])).stdout, /^cart +policy=lww r=1 w=all$/m);
  t.match((await run(["bucket", "get", "cart"])).stdout, /^w +all +set$/m);
  const bad = await run(["bucket", "set", "cart", "colour=red"]);
  t.equal(bad.code, 1);
  t.match(bad.stderr, "'colour' is not a bucket property");
  t.equal((await run(["bucket", "reset", "cart"])).code, 0);
  t.match(JSON.parse((await run(["bucket", "get", "cart", "--json"])).stdout), {
    properties: { policy: "siblings", r: "quorum" },
  });
});

t.test("a node that is not there is exit code 1, a write that broke off is 5", async (t) => {
  const nobody = createServer();
  await new Promise<void>((resolve) => nobody.listen(0, "127.0.0.1", resolve));
  const address = nobody.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  nobody.on("connection", (socket) => socket.once("data", () => socket.destroy()));
  const node = `http://127.0.0.1:${port}`;
  t.equal((await halo(["put", "b/k", "v", "--node", node])).code, 5);
  t.equal((await halo(["delete", "b/k", "--node", node])).code, 5);
  t.equal((await halo(["get", "b/k", "--node", node])).code, 1);
  await new Promise((resolve) => nobody.close(resolve));
  const ended = await halo(["put", "b/k", "v", "--node", node]);
  t.equal(ended.code, 1);
  t.match(ended.stderr, "Nothing answers at");
});

t.test("what keeps a node from running is one sentence and exit code 1", async (t) => {
  const folder = temporaryFolder(t);
  const node = await serveNode(t, join(folder, "data"));
  const http = node.url.slice("http://".length);
  const other = ["serve", "--data", join(folder, "other")];
  const cases: [string[], RegExp][] = [
    [[...other, "--http", http, "--tcp", "127.0.0.1:0"], /Cannot serve HTTP on .*another process/],
    [[...other, "--http", "127.0.0.1:0", "--tcp", node.tcp], /Cannot listen on .*another process/],
    [
      ["serve", "--data", join(folder, "data"), "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"],
      /./,
    ],
    [["serve", "--data", "/proc/none", "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"], /./],
  ];
  for (const [words, sentence] of cases) {
    const ended = await halo(words);
    t.equal(ended.code, 1, `${words.join(" ")}: ${ended.stderr}`);
    t.match(ended.stderr, /^halo: .*\n$/, "one line");
    t.match(ended.stderr, sentence);
  }
});

t.test("SIGTERM and SIGINT end a node with 0, and its data is there the next time", async (t) => {
  const data = join(temporaryFolder(t), "data");
  for (const [round, signal] of (["SIGTERM", "SIGINT"] as const).entries()) {
    const node = await serveNode(t, data);
    const env = { HALO_NODE: node.url };
    if (round > 0) t.equal((await halo(["get", "b/k"], { env })).stdout, "kept");
    else await halo(["put", "b/k", "kept"], { env });
    node.process.kill(signal);
    t.equal(await node.process.ended, 0, node.process.output);
  }
});

t.test("after kill -9 the data is there as well", async (t) => {
  const data = join(temporaryFolder(t), "data");
  const node = await serveNode(t, data);
  await halo(["put", "b/k", "kept"], { env: { HALO_NODE: node.url } });
  node.process.kill("SIGKILL");
  await node.process.ended;
  const again = await serveNode(t, data);
  t.equal((await halo(["get", "b/k"], { env: { HALO_NODE: again.url } })).stdout, "kept");
});

/** The three nodes that `halo dev` names, with their process ids. */
async function startDev(t: Parameters<typeof serveNode>[0], folder: string): Promise<{
  dev: Background;
  urls: string[];
  pids: number[];
}> {
  const words = ["dev", "--data", folder, "--http-port", "0", "--tcp-port", "0"];
  const dev = new Background(t, HALO, words);
  await dev.until(/\^C stops all three/);
  const rows = [...dev.output.matchAll(/^ {2}node-\d +(http:\S+) .*pid (\d+)$/gm)];
  return { dev, urls: rows.map((row) => row[1] ?? ""), pids: rows.map((row) => Number(row[2])) };
}

t.test("halo dev: three nodes replicate, a death is told, ^C ends all", async (t) => {
  const { dev, urls, pids } = await startDev(t, temporaryFolder(t));
  t.equal(urls.length, 3);
  const [first = "", second = "", third = ""] = urls;
  t.equal((await halo(["put", "b/k", "v", "--node", first])).code, 0);
  t.equal((await halo(["get", "b/k", "--node", third])).stdout, "v");
  process.kill(pids[1] ?? 0, "SIGKILL");
  const told = await dev.until(/node-2 ended by SIGKILL; start it again with\n {2}(\S.*)\n/);
  t.match(told[1], /serve --name node-2 .* --join 127\.0\.0\.1:\d+$/);
  t.equal((await halo(["put", "b/k2", "w", "--node", third])).code, 0, "two of three are a quorum");
  t.equal((await halo(["get", "b/k2", "--node", first])).stdout, "w");
  t.equal((await halo(["get", "b/k2", "--node", second])).code, 1);
  dev.kill("SIGINT");
  t.equal(await dev.ended, 0, dev.output);
  for (const pid of pids) t.notOk(isAlive(pid), `${pid} is gone`);
});

t.test("halo dev: no node outlives it, even when it is killed", async (t) => {
  const { dev, pids } = await startDev(t, temporaryFolder(t));
  dev.kill("SIGKILL");
  await dev.ended;
  await untilTrue(() => pids.every((pid) => !isAlive(pid)));
  t.pass("all three are gone");
});

t.test("halo dev says which node does not come up, and leaves none behind", async (t) => {
  const folder = temporaryFolder(t);
  const node = await serveNode(t, join(folder, "data"));
  const port = Number(node.tcp.slice(node.tcp.lastIndexOf(":") + 1));
  const words = [
    "dev",
    "--data",
    join(folder, "dev"),
    "--http-port",
    "0",
    "--tcp-port",
    String(port),
  ];
  const ended = await halo(words);
  t.equal(ended.code, 1);
  t.match(ended.stderr, /^halo: node-1 ended with exit code 1 before it was up, .*node-1\.log\n$/);
});
