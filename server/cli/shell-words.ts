/**
 * A line of `halo shell` as words, quoted as in other shells:
 *
 *   put cart/user-17 'two words' "and \"more\"" a\ b
 */

import { UsageError } from "./command-line.ts";

const WORD_PART = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/y;
const SPACE = /\s*/y;
/** What needs no quotes. */
const PLAIN = /^[\w@%+=:,./~^-]+$/;

interface Word {
  readonly text: string;
  /** Where it ends in the line; before the line's end or a space, a quote is left open there. */
  readonly end: number;
}

/** @throws UsageError where a quote is left open */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let at = skip(line, 0);
  while (at < line.length) {
    const { text, end } = readWord(line, at);
    if (isOpen(line, end)) throw new UsageError(`The quote at '${line.slice(end, end + 32)}' is not closed`);
    words.push(text);
    at = skip(line, end);
  }
  return words;
}

/** The words of a line that is being typed; the last one, perhaps empty, as it stands there (`raw`) as well. */
export function splitTyped(line: string): { readonly words: string[]; readonly raw: string } {
  const words: string[] = [];
  let at = skip(line, 0);
  while (at < line.length) {
    const { text, end } = readWord(line, at);
    if (isOpen(line, end)) return { words: [...words, text + line.slice(end + 1)], raw: line.slice(at) };
    words.push(text);
    if (end === line.length) return { words, raw: line.slice(at) };
    at = skip(line, end);
  }
  return { words: [...words, ""], raw: "" };
}

/** A word as it has to be typed. */
export function quoteWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function readWord(line: string, at: number): Word {
  let text = "";
  for (;;) {
    WORD_PART.lastIndex = at;
    const found = WORD_PART.exec(line);
    if (found === null) return { text, end: at };
    const [whole, single, double, escaped, plain] = found;
    text += single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? plain ?? "";
    at += whole.length;
  }
}

function isOpen(line: string, at: number): boolean {
  return at < line.length && !/\s/.test(line[at]);
}

function skip(line: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.exec(line);
  return SPACE.lastIndex;
}
