/**
 * halo export: the objects of a bucket, to be read by others or given to another cluster.
 *
 *   page of keys ─► 8 gets on their way ─► in the order of the keys ─► lines or an archive
 *
 * Small values are held until their turn comes, large ones pass through: at most a page of keys and eight small
 * values are in memory. It is no snapshot: of what is written meanwhile some may be in it.
 */

import type { ObjectName } from "../../core/object-name.ts";
import { decodeBase64, encodeBase64Url } from "../http/bytes.ts";
import { nameFrom, parameterBytes } from "../http/target.ts";
import { onStopSignal, OutFile, writeError, writeOut, writeOutPiece } from "../ports/process.ts";
import { type Api, apiOf, failureOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { keyPages, pause } from "./key-pages.ts";
import { writeLine } from "./portable-lines.ts";
import { type PortableObject, type PortableVersion, versionOf } from "./portable-object.ts";
import { TarWriter } from "./portable-tar.ts";
import { Progress } from "./progress.ts";
import { bodyPieces, outgoingValue, type OutgoingValue, Stall } from "./value-streams.ts";

export const FORMAT_OPTION = option("format", "F", "ndjson or tar (default: tar for a file that ends so, else ndjson)");

export const exportCommand: Command = {
  name: "export",
  takes: "BUCKET [FILE]",
  summary: "write the objects of a bucket as JSON lines or tar",
  examples: ["halo export cart cart.ndjson", "halo export photos photos.tar --prefix 2026/"],
  about: `Writes to FILE, or to standard output: keys, values, siblings, content types, metadata and lifetimes. A line of
ndjson is an object, as halo get --json shows it; a file in a tar archive is a value. halo import reads both.
For a copy of a node's whole store, history included, see halo backup.
${EXIT_CODES}`,
  options: [
    FORMAT_OPTION,
    option("prefix", "P", "keys that begin with it"),
    option("r", "N", "replicas that must answer for each: a number, one, quorum, all"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 2,
  run: exportBucket,
};

const IN_FLIGHT = 8;
const PAGE_KEYS = "1000";
const ATTEMPTS = 5;
const AGAIN_MS = 1_000;

export type Format = "ndjson" | "tar";

/** @throws UsageError */
export function formatOf(line: CommandLine, file: string): Format {
  const given = line.text("format");
  if (given === "") return file.endsWith(".tar") ? "tar" : "ndjson";
  if (given === "ndjson" || given === "tar") return given;
  throw new UsageError(`--format is '${given}', want ndjson or tar`);
}

async function exportBucket(line: CommandLine): Promise<number> {
  const [bucket = "", file = "-"] = line.positionals;
  const format = formatOf(line, file);
  const parameters: Record<string, string> = { limit: PAGE_KEYS };
  if (line.has("prefix")) parameters["prefix"] = line.text("prefix");
  const quorum = line.has("r") ? `&r=${encodeURIComponent(line.text("r"))}` : "";
  const target = new Target(file, format);
  const source = new Source(apiOf(line), bucket, quorum);
  const progress = new Progress(`export ${bucket}`, !line.flag("json"));
  let isStopped = false;
  onStopSignal(() => (isStopped = true));
  let count = 0;
  try {
    for await (const { name, object } of source.objects(parameters)) {
      if (isStopped) throw new CommandFailure(FAILED, `It was stopped after ${count} objects`);
      await target.add(object);
      progress.update(name.position0 + 1, 2 ** 32, `${++count} objects`);
    }
    await target.end();
  } finally {
    progress.end();
  }
  const told = `exported ${count} objects of ${bucket}${file === "-" ? "" : ` to ${file}`}`;
  // Standard output may be where the objects went.
  const say = line.flag("json") && file !== "-" ? writeOut : writeError;
  say(`${line.flag("json") ? JSON.stringify({ bucket, exported: count, file }) : told}\n`);
  return DONE;
}

/** Where it goes. */
class Target {
  readonly #file: OutFile | null;
  readonly #path: string;
  readonly #tar: TarWriter | null;

  constructor(path: string, format: Format) {
    this.#path = path;
    this.#file = path === "-" ? null : this.#told(() => new OutFile(path));
    this.#tar = format === "tar" ? new TarWriter(this.#write) : null;
  }

  add(object: PortableObject): Promise<void> {
    return this.#tar === null ? writeLine(object, this.#write) : this.#tar.add(object);
  }

  async end(): Promise<void> {
    await this.#tar?.end();
    this.#told(() => this.#file?.close());
  }

  readonly #write = async (piece: Uint8Array): Promise<void> => {
    if (this.#file === null) return writeOutPiece(piece);
    const file = this.#file;
    return this.#told(() => file.write(piece));
  };

  #told<Answer>(write: () => Answer): Answer {
    try {
      return write();
    } catch (error) {
      throw new CommandFailure(FAILED, `Cannot write ${this.#path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

interface Found {
  readonly name: ObjectName;
  readonly object: PortableObject;
}

/** A sibling as the JSON of a 300 has it. */
interface SiblingJson {
  readonly value: string;
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly time: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly expires?: string;
}

/** Where it comes from. */
class Source {
  readonly #api: Api;
  readonly #bucket: string;
  readonly #quorum: string;

  constructor(api: Api, bucket: string, quorum: string) {
    this.#api = api;
    this.#bucket = bucket;
    this.#quorum = quorum;
  }

  /** In the order of the listing; those that have gone meanwhile are left out. @throws CommandFailure */
  async *objects(parameters: Readonly<Record<string, string>>): AsyncGenerator<Found> {
    const bucketBytes = new TextEncoder().encode(this.#bucket);
    for await (const { keys } of keyPages(this.#api, { bucket: this.#bucket, parameters })) {
      const names = keys.map((key) => nameFrom(bucketBytes, parameterBytes("key", key)));
      const asked: Promise<Found | null>[] = [];
      for (let index = 0; index < names.length; index++) {
        while (asked.length < names.length && asked.length < index + IN_FLIGHT) {
          const answer = this.#ask(names[asked.length]);
          // Told in its turn.
          answer.catch(() => {});
          asked.push(answer);
        }
        const found = await asked[index];
        if (found !== null) yield found;
      }
    }
  }

  async #ask(name: ObjectName): Promise<Found | null> {
    for (let attempt = 1;; attempt++) {
      const key = name.bytes.subarray(name.bucketLength + 1);
      const target = `/kv/${encodeURIComponent(this.#bucket)}?key64=${encodeBase64Url(key)}${this.#quorum}`;
      const stall = new Stall();
      try {
        const headers = { Accept: "application/json" };
        const response = await this.#api.send({ method: "GET", target, headers, signal: stall.signal });
        if (response.status < 400) {
          const versions = await this.#versionsOf(response, target, stall);
          return { name, object: { key, versions } };
        }
        const isGone = response.status === 404;
        if (!isGone && (response.status < 500 || attempt === ATTEMPTS)) throw await failureOf(response);
        await response.body?.cancel();
        if (isGone) return null;
      } finally {
        stall.end();
      }
      await pause(AGAIN_MS);
    }
  }

  async #versionsOf(response: Response, target: string, stall: Stall): Promise<PortableVersion[]> {
    if (response.status === 300) {
      // Safe as far as the node at the other end is one of ours.
      const { siblings } = (await response.json()) as { siblings: SiblingJson[] };
      return siblings.map(versionOfJson);
    }
    const declared = response.headers.get("content-length");
    const length = declared === null ? null : Number(declared);
    const value = await outgoingValue({ pieces: bodyPieces(response), length }, stall);
    const whole = value.length === null ? { ...value, length: await this.#lengthOf(target, response) } : value;
    return [versionOf(response.headers, counted(whole))];
  }

  /** Of a value that is on its way without a length. @throws CommandFailure where another one came meanwhile */
  async #lengthOf(target: string, { headers }: Response): Promise<number> {
    const head = await this.#api.expect({ method: "HEAD", target });
    const length = Number(head.headers.get("content-length"));
    if (head.headers.get("etag") === headers.get("etag") && length > 0) return length;
    throw new CommandFailure(FAILED, "A large value was replaced while it was read, want another try");
  }
}

/** A large value with an end that is checked: what broke off is not the value. */
function counted({ body, length }: OutgoingValue): OutgoingValue {
  if (body instanceof Uint8Array) return { body, length };
  let count = 0;
  const check = new TransformStream<Uint8Array, Uint8Array>({
    transform: (piece, controller) => {
      count += piece.length;
      controller.enqueue(piece);
    },
    flush: (controller) => {
      if (count !== length) controller.error(new CommandFailure(FAILED, `A value broke off after ${count} of ${length} bytes`));
    },
  });
  return { body: body.pipeThrough(check), length };
}

function versionOfJson(sibling: SiblingJson): PortableVersion {
  const body = decodeBase64(sibling.value) ?? new Uint8Array(0);
  const { contentType, contentEncoding = "", meta, time, expires = "" } = sibling;
  return { value: { body, length: body.length }, contentType, contentEncoding, meta, time, expires };
}
