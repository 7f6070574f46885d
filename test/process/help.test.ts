/** What each command says of itself: its help, examples that are typed as they stand, and its answers as JSON. */

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { HALO, halo, ROOT, runProgram, temporaryFolder } from "./program.ts";

t.setTimeout(200_000);

/** Those that run on: what they print is not an answer. */
const RUNNING = ["serve", "dev", "shell"];
/** What these print is for a shell, or for people alone; and halo batch answers in JSON always. */
const WITHOUT_JSON = ["dev", "shell", "completion", "help", "batch"];

async function listed(): Promise<string[]> {
  const list = await halo([]);
  return [...list.stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}/gm)].map((row) => row[1] ?? "");
}

t.test("version is that of package.json; help lists and explains every command", async (t) => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  for (const words of [["version"], ["--version"]]) {
    t.equal((await halo(words)).stdout, `halo ${manifest.version}\n`);
  }
  t.equal((await halo(["version", "--json"])).stdout, `{"version":"${manifest.version}"}\n`);
  t.equal((await halo(["--help"])).stdout, (await halo([])).stdout);
  for (const words of [["put"], ["cluster", "status"]]) {
    const explained = await halo(["help", ...words]);
    t.equal(explained.stdout, (await halo([...words, "--help"])).stdout, `halo help ${words.join(" ")}`);
  }
  const group = await halo(["bucket", "--help"]);
  t.match(group, { code: 0, stdout: /^usage: halo bucket COMMAND[^]*  bucket list  [^]*  bucket empty  / });
  t.notMatch(group.stdout, "cluster");
  t.equal((await halo(["help", "bucket"])).stdout, group.stdout);
});

t.test("each command has examples, which are typed rightly, and answers and fails in JSON", async (t) => {
  const commands = await listed();
  t.ok(commands.length >= 38, commands.join(", "));
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "secret"), `${"5e".repeat(32)}\n`);
  const env = { PATH: `${dirname(HALO)}:${process.env["PATH"] ?? ""}`, HALO_NODE: "http://127.0.0.1:1" };
  for (const command of commands) {
    const help = await halo([...command.split(" "), "--help"]);
    t.match(help, { code: 0, stdout: `usage: halo ${command}` });
    const examples = [...help.stdout.matchAll(/^ {2}(halo .*)$/gm)].map((row) => row[1] ?? "").filter((example) => {
      return example.startsWith(`halo ${command}`);
    });
    t.ok(examples.length > 0, `${command} has an example`);
    t.equal(/^ {2}--json /m.test(help.stdout), !WITHOUT_JSON.includes(command), `${command} --json`);
    if (RUNNING.includes(command)) continue;
    for (const example of examples) {
      const { stderr } = await runProgram("/bin/sh", ["-c", example], { env, cwd });
      // Nothing answers, so most of them fail; none because of how it is called.
      t.notMatch(stderr, /\(halo .* --help\)/, example);
    }
    if (WITHOUT_JSON.includes(command)) continue;
    const failed = await halo([...command.split(" "), "--json", "--nonsense"]);
    t.match(JSON.parse(failed.stderr), { error: /'--nonsense' is not an option/, code: "usage", exitCode: 2 }, command);
  }
});

t.test("--json: secrets, and what a node refuses", async (t) => {
  const drawn = await halo(["token", "secret", "--json"]);
  t.match(JSON.parse(drawn.stdout), { secret: /^[0-9a-f]{64}$/ });
  const nobody = await halo(["get", "cart/user-17", "--json", "--node", "http://127.0.0.1:1"]);
  t.match(nobody, { code: 1, stdout: "" });
  t.match(JSON.parse(nobody.stderr), { error: /Nothing answers at http:\/\/127.0.0.1:1/, code: "failed", exitCode: 1 });
});
