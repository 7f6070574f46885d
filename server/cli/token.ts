/**
 * halo token secret, root, add, list, remove: who may do what, where the cluster has a secret.
 *
 *   halo token secret > secret               one for the cluster; halo serve --secret-file secret
 *   halo token root --secret-file secret     the token that may do everything, to begin with
 *   halo token add shop --role write …       a token for a program, shown this once
 */

import { rootToken } from "../membership/authorization.ts";
import { systemRandom } from "../ports/random.ts";
import { toHex } from "../../core/bytes.ts";
import { writeOut } from "../ports/process.ts";
import { apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, repeatedOption, setting, UsageError } from "./command-line.ts";
import { DONE } from "./exit-code.ts";
import { readClusterSecret } from "./secret-file.ts";
import { formatTable } from "./table.ts";

const SECRET_BYTES = 32;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

interface TokenReport {
  readonly name: string;
  readonly role: string;
  readonly buckets: readonly string[];
  readonly expires: string | null;
  readonly requestsPerSecond: number;
}

const secretCommand: Command = {
  name: "token secret",
  takes: "",
  summary: "draw a secret for a cluster",
  examples: ["halo token secret > secret"],
  about: "Keep it in a file that the nodes alone can read, and give that to each: --secret-file.",
  options: [JSON_OPTION],
  positionalsMin: 0,
  positionalsMax: 0,
  run: async (line) => {
    const bytes = new Uint8Array(SECRET_BYTES);
    systemRandom.fill(bytes);
    const secret = toHex(bytes, 0, bytes.length);
    writeOut(line.flag("json") ? `${JSON.stringify({ secret })}\n` : `${secret}\n`);
    return DONE;
  },
};

const rootCommand: Command = {
  name: "token root",
  takes: "",
  summary: "show the token that follows from the secret and may do everything",
  examples: ["halo token root --secret-file secret > root-token"],
  about: "It makes the first tokens. Nobody can take it back; it changes with the secret.",
  options: [setting("secret-file", "FILE", "the cluster's secret"), JSON_OPTION],
  positionalsMin: 0,
  positionalsMax: 0,
  run: async (line) => {
    const path = line.text("secret-file");
    if (path === "") throw new UsageError("No secret is given, want --secret-file FILE");
    const token = rootToken(readClusterSecret(path, line.place("secret-file")));
    writeOut(line.flag("json") ? `${JSON.stringify({ token })}\n` : `${token}\n`);
    return DONE;
  },
};

const addCommand: Command = {
  name: "token add",
  takes: "NAME",
  summary: "make a token, which is shown this once",
  examples: ["halo token add shop --role write --bucket 'cart*' --expires 30d"],
  about: `Roles: read (get, list), write (put and delete as well), admin (properties of buckets as well and,
with a token for all buckets, tokens and the cluster). A bucket pattern is a bucket's name, with * for any bytes.
${EXIT_CODES}`,
  options: [
    option("role", "ROLE", "read, write or admin"),
    repeatedOption("bucket", "PATTERN", "buckets that it is for, can be given again; none: all"),
    option("expires", "TIME", "after which it is worth nothing, as in 90s, 12h, 30d; none: never"),
    option("rate", "COUNT", "requests a second at each node; none: no bound"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: add,
};

const listCommand: Command = {
  name: "token list",
  takes: "",
  summary: "list the tokens and what they allow",
  examples: ["halo token list"],
  about: EXIT_CODES,
  options: [JSON_OPTION, ...NODE_OPTIONS],
  positionalsMin: 0,
  positionalsMax: 0,
  run: list,
};

const removeCommand: Command = {
  name: "token remove",
  takes: "NAME",
  summary: "take a token back",
  examples: ["halo token remove shop"],
  about: `It is worth nothing from then on at every node that can be told; others hear of it when they are back.
${EXIT_CODES}`,
  options: [JSON_OPTION, ...NODE_OPTIONS],
  positionalsMin: 1,
  positionalsMax: 1,
  run: async (line) => {
    const name = line.positionals[0] ?? "";
    await apiOf(line).expect({ method: "DELETE", target: `/tokens/${encodeURIComponent(name)}` });
    writeOut(line.flag("json") ? '{"status":204}\n' : `took ${name} back\n`);
    return DONE;
  },
};

export const TOKEN_COMMANDS: readonly Command[] = [
  secretCommand,
  rootCommand,
  addCommand,
  listCommand,
  removeCommand,
];

async function add(line: CommandLine): Promise<number> {
  const role = line.text("role");
  if (role === "") throw new UsageError("No role is given, want --role read, write or admin");
  const buckets = line.list("bucket");
  const body = JSON.stringify({
    name: line.positionals[0],
    role,
    ...(buckets.length === 0 ? {} : { buckets }),
    expiresSeconds: secondsOf(line.text("expires")),
    requestsPerSecond: rateOf(line.text("rate")),
  });
  const request = { method: "POST", target: "/tokens", body, headers: { "Content-Type": "application/json" } };
  const made = await apiOf(line).json<TokenReport & { token: string }>(request);
  writeOut(line.flag("json") ? `${JSON.stringify(made)}\n` : `${made.token}\n`);
  return DONE;
}

function secondsOf(text: string): number {
  if (text === "") return 0;
  const found = /^([1-9]\d{0,9})([smhd]?)$/.exec(text);
  if (found === null) throw new UsageError(`--expires is '${text}', want a time as in 90s, 12h, 30d`);
  const unit = (found[2] === "" ? "s" : found[2]) as keyof typeof SECONDS;
  return Number(found[1]) * SECONDS[unit];
}

function rateOf(text: string): number {
  if (text === "") return 0;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new UsageError(`--rate is '${text}', want requests a second, 1 or more`);
}

async function list(line: CommandLine): Promise<number> {
  const answer = await apiOf(line).json<{ tokens: TokenReport[] }>({ method: "GET", target: "/tokens" });
  if (line.flag("json")) {
    writeOut(`${JSON.stringify(answer)}\n`);
    return DONE;
  }
  const header = ["name", "role", "buckets", "expires", "rate"];
  const rows = answer.tokens.map(({ name, role, buckets, expires, requestsPerSecond }) => [
    name,
    role,
    buckets.join(" "),
    expires ?? "never",
    requestsPerSecond === 0 ? "no bound" : `${requestsPerSecond}/s`,
  ]);
  writeOut(rows.length === 0 ? "there are no tokens but root's\n" : formatTable([header, ...rows]));
  return DONE;
}
