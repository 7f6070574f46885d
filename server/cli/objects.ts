/**
 * halo put, get, delete: one object over HTTP. Values are bytes: they come from the command line, a
 * file or standard input and go out as they are; large ones pass through in pieces (value-streams.ts).
 * With --json the answer is one line for machines.
 */

import { decodeBase64 } from "../http/bytes.ts";
import { decodeHeaderText, encodeHeaderText, META_PREFIX } from "../http/request-headers.ts";
import { filePieces, inputPieces, OutFile, type Pieces, writeOut, writeOutPiece } from "../ports/process.ts";
import { apiOf, nameTarget, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import {
  type CommandLine,
  type Option,
  option,
  repeatedOption,
  UsageError,
} from "./command-line.ts";
import { CommandFailure, DONE, FAILED, SIBLINGS } from "./exit-code.ts";
import { Base64Text, outgoingValue, type OutgoingValue, passOn, Stall } from "./value-streams.ts";

const TIMEOUT_OPTION = option(
  "timeout",
  "MS",
  "milliseconds that the node may take (default 5000)",
);
const CONTEXT_OPTION = option(
  "context",
  "CONTEXT",
  "what a get or put answered: goes on from there",
);
const WRITE_QUORUMS: readonly Option[] = [
  option("w", "N", "replicas that must take the write: a number, one, quorum, all"),
  option("dw", "N", "of these, on how many it must be durable"),
  option("pw", "N", "of these, how many must be primaries"),
];
const MATCH_OPTION = option("if-match", "ETAG", "only if this is what is stored");

export const putCommand: Command = {
  name: "put",
  takes: "BUCKET/KEY VALUE | - | --file F",
  summary: "store a value",
  examples: ["halo put cart/user-17 'two books'", "halo put photos/cat.jpg --file cat.jpg --content-type image/jpeg"],
  about: `Without --context the value stands beside what is stored; with the context of a get it
replaces what that get showed. - reads the value from standard input.
${EXIT_CODES}`,
  options: [
    option("file", "F", "read the value from a file"),
    CONTEXT_OPTION,
    option("content-type", "TYPE", "what the value is (default application/octet-stream)"),
    option("content-encoding", "CODING", "what the value is compressed with already, as in gzip"),
    repeatedOption("meta", "NAME=VALUE", "metadata kept beside the value; may be repeated"),
    option("ttl", "SECONDS", "how long it lives (default: for ever)"),
    option("if-absent", "", "only if nothing is stored"),
    MATCH_OPTION,
    ...WRITE_QUORUMS,
    TIMEOUT_OPTION,
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 2,
  run: put,
};

export const getCommand: Command = {
  name: "get",
  takes: "BUCKET/KEY",
  summary: "print a value",
  examples: ["halo get cart/user-17"],
  about: `The value's bytes go to standard output as they are. Several concurrent values are listed,
with exit code 4; put one that says it all with the context that is shown.
${EXIT_CODES}`,
  options: [
    option("file", "F", "write the value to a file"),
    option("r", "N", "replicas that must answer: a number, one, quorum, all"),
    option("pr", "N", "of these, how many must be primaries"),
    TIMEOUT_OPTION,
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: get,
};

export const deleteCommand: Command = {
  name: "delete",
  takes: "BUCKET/KEY",
  summary: "delete a value",
  examples: ["halo delete cart/user-17"],
  about:
    `Without --context it deletes what it finds; with the context of a get, what that get showed.
${EXIT_CODES}`,
  options: [
    CONTEXT_OPTION,
    MATCH_OPTION,
    ...WRITE_QUORUMS,
    TIMEOUT_OPTION,
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: remove,
};

async function put(line: CommandLine): Promise<number> {
  const [name = ""] = line.positionals;
  const target = objectTarget(line, ["w", "dw", "pw", "timeout"]);
  const headers = writeHeaders(line);
  if (line.has("content-type")) headers["Content-Type"] = line.text("content-type");
  if (line.has("content-encoding")) headers["Content-Encoding"] = line.text("content-encoding");
  if (line.has("ttl")) headers["Halo-TTL"] = line.text("ttl");
  if (line.flag("if-absent")) headers["If-None-Match"] = "*";
  for (const pair of line.list("meta")) addMeta(headers, pair);
  const api = apiOf(line);
  const stall = new Stall();
  try {
    const { body, length } = await readValue(line, stall);
    if (length !== null) headers["Content-Length"] = String(length);
    stall.moved();
    const request = { method: "PUT", target, headers, body, signal: stall.signal };
    tellWritten(line, "stored", name, await api.expect(request));
    return DONE;
  } finally {
    stall.end();
  }
}

async function remove(line: CommandLine): Promise<number> {
  const [name = ""] = line.positionals;
  const target = objectTarget(line, ["w", "dw", "pw", "timeout"]);
  const api = apiOf(line);
  const response = await api.expect({ method: "DELETE", target, headers: writeHeaders(line) });
  tellWritten(line, "deleted", name, response);
  return DONE;
}

function writeHeaders(line: CommandLine): Record<string, string> {
  const headers: Record<string, string> = {};
  if (line.has("context")) headers["Halo-Context"] = line.text("context");
  if (line.has("if-match")) headers["If-Match"] = `"${line.text("if-match")}"`;
  return headers;
}

function addMeta(headers: Record<string, string>, pair: string): void {
  const equals = pair.indexOf("=");
  if (equals < 1) throw new UsageError(`--meta is '${pair}', want NAME=VALUE`);
  headers[`Halo-Meta-${pair.slice(0, equals)}`] = encodeHeaderText(pair.slice(equals + 1));
}

/** The path of the object and the query that the options give. */
function objectTarget(line: CommandLine, parameters: readonly string[]): string {
  let target = nameTarget("/kv", line.positionals[0] ?? "");
  for (const name of parameters) {
    if (line.has(name)) target += `&${name}=${encodeURIComponent(line.text(name))}`;
  }
  return target;
}

async function readValue(line: CommandLine, stall: Stall): Promise<OutgoingValue> {
  const value = line.positionals[1];
  if ((value === undefined) === !line.has("file")) {
    throw new UsageError("The value is given twice or not at all, want VALUE, - or --file F");
  }
  if (value !== undefined && value !== "-") {
    const body = new TextEncoder().encode(value);
    return { body, length: body.length };
  }
  const path = value === undefined ? line.text("file") : "standard input";
  try {
    const source: Pieces = value === undefined ? filePieces(path) : inputPieces();
    return await outgoingValue(source, stall);
  } catch (error) {
    throw new CommandFailure(FAILED, `Cannot read ${path}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function tellWritten(line: CommandLine, done: string, name: string, response: Response): void {
  const context = response.headers.get("halo-context");
  if (context !== null) line.onContext(name, context);
  if (line.flag("json")) {
    const etag = etagOf(response);
    writeOut(
      `${JSON.stringify({ status: response.status, context, etag, ...replicasOf(response) })}\n`,
    );
    return;
  }
  writeOut(`${done} ${name} (${response.headers.get("halo-replicas")})\n`);
  if (context !== null) writeOut(`context ${context}\n`);
}

function etagOf(response: Response): string | null {
  return response.headers.get("etag")?.replaceAll('"', "") ?? null;
}

/** "primaries=2, fallbacks=1" as numbers. */
function replicasOf(response: Response): { primaries: number; fallbacks: number } {
  const text = response.headers.get("halo-replicas") ?? "";
  const numbers = /primaries=(\d+), fallbacks=(\d+)/.exec(text);
  return { primaries: Number(numbers?.[1] ?? 0), fallbacks: Number(numbers?.[2] ?? 0) };
}

/** A sibling as the JSON of a 300 has it. */
interface SiblingJson {
  readonly value: string;
  readonly contentType: string;
  readonly time: string;
  readonly meta: Readonly<Record<string, string>>;
}

interface SiblingsJson {
  readonly context: string;
  readonly siblings: readonly SiblingJson[];
}

async function get(line: CommandLine): Promise<number> {
  const target = objectTarget(line, ["r", "pr", "timeout"]);
  const api = apiOf(line);
  const headers = { Accept: "application/json" };
  const stall = new Stall();
  try {
    const response = await api.expect({ method: "GET", target, headers, signal: stall.signal });
    line.onContext(line.positionals[0] ?? "", response.headers.get("halo-context") ?? "");
    if (response.status === 300) return await tellSiblings(line, response, stall);
    await tellSingle(line, response, stall);
    return DONE;
  } finally {
    stall.end();
  }
}

/** One value, a piece at a time: to a file, to the screen, or in JSON. */
async function tellSingle(line: CommandLine, response: Response, stall: Stall): Promise<void> {
  const file = line.has("file") ? openFile(line.text("file")) : null;
  const json = line.flag("json") ? jsonAround(response) : null;
  const base64 = new Base64Text();
  if (json !== null) await writeOutPiece(utf8.encode(json.before));
  await passOnWhole(response, stall, (piece) => {
    if (file !== null) writeFileOf(line.text("file"), () => file.write(piece));
    if (json !== null) return writeOutPiece(utf8.encode(base64.push(piece)));
    return file === null ? writeOutPiece(piece) : undefined;
  });
  if (file !== null) writeFileOf(line.text("file"), () => file.close());
  if (json !== null) await writeOutPiece(utf8.encode(base64.end() + json.after));
}

const utf8 = new TextEncoder();

/** Hands on an answer's body piece by piece. @throws CommandFailure where it breaks off */
async function passOnWhole(
  response: Response,
  stall: Stall,
  write: (piece: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const { count, broken } = await passOn(response, stall, write);
  if (broken === "") return;
  throw new CommandFailure(FAILED, `The value broke off after ${count} bytes (${broken}), want another try`);
}

function openFile(path: string): OutFile {
  return writeFileOf(path, () => new OutFile(path));
}

function writeFileOf<Answer>(path: string, write: () => Answer): Answer {
  try {
    return write();
  } catch (error) {
    throw new CommandFailure(FAILED, `Cannot write ${path}: ${reasonOf(error)}`);
  }
}

/** One version in the shape that several have: what stands before the base64 of its value, and after it. */
function jsonAround(response: Response): { readonly before: string; readonly after: string } {
  const meta: Record<string, string> = {};
  response.headers.forEach((value, name) => {
    if (!name.startsWith(META_PREFIX)) return;
    meta[name.slice(META_PREFIX.length)] = decodeHeaderText(value) ?? value;
  });
  const coding = response.headers.get("content-encoding");
  const rest = {
    contentType: response.headers.get("content-type") ?? "",
    ...(coding === null ? {} : { contentEncoding: coding }),
    time: new Date(response.headers.get("last-modified") ?? 0).toISOString(),
    meta,
  };
  const context = JSON.stringify(response.headers.get("halo-context") ?? "");
  return {
    before: `{"context":${context},"siblings":[{"value":"`,
    after: `",${JSON.stringify(rest).slice(1)}]}\n`,
  };
}

async function tellSiblings(line: CommandLine, response: Response, stall: Stall): Promise<number> {
  if (line.flag("json")) {
    await passOnWhole(response, stall, writeOutPiece);
    return SIBLINGS;
  }
  // Safe as far as the node at the other end is one of ours.
  const { context, siblings } = (await response.json()) as SiblingsJson;
  writeOut(`${siblings.length} concurrent values\n`);
  for (const { value, contentType, time } of siblings) {
    writeOut(`--- ${contentType}, ${time}\n${textOf(value)}\n`);
  }
  writeOut(`context ${context}\n`);
  return SIBLINGS;
}

/** A value for the screen: text where it is text, else base64. */
function textOf(base64: string): string {
  const bytes = decodeBase64(base64) ?? new Uint8Array(0);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Not text: the screen gets what JSON would have.
    return base64;
  }
}
