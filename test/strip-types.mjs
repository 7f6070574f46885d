/**
 * TypeScript on Node 20, which reads none by itself: `node --import ./test/strip-types.mjs file.ts`.
 *
 * Types are stripped once for each content of a file and kept under build/stripped, named by the hash
 * of what was stripped. So a test's process reads ready JavaScript and loads no compiler: 0.3 s of
 * processor time a file instead of 2.5 s, and a hundred files are started in a run. What is kept is
 * never stale, and two processes that make the same entry write the same bytes.
 *
 * The types themselves are checked by test/types.test.ts; positions in stacks are those of the
 * sources, by a source map inside of each entry.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread, threadId } from "node:worker_threads";

const folder = fileURLToPath(new URL("../build/stripped/", import.meta.url));
/** Part of each entry's name: raise it when the way of stripping changes. */
const WAY = "1";

if (isMainThread) register(import.meta.url);

/** Node's hook: source text of modules that end in .ts; all others go their way. */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const path = fileURLToPath(url);
  const source = readFileSync(path, "utf8");
  const hash = createHash("sha256").update(`${WAY}\n${path}\n`).update(source).digest("hex");
  const entry = `${folder}${hash}.js`;
  const stripped = kept(entry) ?? (await strip(path, source, entry));
  return { format: "module", source: stripped, shortCircuit: true };
}

function kept(entry) {
  try {
    return readFileSync(entry, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

async function strip(path, source, entry) {
  const { default: ts } = await import("typescript");
  const { outputText } = ts.transpileModule(source, {
    fileName: path,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
      inlineSources: true,
    },
  });
  const draft = `${entry}.${process.pid}-${threadId}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(draft, outputText);
  renameSync(draft, entry);
  return outputText;
}
