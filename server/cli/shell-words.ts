/**
 * A line of `halo shell` as words, quoted as in other shells:
 *
 *   put cart/user-17 'two words' "and \"more\"" a\ b
 */

import { UsageError } from "./command-line.ts";

const WORD_PART = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/y;
const SPACE = /\s*/y;

/** @throws UsageError where a quote is left open */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let at = skip(line, 0);
  while (at < line.length) {
    let word = "";
    for (;;) {
      WORD_PART.lastIndex = at;
      const found = WORD_PART.exec(line);
      if (found === null) break;
      const [whole, single, double, escaped, plain] = found;
      word += single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? plain ?? "";
      at += whole.length;
    }
    if (at < line.length && !/\s/.test(line[at])) throw new UsageError(`The quote at '${line.slice(at, at + 32)}' is not closed`);
    words.push(word);
    at = skip(line, at);
  }
  return words;
}

function skip(line: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.exec(line);
  return SPACE.lastIndex;
}
