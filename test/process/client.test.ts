/**
 * The client library as an application gets it: packed, installed without a network, and its README's example, as
 * written, on Node, Bun and Deno against three nodes; its types as the compiler sees them there.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import ts from "typescript";
import type { ClusterReport } from "../../server/http/http-node.ts";
import { connect, type HaloError, text } from "../../client/client.ts";
import { Authority } from "../certificates.ts";
import { Background, type Ended, HALO, halo, ROOT, type RunOptions, runProgram, serveNode, type ServedNode, statsOf, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(180_000);

/** What is needed of tap here. */
interface Test {
  teardown(callback: () => void): void;
}

const PACKAGE = join(ROOT, "dist/client");
const BIN = join(ROOT, "node_modules/.bin");

/** Runs a program without the loaders that tap puts into the environment of each child, and without colours. */
function plain(program: string, given: readonly string[], options: RunOptions): Promise<Ended> {
  return runProgram("env", ["-u", "NODE_OPTIONS", "-u", "FORCE_COLOR", program, ...given], options);
}

/** All ```ts blocks of the README as one program, and what its ```text blocks say that it prints. */
function example(): { program: string; output: string } {
  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const blocks = (language: string): string =>
    [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, block]) => block).join("");
  return { program: blocks("ts"), output: blocks("text") };
}

/** Three nodes that own the ring under one layout. */
async function startCluster(test: Test): Promise<ServedNode[]> {
  const first = await serveNode(test, temporaryFolder(test));
  const more = ["--join", first.tcp];
  const others = await Promise.all([1, 2].map(() => serveNode(test, temporaryFolder(test), more)));
  await untilTrue(async () => {
    const { members, layout } = (await (await fetch(`${first.url}/cluster`)).json()) as ClusterReport;
    return members.filter(({ partitions }) => partitions > 0).length === 3 && layout.live.length === 1;
  });
  return [first, ...others];
}

/** A folder in which the packed library is installed, from its file alone. */
async function install(test: Test): Promise<string> {
  if (!existsSync(join(PACKAGE, "client.js"))) throw new Error("dist/client is not there, want `make client` first");
  const folder = temporaryFolder(test);
  const npm = { cwd: folder, env: { npm_config_cache: join(folder, "cache") } };
  const packed = await plain("npm", ["pack", "--silent", PACKAGE], npm);
  if (packed.code !== 0) throw new Error(packed.stderr);
  writeFileSync(join(folder, "package.json"), '{"name": "shop", "private": true, "type": "module"}');
  const options = ["--offline", "--no-audit", "--no-fund", "--silent"];
  const installed = await plain("npm", ["install", ...options, `./${packed.stdout.trim()}`], npm);
  if (installed.code !== 0) throw new Error(installed.stderr);
  return folder;
}

