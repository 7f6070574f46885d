/**
 * Runs every runtime-neutral suite on the runtime that this file is started with:
 *
 *   bun test/runtimes.ts            deno run -A test/runtimes.ts
 *   bun test/runtimes.ts core/md5   only suites whose path contains one of the words given
 *
 * A suite is a file test/…/*-suite.ts that exports `suite`, a list of cases (suite.ts). The last
 * line says "N passed, M failed" and names the runtime; the exit code is 1 where a case failed, a
 * suite could not be loaded, or no suite was found.
 *
 * (Node 20 reads no TypeScript by itself; there they run under tap, from suites.test.ts.)
 */

import { relative } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Case } from "./suite.ts";
import { suiteFiles } from "./suite-files.ts";
import { tallyOf } from "./tally.ts";

/** Where suites are looked for; a test of this runner points it elsewhere. */
const root = process.env.SUITES_ROOT ?? fileURLToPath(new URL(".", import.meta.url));

async function main(words: readonly string[]): Promise<boolean> {
  const files = suiteFiles(root, words);
  let passed = 0;
  let failed = files.length === 0 ? 1 : 0;
  for (const file of files) {
    const suite = await loadSuite(file);
    if (suite === null) failed++;
    for (const one of suite ?? []) {
      if (await passes(relative(root, file), one)) passed++;
      else failed++;
    }
  }
  if (files.length === 0) console.log(`no suite found under ${root}`);
  console.log(`${passed} passed, ${failed} failed (${runtimeName()}, ${files.length} suites)`);
  return failed === 0;
}

async function loadSuite(file: string): Promise<readonly Case[] | null> {
  try {
    const loaded: { suite?: readonly Case[] } = await import(pathToFileURL(file).href);
    if (Array.isArray(loaded.suite) && loaded.suite.length > 0) return loaded.suite;
    console.log(`FAILED ${relative(root, file)}: it exports no "suite" with a case in it`);
  } catch (error) {
    console.log(`FAILED ${relative(root, file)} cannot be loaded: ${String(error)}`);
  }
  return null;
}

async function passes(file: string, one: Case): Promise<boolean> {
  const tally = await tallyOf(one);
  if (tally.failed === 0) return true;
  console.log(`FAILED ${file}: ${one.name} (${tally.failed} of ${tally.checks} checks)`);
  for (const failure of tally.failures) console.log(`  ${failure}`);
  return false;
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
}

process.exit((await main(process.argv.slice(2))) ? 0 : 1);
