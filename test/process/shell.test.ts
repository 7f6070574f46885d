/** halo shell: names in the bucket at hand, contexts that go on, scripts that end where they fail, and a terminal. */

import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { HALO, halo, type ServedNode, serveNode, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

let node: ServedNode;
let folder: string;

t.before(async () => {
  folder = temporaryFolder(t);
  node = await serveNode(t, join(folder, "data"));
});

function script(
  lines: readonly string[],
  ...more: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return halo(["shell", ...more, "--node", node.url], { input: `${lines.join("\n")}\n` });
}

t.test("names without a bucket mean the one at hand; quotes are those of other shells", async (tt) => {
  const { code, stdout, stderr } = await script([
    "# two words, and a key with a space",
    "use cart",
    `put 'user 17' "a \\"b\\" c"`,
    "put user\\ 18 d --content-type text/plain",
    "put a/b deep",
    "put /other/x elsewhere",
    "list",
  ]);
  tt.same([code, stderr], [0, ""]);
  tt.same(stdout.trim().split("\n").slice(-3).sort(), ["a%2Fb", "user%2017", "user%2018"]);
  tt.equal((await halo(["get", "cart/user 17", "--node", node.url])).stdout, `a "b" c`);
  tt.equal((await halo(["get", "other/x", "--node", node.url])).stdout, "elsewhere");
});

t.test("a put goes on from what was shown: siblings are resolved, and none are made", async (tt) => {
  for (const value of ["one", "two"]) await halo(["put", "cart/both", value, "--node", node.url]);
  const { code, stdout } = await script(["use cart", "get both", "put both three", "put both four", "get both"]);
  tt.match(stdout, /^2 concurrent values\n/);
  tt.match(stdout, /four$/, "what was put is what there is");
  tt.equal(code, 0, "siblings are no failure");
  await script(["put cart/both five"]);
  tt.equal((await halo(["get", "cart/both", "--node", node.url])).code, 4, "another shell has seen nothing of it");
});

t.test("a script ends at the first line that fails, with its exit code", async (tt) => {
  const cases: [line: string, code: number, wanted: RegExp][] = [
    ["get cart/nothing", 3, /No object is stored/],
    ["nonsense", 2, /'nonsense' is not a command[^]*\nhalo: line 1 failed\n$/],
    ["put cart/k -", 2, /put would read standard input, where the lines come from; want a value, or --file FILE/],
    ["import cart", 2, /import would read standard input, .* want a FILE/],
    ["batch", 2, /batch would read standard input, .* want a FILE/],
    ["serve", 2, /'serve' is not for this shell/],
    ["use a/b", 2, /use is given 'a\/b', want one BUCKET/],
    ["put 'open", 2, /The quote at ''open' is not closed/],
    ["list", 2, /nothing follows list, want BUCKET/],
  ];
  for (const [line, code, wanted] of cases) {
    const ended = await script([line, "put cart/after x"]);
    tt.match(ended, { code, stdout: "", stderr: wanted }, line);
  }
  tt.equal((await halo(["get", "cart/after", "--node", node.url])).code, 3, "nothing after it was done");
  tt.equal((await script(["exit", "nonsense"])).code, 0, "exit ends it");
});

t.test("a bucket from the start, and a script that keeps going", async (tt) => {
  const file = join(folder, "lines");
  await halo(["put", "kept/k", "v", "--node", node.url]);
  await halo(["export", "kept", file, "--node", node.url]);
  const lines = ["get nothing", "nonsense", `import ${file}`, "bucket set policy=lww", "get k"];
  const ended = await script(lines, "other", "--keep-going");
  tt.match(ended, { code: 3, stdout: /imported 1 objects into other\n[^]*policy +lww[^]*v$/ }, "the first failure's code");
  tt.match(ended.stderr, /^halo: No object.*\nhalo: line 1 failed\nhalo: 'nonsense'.*\nhalo: line 2 failed\n$/);
  tt.match(await script([], "a/b"), { code: 2, stderr: /use is given 'a\/b'/ });
});

t.test("on a terminal: a prompt, the tabulator completes commands, buckets and keys, and lines are remembered", async (tt) => {
  if (spawnSync("script", ["--version"]).status !== 0) return tt.end();
  const env = { ...process.env, XDG_STATE_HOME: folder, NODE_OPTIONS: "" };
  const child = spawn("script", ["-qefc", `${HALO} shell --node ${node.url}`, "/dev/null"], { env });
  let shown = "";
  child.stdout.on("data", (piece: Buffer) => (shown += piece.toString()));
  await untilTrue(() => shown.includes("halo> "));
  child.stdin.write("use cart\n");
  await untilTrue(() => shown.includes("cart> "));
  child.stdin.write("put alone 'here it is'\n");
  await untilTrue(() => shown.includes("stored cart/alone"));
  child.stdin.write("ge\t");
  await untilTrue(() => shown.includes("get "));
  child.stdin.write("alo\t");
  await untilTrue(() => shown.includes("get alone"));
  child.stdin.write("\n");
  await untilTrue(() => /here it is\r?\n/.test(shown.slice(shown.indexOf("get alone"))));
  child.stdin.write("put 'with space' 'there too'\n");
  await untilTrue(() => shown.includes("stored cart/with%20space") || shown.includes("stored cart/with space"));
  child.stdin.write("get wi\t");
  await untilTrue(() => shown.includes("get 'with space'"));
  child.stdin.write("\n");
  await untilTrue(() => shown.includes("there too", shown.indexOf("get 'with space'")));
  child.stdin.write("exit\n");
  tt.equal(await new Promise((resolve) => child.on("close", resolve)), 0);
  tt.match(readFileSync(join(folder, "halo/history"), "utf8"), /^use cart\nput alone 'here it is'\nget alone ?\nput 'with space' 'there too'\nget 'with space' ?\nexit\n$/);
  return tt.end();
});
