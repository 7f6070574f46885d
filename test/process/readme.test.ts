/**
 * The README's tour, word for word: its commands run in one shell against `halo dev`, as `make run`
 * starts it, and print what the README says they print (… stands for whatever differs each time). Where there
 * is no python3 its part is left out, and that is said.
 */

import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { ClusterReport } from "../../server/http/http-node.ts";
import { Background, HALO, ROOT, runProgram, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

const START = "dist/halo dev --data ./.data";
const MARK = "=== end of block ===";

interface Block {
  readonly commands: string;
  /** "" where the README shows no output. */
  readonly output: string;
}

/** The shell blocks below a heading, each with the text block that follows it. */
function blocksBelow(readme: string, heading: string): Block[] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const found = section.matchAll(/```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?/gs);
  return [...found].map(([, commands = "", output = ""]) => ({ commands, output }));
}

function patternOf(output: string): RegExp {
  const parts = output.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
  return new RegExp(`^${parts.join("[\\s\\S]*?")}$`);
}

/** The blocks that this machine has the programs for. */
function runnable(t: { comment(text: string): void }, blocks: readonly Block[]): Block[] {
  if (spawnSync("python3", ["--version"]).status === 0) return [...blocks];
  t.comment("python3 is not installed: the README's script in Python has not been run");
  return blocks.filter(({ commands }) => !commands.includes("python3"));
}

/** Whether three nodes own the ring under one layout: before, fewer copies may answer. */
async function isSettled(url: string): Promise<boolean> {
  const report = (await (await fetch(`${url}/cluster`)).json()) as ClusterReport;
  const owners = report.members.filter(({ partitions }) => partitions > 0);
  return owners.length === 3 && report.layout.live.length === 1;
}

t.test("the tour runs as it is written", async (t) => {
  t.match(readFileSync(join(ROOT, "Makefile"), "utf8"), `\t${START}\n`, "what make run starts");
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const written = blocksBelow(readme, "Five minutes with curl");
  t.ok(written.length >= 9, `${written.length} blocks`);
  const blocks = runnable(t, written);
  const folder = temporaryFolder(t);
  symlinkSync(join(ROOT, "dist"), join(folder, "dist"));
  const dev = new Background(t, HALO, START.split(" ").slice(1), folder);
  await dev.until(/\^C stops all three/);
  await untilTrue(() => isSettled("http://127.0.0.1:7070"));
  const script = blocks.map(({ commands }) => `${commands}echo; echo '${MARK}'\n`).join("");
  const ended = await runProgram("sh", [], { input: `${script}kill $!\n`, cwd: folder });
  const printed = ended.stdout.split(`${MARK}\n`);
  for (const [index, { commands, output }] of blocks.entries()) {
    if (output === "") continue;
    const actual = (printed[index] ?? "").replaceAll("\r", "").trimEnd();
    t.match(`${actual}\n`, patternOf(output), commands);
  }
  t.equal(ended.stderr, "");
  dev.kill("SIGINT");
  t.equal(await dev.ended, 0, dev.output);
});
