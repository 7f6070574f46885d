/** halo list: the keys of a bucket, as they come, one page in memory. */

import { writeOut } from "../ports/process.ts";
import { apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, UsageError } from "./command-line.ts";
import { DONE } from "./exit-code.ts";
import { keyPages } from "./key-pages.ts";

export const listCommand: Command = {
  name: "list",
  takes: "BUCKET",
  summary: "list the keys of a bucket",
  examples: ["halo list cart --prefix user-"],
  about: `One key a line, percent-encoded as in a path, in the order of the ring. Every key that is there
throughout is listed once; of those that are written or deleted meanwhile some may be. With --json each
page is a line, as the node answered it.
${EXIT_CODES}`,
  options: [
    option("prefix", "P", "keys that begin with it"),
    option("limit", "N", "so many keys at most (default: all)"),
    option("r", "N", "owners that must answer for each part: a number, one, quorum, all"),
    option("timeout", "MS", "milliseconds that the node may take for a page (default 5000)"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: list,
};

const PAGE_KEYS = 1_000;

async function list(line: CommandLine): Promise<number> {
  const [bucket = ""] = line.positionals;
  let left = limitOf(line);
  const parameters: Record<string, string> = { limit: String(Math.min(left, PAGE_KEYS)) };
  for (const name of ["prefix", "r", "timeout"]) {
    if (line.has(name)) parameters[name] = line.text(name);
  }
  for await (const page of keyPages(apiOf(line), { bucket, parameters })) {
    const keys = page.keys.slice(0, left);
    left -= keys.length;
    if (line.flag("json")) writeOut(`${JSON.stringify({ ...page, keys })}\n`);
    else if (keys.length > 0) writeOut(`${keys.join("\n")}\n`);
    if (left === 0) break;
  }
  return DONE;
}

function limitOf(line: CommandLine): number {
  if (!line.has("limit")) return Infinity;
  const text = line.text("limit");
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`--limit is '${text}', want a number from 1`);
}
