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
