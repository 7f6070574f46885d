/**
 * What is a rule is a test: the product's files keep the floors, leave the outside world to the
 * ports, and hold no leftovers. (The rules, with what to write instead: house-rules.ts.)
 *
 * Each rule is shown a planted fault first: a rule that cannot find one proves nothing.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { hotCount, hotFaults, unmeasured } from "./hot-rules.ts";
import { fileFaults, importFaults, isProduct, rootFaults, type Source } from "./house-rules.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const HEAD = "/** A file. */\n";

function sourcesUnder(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => join(folder, path))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

const folders = readdirSync(root);
const product = ["core", "storage", "server", "client"]
  .filter((folder) => folders.includes(folder))
  .flatMap(sourcesUnder)
  .filter(({ path }) => isProduct(path));

function planted(path: string, text: string): string[] {
  return fileFaults({ path, text: HEAD + text });
}

t.test("the rules find what is planted in a file", (tt) => {
  const faulty: readonly (readonly [string, string, RegExp])[] = [
    ["core/a.ts", "const now = Date.now();", /core\/a\.ts:2: Date\.now; use the clock port/],
    ["server/http/a.ts", "const now = new Date();", /new Date\(\); use the clock port/],
    ["server/node.ts", "setTimeout(run, 1);", /setTimeout; use the clock port's timers/],
    ["server/node.ts", "globalThis.setTimeout(run, 1);", /setTimeout; use/],
    ["server/wire/a.ts", "const r = Math.random();", /Math\.random; use the random port/],
    ["client/a.ts", "performance.mark('a');", /performance; use/],
    ["client/a.ts", "const id = crypto.randomUUID();", /crypto\.randomUUID; use/],
    ["storage/a.ts", "const text = process.env.HOME;", /process; use a port/],
    ["server/http/a.ts", "Bun.serve({});", /Bun; use a port/],
    ["server/cli/a.ts", "Deno.exit();", /Deno; use a port/],
    ["server/cli/a.ts", 'import { a } from "node:fs";', /"node:fs"; use a port/],
    ["server/cli/a.ts", 'const b = await import("node:fs");', /"node:fs"; use a port/],
    ["storage/a.ts", "const x = Math.log(2);", /Math\.log differs between runtimes/],
    ["server/ports/a.ts", "console.log(1);", /console\.log; use the log port/],
    ["core/a.ts", "let a: any;", /"any"; use unknown/],
    ["core/a.ts", "const a = b!.c;", /"!"; test for null/],
    ["core/a.ts", "const a = b as unknown as C;", /"as … as"/],
    ["core/a.ts", "export default 1;", /a default export/],
    ["core/a.ts", "// TODO: more\nconst a = 1;", /core\/a\.ts:2: TODO; do it/],
    ["core/a.ts", "const a = 1; // FIXME", /FIXME; do it/],
    ["core/a.ts", "// @ts-ignore\nconst a = 1;", /@ts-ignore; do it/],
    ["core/a.ts", "const a = 1;\n// const b = a + 1;", /commented-out code.*const b/],
    ["core/a.ts", "/*\n * if (a) {\n */\nconst a = 1;", /commented-out code.*if \(a\) \{/],
    ["core/a.ts", "function f() {\n  // this.close();\n}", /commented-out code/],
    ["core/utils.ts", "const a = 1;", /named by the one concept/],
    ["core/someThing.ts", "const a = 1;", /named by the one concept/],
  ];
  for (const [path, text, fault] of faulty) {
    tt.match(planted(path, text).join("\n"), fault, `${path}: ${text}`);
  }
  const headless = fileFaults({ path: "core/a.ts", text: "const a = 1;\n/** Late. */" });
  tt.match(headless.join("\n"), /no head comment/, "no head comment");
  tt.end();
});

t.test("the rules leave alone what is right", (tt) => {
  const right: readonly (readonly [string, string])[] = [
    ["server/ports/clock.ts", 'import fs from "node:fs";\nsetTimeout(a, Date.now());'],
    ["client/runtime.ts", 'import net from "node:net";\nconst now = Date.now();'],
    ["core/a.ts", "const a = new Date(5); // Date.now, and any! word"],
    ["core/a.ts", "const a = 'Bun.serve(); // TODO: const b = 1;';"],
    ["core/a.ts", "interface A { setTimeout(): void }\nfunction f(a: A) { a.setTimeout(); }"],
    ["core/a.ts", "function f(process: number) { return process + 1; }"],
    ["core/a.ts", "// Returns early; if (and only if) nothing is left, it waits.\nconst a = 1;"],
    ["server/http/a.ts", "const a = Math.log(2);"],
    ["core/md5-batch.ts", "if (a !== b) c();"],
  ];
  for (const [path, text] of right) tt.same(planted(path, text), [], `${path}: ${text}`);
  tt.end();
});

t.test("the rules find what is wrong between files", (tt) => {
  const files = (...list: (readonly [string, string])[]): Source[] =>
    list.map(([path, text]) => ({ path, text }));
  const main = 'import "../node.ts";';
  const above = /a floor above/;
  const circle = /a circle/;
  const faulty: readonly (readonly [readonly Source[], RegExp])[] = [
    [files(["core/a.ts", 'import "../storage/b.ts";'], ["storage/b.ts", ""]), above],
    [files(["server/wire/a.ts", 'import "../http/b.ts";'], ["server/http/b.ts", ""]), above],
    [files(["server/cli/main.ts", ""], ["server/node.ts", 'import "./cli/main.ts";']), above],
    [files(["client/a.ts", 'import "../storage/b.ts";'], ["storage/b.ts", ""]), above],
    [files(["server/http/a.ts", 'import "../../client/b.ts";'], ["client/b.ts", ""]), above],
    [files(["core/a.ts", 'import "./b.ts";'], ["core/b.ts", 'export * from "./a.ts";']), circle],
    [files(["core/a.ts", 'import "hono";']), /core and storage import no package/],
    [files(["core/a.ts", 'import "./b";'], ["core/b.ts", ""]), /with its ending \.ts/],
    [files(["core/a.ts", 'export { b } from "../test/b.ts";']), /is no product file/],
    [files(["core/a.ts", ""]), /core\/a\.ts: no product file imports it/],
  ];
  for (const [sources, fault] of faulty) {
    tt.match(importFaults(sources, []).join("\n"), fault, `${fault}`);
  }
  const right = files(["server/cli/main.ts", main], ["server/node.ts", 'import "../core/a.ts";']);
  tt.same(importFaults([...right, ...files(["core/a.ts", ""])], []), [], "a straight tower");
  const bench = files(["bench/a.ts", 'import "../core/b.ts";']);
  tt.same(importFaults([...files(["core/b.ts", ""])], bench), [], "a bench may be all that asks");
  tt.same(rootFaults(["core", "dist", "notes.txt"], ["dist"]).length, 1, "the root");
  tt.end();
});

t.test("every product file keeps the rules", (tt) => {
  tt.ok(product.length > 20, `${product.length} files`);
  for (const source of product) for (const fault of fileFaults(source)) tt.fail(fault);
  tt.end();
});

t.test("the rules of hot functions find what is planted", (tt) => {
  const hot = (body: string): Source => ({
    path: "core/a.ts",
    text: `${HEAD}/** Fast. @hot */\nexport function a(b: Uint8Array): void {\n${body}\n}`,
  });
  const faulty: readonly (readonly [string, RegExp])[] = [
    ["const c = new Uint8Array(1);", /core\/a\.ts: a: new Uint8Array/],
    ["const c = b.subarray(1);", /\.subarray\(\)/],
    ["const [c] = b;", /an iteration/],
    ["c([1]);", /an array/],
    ["c({ b });", /an object/],
    ["c(() => b);", /a function/],
    ["c(`${b}`);", /a text/],
    ["for (const c of b) d(c);", /for…of/],
    ["try { c(); } finally { d(); }", /try/],
    ["c(1n);", /a BigInt/],
  ];
  for (const [body, fault] of faulty) tt.match(hotFaults(hot(body)).join(), fault, body);
  tt.same(hotFaults(hot("if (c) throw new Error(`${b}`);")), [], "what is thrown may be made");
  const method = { path: "core/b.ts", text: "class B {\n  /** @hot */\n  b() {}\n  #c() {}\n}" };
  const suite = (text: string): Source => ({ path: "test/core/a-suite.ts", text });
  const both = [hot(""), method];
  tt.match(unmeasured(both, [suite("a(); one.b();")]), [/ a is hot/, / b is hot/], "both");
  const inside = "allocatesNothing(check, 'a', () => a()); steadyHeapGrowth((n) => one.b(n), 5);";
  tt.same(unmeasured(both, [suite(inside)]), [], "measured");
  const calling = [hot("one.b();"), method];
  tt.same(unmeasured(calling, [suite("allocatesNothing(c, 'a', () => a());")]), [], "through a");
  const own = "function noHeap(run) { steadyHeapGrowth(run, 5); }\nnoHeap(() => { a(); one.b(); });";
  tt.same(unmeasured(both, [suite(own)]), [], "by a function of the suite's own");
  tt.end();
});

t.test("hot functions make nothing, and a suite measures each of them", (tt) => {
  const core = product.filter(({ path }) => path.startsWith("core/"));
  const suites = sourcesUnder("test/core").filter(({ path }) => path.endsWith("-suite.ts"));
  tt.ok(hotCount(core) > 50, `${hotCount(core)} hot functions`);
  for (const fault of core.flatMap(hotFaults)) tt.fail(fault);
  for (const fault of unmeasured(core, suites)) tt.fail(fault);
  tt.end();
});

t.test("imports point down, never in a circle, and leave nothing out", (tt) => {
  for (const fault of importFaults(product, sourcesUnder("bench"))) tt.fail(fault);
  tt.pass("all imports were walked");
  tt.end();
});

t.test("the root holds what belongs there", (tt) => {
  const ignored = readFileSync(join(root, ".gitignore"), "utf8").split("\n");
  const names = ignored.map((line) => line.replace(/\/$/, "")).filter((line) => line !== "");
  for (const fault of rootFaults(readdirSync(root), names)) tt.fail(fault);
  tt.pass("all entries were looked at");
  tt.end();
});
