/**
 * The README's script for a browser, word for word: in Chromium, on a page that a node itself has served. Where
 * no browser is installed nothing is run, and that is said.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findBrowser, Page } from "./browser.ts";
import { ROOT, serveNode, temporaryFolder } from "./program.ts";

t.setTimeout(60_000);

t.test("a page of the node's own puts, gets, resolves siblings, lists and batches", async (t) => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, script = "", output = ""] = /```js\n(.*?)```\n\n```text\n(.*?)```/s.exec(readme) ?? [];
  t.match(script, /fetch/);
  const browser = findBrowser();
  if (browser === "") {
    t.comment("no Chromium is installed: the README's script for a browser has not been run");
    return;
  }
  const node = await serveNode(t, temporaryFolder(t));
  const page = await Page.open(t, browser, temporaryFolder(t), `${node.url}/healthz`);
  await page.run(script);
  t.equal(page.logged.map((line) => `${line}\n`).join(""), output);
});

t.test("a page of another origin gets nothing written", async (t) => {
  const browser = findBrowser();
  if (browser === "") return t.comment("no Chromium is installed: nothing has been run");
  const [other, node] = [await serveNode(t, temporaryFolder(t)), await serveNode(t, temporaryFolder(t))];
  const page = await Page.open(t, browser, temporaryFolder(t), `${other.url}/healthz`);
  // What browsers send for a page of another origin without asking: a POST of plain text, or of no said type.
  for (const body of ["'v'", "new Blob(['v'])"]) {
    await page.run(`await fetch("${node.url}/kv/cart", { method: "POST", mode: "no-cors", body: ${body} })`);
  }
  for (const method of ["PUT", "DELETE", "GET"]) {
    await page.run(`await fetch("${node.url}/kv/cart/k", { method: "${method}" }).catch((error) => console.log(error.name))`);
  }
  t.same(page.logged, ["TypeError", "TypeError", "TypeError"], "other methods are not sent, answers not shown");
  const listed = (await (await fetch(`${node.url}/kv/cart`)).json()) as { keys: string[] };
  t.same(listed.keys, []);
});
