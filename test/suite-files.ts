/** Where the runtime-neutral suites lie: every file test/…/*-suite.ts (suite.ts). */

import { readdirSync } from "node:fs";
import { resolve } from "node:path";

const ENDING = "-suite.ts";

/**
 * Paths of the suites below `root` whose path there contains one of the words, of all where no word
 * is given; sorted, so that every runtime goes the same way.
 */
export function suiteFiles(root: string, words: readonly string[]): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ENDING))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort()
    .map((path) => resolve(root, path));
}
