/**
 * halo batch: gets, puts and deletes from a file or from standard input, one a line, a result a line.
 *
 *   {"op": "get", "bucket": "cart", "key": "user-17"}      ──►  {"status": 200, "value": "…", …}
 *   {"op": "put", "bucket": "cart", "key": "user-18", …}   ──►  {"status": 204, "context": "…"}
 *
 * They go in batches of a hundred, one after the other, so there may be any number of them.
 */

import { filePieces, inputPieces, type Pieces, writeOut } from "../ports/process.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES } from "./command.ts";
import { type CommandLine, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { linesOf } from "./text-lines.ts";

const OPERATIONS_MAX = 100;
/** Of the lines of one batch: half of what a node takes. */
const BYTES_MAX = 8 << 20;
/** One that is longer fits no batch. */
const LINE_CHARS_MAX = 16 << 20;
const REQUEST = { method: "POST", target: "/batch", headers: { "Content-Type": "application/json" } };

export const batchCommand: Command = {
  name: "batch",
  takes: "[FILE]",
  summary: "do gets, puts and deletes, one a line",
  examples: ["halo batch operations.ndjson"],
  about: `Reads FILE, or standard input. A line is an operation in JSON: {"op": "get", "bucket": "cart", "key": "a"},
"put" with "value" in base64, "delete"; "key64" instead of "key" for any bytes; and, as for the commands of the same
names, "context", "w", "r", "ttl" and so on. Prints a result in JSON for each, in the same order. Ends with 1 where one
failed; "not found" is no failure.
${EXIT_CODES}`,
  options: [...NODE_OPTIONS],
  positionalsMin: 0,
  positionalsMax: 1,
  run: batch,
};

interface Result {
  readonly status: number;
}

async function batch(line: CommandLine): Promise<number> {
  const [file] = line.positionals;
  const api = apiOf(line);
  let isWell = true;
  const { pieces } = file === undefined || file === "-" ? inputPieces() : open(file);
  for await (const operations of batches(pieces)) {
    isWell = (await send(api, operations)) && isWell;
  }
  return isWell ? DONE : FAILED;
}

/** @throws CommandFailure */
function open(file: string): Pieces {
  try {
    return filePieces(file);
  } catch (error) {
    throw new CommandFailure(FAILED, `Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function send(api: Api, operations: readonly string[]): Promise<boolean> {
  const body = `{"operations":[${operations.join(",")}]}`;
  const { results } = await api.json<{ results: Result[] }>({ ...REQUEST, body });
  for (const result of results) writeOut(`${JSON.stringify(result)}\n`);
  return results.every(({ status }) => status < 400 || status === 404);
}

/** Lines, as many together as a batch takes. @throws UsageError where one is no JSON, or too long */
async function* batches(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let operations: string[] = [];
  let bytes = 0;
  let number = 0;
  for await (const text of linesOf(pieces, LINE_CHARS_MAX)) {
    number++;
    if (text.trim() === "") continue;
    checkJson(text, number);
    if (operations.length === OPERATIONS_MAX || (operations.length > 0 && bytes + text.length > BYTES_MAX)) {
      yield operations;
      [operations, bytes] = [[], 0];
    }
    operations.push(text);
    bytes += text.length;
  }
  if (operations.length > 0) yield operations;
}

function checkJson(text: string, number: number): void {
  try {
    JSON.parse(text);
  } catch {
    throw new UsageError(`Line ${number} is '${text.slice(0, 64)}', want an operation in JSON`);
  }
}