t.test("the README's example runs as written on Node, Bun and Deno", async (tt) => {
  const { program, output } = example();
  tt.match(program, /127\.0\.0\.1:7171, 127\.0\.0\.1:7172/);
  tt.ok(output.split("\n").length > 7, output);
  const [folder, nodes] = await Promise.all([install(tt), startCluster(tt)]);
  // Each has buckets of its own; but for these and the addresses it is what the README says.
  const written = (runtime: string): string =>
    program
      .replace("127.0.0.1:7171, 127.0.0.1:7172", `${nodes[0].tcp}, ${nodes[1].tcp}`)
      .replace(/bucket(<.*?>)?\("/g, (found) => `${found}${runtime}-`);
  const stripped = ts.transpileModule(written("node"), {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  writeFileSync(join(folder, "node.js"), stripped.outputText);
  for (const runtime of ["bun", "deno"]) writeFileSync(join(folder, `${runtime}.ts`), written(runtime));
  const commands: readonly (readonly [string, string[]])[] = [
    [process.execPath, ["node.js"]],
    [join(BIN, "bun"), ["run", "bun.ts"]],
    [join(BIN, "deno"), ["run", "-A", "--no-remote", "deno.ts"]],
  ];
  for (const [command, given] of commands) {
    const ended = await plain(command, given, { cwd: folder });
    tt.equal(ended.stdout, output, `${command} ${ended.stderr}`);
    tt.equal(ended.code, 0);
  }
  const forwarded = await Promise.all(nodes.map(async ({ url }) => (await statsOf(url)).forwarded));
  tt.same(forwarded, [0, 0, 0]);
});

t.test("its types are complete by themselves, and check the example and what is wrong in it", async (tt) => {
  const folder = await install(tt);
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/example.ts"), example().program);
  const compilerOptions = { target: "ES2023", lib: ["ES2023", "DOM"], module: "NodeNext", strict: true, types: [], noEmit: true };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  const check = () => plain(join(ROOT, "node_modules/typescript-native/bin/tsc"), ["-p", "."], { cwd: folder });
  const right = await check();
  tt.equal(right.stdout, "", right.stderr);
  tt.equal(right.code, 0, right.stderr);
  const wrong = 'import { connect } from "halo-client";\nconst carts = connect("a:1").bucket<string[]>("carts");\n' +
    'await carts.put("alice", 7);\nawait carts.get("alice", { quorum: 2 });\n(await carts.get("alice")).value;\n';
  writeFileSync(join(folder, "src/wrong.ts"), wrong);
  const found = (await check()).stdout;
  for (const line of [3, 4, 5]) tt.match(found, new RegExp(`wrong\\.ts\\(${line},`), found);
});

t.test("a node that is killed under load costs no request: all are done, once, and all is there", async (tt) => {
  const nodes = await startCluster(tt);
  const client = connect(nodes.map(({ tcp }) => tcp), { timeoutMs: 20_000 });
  tt.teardown(() => client.close());
  const notes = client.bucket("notes", { codec: text });
  const written: string[] = [];
  let isKilled = false;
  const write = async (writer: number): Promise<void> => {
    for (let number = 0; number < 60 || !isKilled; number++) {
      const key = `${writer}-${number}`;
      await notes.put(key, key);
      written.push(key);
      if (number === 20 && writer === 0) {
        nodes[2].process.kill("SIGKILL");
        await nodes[2].process.ended;
        isKilled = true;
      }
    }
  };
  await Promise.all([0, 1, 2, 3].map(write));
  for (const key of written) {
    const { siblings } = await notes.siblings(key);
    if (siblings.length !== 1 || siblings[0].value !== key) tt.fail(`${key}: ${JSON.stringify(siblings)}`);
  }
  const listed: string[] = [];
  for await (const key of notes.keys({ pageSize: 50 })) listed.push(key);
  tt.same(listed.sort(), written.sort());
});

t.test("over TLS and with a token; without them, or to somebody else, it does not talk", async (tt) => {
  const folder = temporaryFolder(tt);
  const ours = new Authority("ours");
  const secret = join(folder, "secret");
  writeFileSync(secret, (await halo(["token", "secret"])).stdout);
  const token = (await halo(["token", "root", "--secret-file", secret])).stdout.trim();
  const places = ["--data", join(folder, "data"), "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--secret-file", secret];
  const node = new Background(tt, HALO, ["serve", "--json", ...places, ...ours.issueFiles(folder, { name: "node" })]);
  const [line] = await node.until(/^{"name".*$/m);
  const { tcp } = JSON.parse(line) as { tcp: string };
  const endOf = async (options: Parameters<typeof connect>[1]): Promise<string> => {
    const client = connect(tcp, { timeoutMs: 5_000, ...options });
    const notes = client.bucket("notes", { codec: text });
    const end = await notes.update("k", () => "v").then(() => notes.get("k"), (error: HaloError) => error);
    client.close();
    if (end === null || "value" in end) return end?.value ?? "nothing";
    return `${end.code} ${end.outcome}: ${end.message}`;
  };
  const { pem } = ours;
  tt.equal(await endOf({ token, tls: { ca: pem, serverName: null } }), "v");
  tt.equal(await endOf({ token, tls: { ca: pem, serverName: "node" } }), "v", "by the name in the certificate");
  tt.match(await endOf({ token, tls: { ca: pem, serverName: "other" }, timeoutMs: 1_000 }), /^unreachable refused: .*other/);
  tt.match(await endOf({ token, tls: { ca: new Authority("theirs").pem, serverName: null }, timeoutMs: 1_000 }), /^unreachable refused: .*certificate/);
  tt.match(await endOf({ token, tls: true, timeoutMs: 1_000 }), /^unreachable refused: .*certificate/);
  tt.match(await endOf({ token, timeoutMs: 1_000 }), /^unreachable refused/, "plain");
  // What the other runtimes make of the same options.
  const script = join(folder, "tls.mjs");
  writeFileSync(script, `
    import { connect } from ${JSON.stringify(join(PACKAGE, "client.js"))};
    for (const serverName of [null, "node", "other"]) {
      const halo = connect("${tcp}", { token: "${token}", timeoutMs: 1_000, tls: { ca: ${JSON.stringify(pem)}, serverName } });
      console.log(await halo.bucket("tls").update("k", () => "v").catch((error) => error.code));
      halo.close();
    }`);
  for (const [command, ...given] of [[join(BIN, "bun"), "run"], [join(BIN, "deno"), "run", "-A"]]) {
    const ended = await plain(command, [...given, script], { cwd: folder });
    tt.equal(ended.stdout, "v\nv\nunreachable\n", ended.stderr);
  }
  tt.match(await endOf({ tls: { ca: pem, serverName: null } }), /^unauthenticated refused: .*has to bring a token/);
  tt.match(await endOf({ token: "halo_x", tls: { ca: pem, serverName: null } }), /^unauthenticated refused: .*not known/);
});
