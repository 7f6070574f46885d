/**
 * Seeds of the simulator as a test: a range of them under Bun, which is the fastest here, with no
 * violation; and a few on every runtime, with the same trace on each. A run is a third as long as those
 * of `make sim`, but the first ones, which are as long: what a seed draws (shape.ts) counts for more
 * than how often.
 *
 * SEEDS=from-to runs another range. A failing seed prints the command that repeats it.
 */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const bin = (name: string): string => {
  return fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
};
const SEEDS = process.env.SEEDS ?? "1-200";
const OPERATIONS = "300";
const LONG_SEEDS = "1-10";
const RUNTIME_SEEDS = "1-4";
/** What hangs has to end; a machine that does other things beside takes three times as long as one at rest. */
const LIMIT_MS = 500_000;
/** The last stage of compiling costs more than it gains in a run of this length: a quarter of eight seeds. */
const BUN_COMPILES_LESS = { BUN_JSC_useFTLJIT: "0" };

t.setTimeout(2 * LIMIT_MS);

interface Ran {
  readonly code: number;
  readonly out: string;
}

function run(command: string, args: string[], environment: Record<string, string>): Promise<Ran> {
  // Under tap, Node's loader options are in the environment; they are not for what is started here.
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", ...environment };
  return new Promise((resolve) => {
    const options = { env, timeout: LIMIT_MS, maxBuffer: 1 << 26 };
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, out: stdout + (error === null ? "" : stderr) });
    });
  });
}

for (const [seeds, operations] of [[SEEDS, OPERATIONS], [LONG_SEEDS, "1000"]]) {
  const sizes = `seeds ${seeds} of ${operations} operations`;
  t.test(`${sizes}: nothing acknowledged is lost, all replicas are equal`, async (t) => {
    const drawn = { SEEDS: seeds, OPERATIONS: operations, SEED: "", TRACE: "" };
    const environment = { ...drawn, ...BUN_COMPILES_LESS };
    const { code, out } = await run(bin("bun"), [main], environment);
    t.comment(out.trim().split("\n").at(-1) ?? "");
    t.equal(code, 0, out.slice(-4_000));
  });
}

t.test("all 45 ways to cut the network, and some of each other family", async (t) => {
  for (const [family, seeds] of [["C4", "1-45"], ["C5", "1-3"], ["C6", "1-5"], ["C6", "29"], ["C8", "1-4"], ["C9", "1-4"], ["C10", "1-4"], ["C12", "1-2"]] as const) {
    const drawn = { FAMILY: family, SEEDS: seeds, OPERATIONS, SEED: "", TRACE: "" };
    const { code, out } = await run(bin("bun"), [main], { ...drawn, ...BUN_COMPILES_LESS });
    t.equal(code, 0, `${family}: ${out.slice(-4_000)}`);
  }
});

t.test(`seeds ${RUNTIME_SEEDS} take the same steps on Bun, Deno and Node`, async (t) => {
  const environment = { SEEDS: RUNTIME_SEEDS, SEED: "", HASHES: "1", OPERATIONS };
  const folder = mkdtempSync(join(tmpdir(), "halo-simulation-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const bundle = join(folder, "simulation.mjs");
  const built = await run(bin("bun"), ["build", "--target=node", main, "--outfile", bundle], {});
  t.equal(built.code, 0, built.out);
  const [onBun, onDeno, onNode] = await Promise.all([
    run(bin("bun"), [main], environment),
    run(bin("deno"), ["run", "-A", "--no-check", main], environment),
    run(process.execPath, [bundle], environment),
  ]);
  t.match(onBun.out, /seed 1 trace [0-9a-f]{16}\n/);
  t.equal(onDeno.out, onBun.out, "Deno");
  t.equal(onNode.out, onBun.out, "Node");
});
