/**
 * halo bucket get, set, reset, list: a bucket's properties. `set` changes what it names and keeps
 * the rest: it reads what was given before, and writes both.
 */

import { writeOut } from "../ports/process.ts";
import { apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, UsageError } from "./command-line.ts";
import { DONE } from "./exit-code.ts";
import { formatTable } from "./table.ts";

type Properties = Readonly<Record<string, string | number>>;

interface BucketReport {
  readonly bucket: string;
  /** What holds: the cluster's defaults and what was given. */
  readonly properties: Properties;
  readonly given: Properties;
}

const OPTIONS = [JSON_OPTION, ...NODE_OPTIONS];

export const bucketGetCommand: Command = {
  name: "bucket get",
  takes: "BUCKET",
  summary: "show what holds for a bucket",
  examples: ["halo bucket get cart"],
  about: EXIT_CODES,
  options: OPTIONS,
  positionalsMin: 1,
  positionalsMax: 1,
  run: async (line) => {
    const target = bucketTarget(line);
    tell(line, await apiOf(line).json<BucketReport>({ method: "GET", target }));
    return DONE;
  },
};

export const bucketSetCommand: Command = {
  name: "bucket set",
  takes: "BUCKET NAME=VALUE…",
  summary: "set properties of a bucket",
  examples: ["halo bucket set sessions policy=lww ttlSeconds=86400"],
  about: `Properties: n, r, w, dw, pr, pw (a number, one, quorum, all), policy (siblings, lww),
ttlSeconds, preset (merge, timestamp, read-engine). What is not named stays as it is.
${EXIT_CODES}`,
  options: OPTIONS,
  positionalsMin: 2,
  positionalsMax: 20,
  run: set,
};

export const bucketResetCommand: Command = {
  name: "bucket reset",
  takes: "BUCKET",
  summary: "give a bucket the defaults again",
  examples: ["halo bucket reset sessions"],
  about: `No object is touched.\n${EXIT_CODES}`,
  options: OPTIONS,
  positionalsMin: 1,
  positionalsMax: 1,
  run: async (line) => {
    const target = bucketTarget(line);
    await apiOf(line).expect({ method: "DELETE", target });
    if (line.flag("json")) writeOut('{"status":204}\n');
    else writeOut(`reset ${line.positionals[0]}\n`);
    return DONE;
  },
};

export const bucketListCommand: Command = {
  name: "bucket list",
  takes: "",
  summary: "list the buckets that have properties of their own",
  examples: ["halo bucket list"],
  about: EXIT_CODES,
  options: OPTIONS,
  positionalsMin: 0,
  positionalsMax: 0,
  run: list,
};

function bucketTarget(line: CommandLine): string {
  return `/buckets/${encodeURIComponent(line.positionals[0] ?? "")}`;
}

async function set(line: CommandLine): Promise<number> {
  const changes = Object.fromEntries(line.positionals.slice(1).map(parseProperty));
  const api = apiOf(line);
  const target = bucketTarget(line);
  const { given } = await api.json<BucketReport>({ method: "GET", target });
  // A preset that is named now speaks for all that it stands for; the old one's words must not.
  const kept = "preset" in changes ? {} : given;
  const body = JSON.stringify({ ...kept, ...changes });
  const headers = { "Content-Type": "application/json" };
  tell(line, await api.json<BucketReport>({ method: "PUT", target, headers, body }));
  return DONE;
}

function parseProperty(pair: string): [string, string | number] {
  const equals = pair.indexOf("=");
  if (equals < 1) throw new UsageError(`The property is '${pair}', want NAME=VALUE`);
  const value = pair.slice(equals + 1);
  return [pair.slice(0, equals), /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value];
}

function tell(line: CommandLine, report: BucketReport): void {
  if (line.flag("json")) {
    writeOut(`${JSON.stringify(report)}\n`);
    return;
  }
  const { properties, given } = report;
  const rows = Object.entries(properties).map(([name, value]) => [
    name,
    String(value),
    name in given ? "set" : "default",
  ]);
  writeOut(formatTable(rows));
}

async function list(line: CommandLine): Promise<number> {
  const api = apiOf(line);
  const answer = await api.json<{ buckets: BucketReport[] }>({ method: "GET", target: "/buckets" });
  if (line.flag("json")) {
    writeOut(`${JSON.stringify(answer)}\n`);
    return DONE;
  }
  const rows = answer.buckets.map(({ bucket, given }) => [
    bucket,
    Object.entries(given).map(([name, value]) => `${name}=${value}`).join(" "),
  ]);
  writeOut(rows.length === 0 ? "no bucket has properties of its own\n" : formatTable(rows));
  return DONE;
}
