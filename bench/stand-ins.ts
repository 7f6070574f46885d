/**
 * Lets a benchmark of the working tree load on an older product.
 *
 *   import { md5Into, md5BatchInto } from "../../core/md5.ts";        as it is written
 *
 *   import { md5Into } from "../../core/md5.ts";                      on a commit that has no batches
 *   const md5BatchInto = notThere("md5BatchInto");
 *
 * A function or class that the older product lacks is stood in for by one that throws NotThere when
 * it is called: the works that need it are left out, the others run. A constant cannot be stood in
 * for without falsifying what is measured; where one is missing the file is left as it is, and does
 * not load.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

const IMPORT = /import \{([^}]*)\} from "(\.\.\/\.\.\/[^"]+)";/g;
const CONSTANT = /^[A-Z0-9_]+$/;

/** Thrown by a stand-in. */
export class NotThere extends Error {}

/** A function that cannot be called. */
export function notThere(name: string): () => never {
  return function standIn() {
    throw new NotThere(name);
  };
}

/** Rewrites the imports of the benchmark at `path` that the product beside it cannot serve. */
export function standIn(path: string): void {
  const text = readFileSync(path, "utf8");
  const missing: string[] = [];
  const rewritten = text.replace(IMPORT, (statement: string, list: string, specifier: string) => {
    const names = list.split(",").map((name) => name.trim()).filter((name) => name !== "");
    const lacking = names.filter((name) => !serves(path, specifier, name));
    if (lacking.some((name) => CONSTANT.test(name))) return statement;
    missing.push(...lacking);
    const there = names.filter((name) => !lacking.includes(name));
    return there.length === 0 ? "" : `import { ${there.join(", ")} } from "${specifier}";`;
  });
  if (missing.length === 0) return;
  const standIns = missing.map((name) => `const ${name} = notThere("${name}");`);
  const from = 'import { notThere } from "../stand-ins.ts";';
  writeFileSync(path, [from, ...standIns, rewritten].join("\n"));
}

/** Whether that file, as the benchmark names it, exports the name; types are never missed. */
function serves(path: string, specifier: string, name: string): boolean {
  if (name.startsWith("type ")) return true;
  const product = resolve(dirname(path), specifier);
  if (!existsSync(product)) return false;
  const declared = new RegExp(`export (async )?(function|const|let|class) ${name}\\b`);
  const listed = new RegExp(`export \\{[^}]*\\b${name}\\b`);
  const text = readFileSync(product, "utf8");
  return declared.test(text) || listed.test(text);
}
