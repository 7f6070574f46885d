/** What stands in for what an older product lacks, on every runtime. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notThere, NotThere, standIn } from "../../bench/stand-ins.ts";
import type { Case, Check } from "../suite.ts";

const PRODUCT = `export function there(): void {}
export const PRESENT = 1;
export class Known {}
`;

/** The benchmark as it is written, and what becomes of it beside PRODUCT. */
function checkRewriting(check: Check, written: string, wanted: string, what: string): void {
  const root = mkdtempSync(join(tmpdir(), "halo-stand-ins-"));
  try {
    mkdirSync(join(root, "core"));
    mkdirSync(join(root, "bench-now/core"), { recursive: true });
    const path = join(root, "bench-now/core/question.ts");
    writeFileSync(join(root, "core/product.ts"), PRODUCT);
    writeFileSync(path, written);
    standIn(path);
    check.equal(readFileSync(path, "utf8"), wanted, what);
  } finally {
    rmSync(root, { recursive: true });
  }
}

export const suite: readonly Case[] = [
  {
    name: "standIn() replaces functions and classes that are not there, and nothing else",
    run(check) {
      const from = 'from "../../core/product.ts";';
      const head = 'import { notThere } from "../stand-ins.ts";';
      const kept = `import { there, PRESENT, Known, type Anything } ${from}`;
      checkRewriting(check, kept, kept, "all is there");
      const lacking = 'const missing = notThere("missing");';
      checkRewriting(
        check,
        `import {\n  there,\n  missing,\n} ${from}\nthere();`,
        `${head}\n${lacking}\nimport { there } ${from}\nthere();`,
        "a function is missing",
      );
      const other = 'import { missing } from "../../core/other.ts";';
      checkRewriting(check, other, `${head}\n${lacking}\n`, "a file is missing");
      const constant = `import { there, MISSING } ${from}`;
      checkRewriting(check, constant, constant, "a constant is missing: left as it is");
    },
  },
  {
    name: "notThere() throws when it is called, not before",
    run(check) {
      const missing = notThere("missing");
      let thrown: unknown;
      try {
        missing();
      } catch (error) {
        thrown = error;
      }
      check.ok(thrown instanceof NotThere && thrown.message === "missing", "NotThere, by its name");
    },
  },
];
