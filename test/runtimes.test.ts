/**
 * Starts Bun and Deno on all runtime-neutral suites, and on suites that must fail: a runner that
 * cannot fail proves nothing.
 */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import t from "tap";

t.setTimeout(600_000);

const runner = fileURLToPath(new URL("runtimes.ts", import.meta.url));
const binaries = fileURLToPath(new URL("../node_modules/.bin/", import.meta.url));
const runtimes: readonly (readonly [string, string, readonly string[]])[] = [
  ["Bun", `${binaries}bun`, [runner]],
  ["Deno", `${binaries}deno`, ["run", "-A", runner]],
];

function oneCase(name: string, run: string): string {
  return `export const suite = [{ name: "${name}", ${run} }];`;
}

interface Ending {
  readonly code: number;
  readonly output: string;
}

function start(command: string, words: readonly string[], suites: string): Promise<Ending> {
  // Under tap, Node's loader options are in the environment; they are not for other runtimes.
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: "" };
  if (suites !== "") env.SUITES_ROOT = suites;
  return new Promise((resolve) => {
    execFile(command, words, { env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, output: stdout + stderr });
    });
  });
}

for (const [name, command, words] of runtimes) {
  t.test(`every suite passes on ${name}`, async (tt) => {
    const { code, output } = await start(command, words, "");
    tt.match(output, new RegExp(`[1-9][0-9]* passed, 0 failed \\(${name} `), "the last line");
    tt.equal(code, 0, `exit code; output:\n${output}`);
  });

  t.test(`a failing, a throwing, an empty and a broken suite fail on ${name}`, async (tt) => {
    const suites = tt.testdir({
      "good-suite.ts": oneCase("g", "run(check) { check.ok(1, 'fine'); }"),
      "wrong-suite.ts": oneCase("w", "run(check) { check.equal(1, 2, 'is'); }"),
      "late-suite.ts": oneCase("l", "async run(check) { await 0; check.ok(0, 'x'); }"),
      "throwing-suite.ts": oneCase("t", "run() { throw new Error('no'); }"),
      "idle-suite.ts": oneCase("i", "run() {}"),
      "empty-suite.ts": "export const suite = [];",
      "broken-suite.ts": "throw new Error('not loadable');",
    });
    const { code, output } = await start(command, words, suites);
    tt.match(output, "1 passed, 6 failed", "all six are counted");
    tt.match(output, "wrong-suite.ts: w (1 of 1 checks)\n  is: got 1, wanted 2", "and told");
    tt.equal(code, 1, "exit code");
  });

  t.test(`no suite at all is a failure on ${name}`, async (tt) => {
    const { code, output } = await start(command, words, tt.testdir({}));
    tt.match(output, "0 passed, 1 failed", "counted");
    tt.equal(code, 1, "exit code");
  });
}
