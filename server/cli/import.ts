/**
 * halo import: objects that `halo export` has written, or that others have made, put into a bucket.
 *
 *   lines or an archive ─► 16 objects on their way ─► for each: what is there? ─► put over it ─► siblings beside it
 *
 * Each object replaces what its coordinator has read of it, so it may be done twice, also after it broke off. A put
 * that was refused for now, or of which nobody knows how it ended, is sent again under its request id: it is
 * one write, however often it comes. Large values of an archive pass through, once.
 */

import { drawRequestId } from "../../core/request-id.ts";
import { encodeBase64Url } from "../http/bytes.ts";
import { systemClock } from "../ports/clock.ts";
import { filePieces, inputPieces, onStopSignal, type Pieces, writeOut } from "../ports/process.ts";
import { systemRandom } from "../ports/random.ts";
import { type Api, apiOf, type ApiRequest, failureOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option } from "./command-line.ts";
import { CommandFailure, DONE, FAILED, UNKNOWN } from "./exit-code.ts";
import { FORMAT_OPTION, type Format, formatOf } from "./export.ts";
import { pause } from "./key-pages.ts";
import { PortableError, readLines } from "./portable-lines.ts";
import { headersOf, type PortableVersion } from "./portable-object.ts";
import { readTar, type TarEntry } from "./portable-tar.ts";
import { Progress } from "./progress.ts";
import { Stall } from "./value-streams.ts";

export const importCommand: Command = {
  name: "import",
  takes: "BUCKET [FILE]",
  summary: "put objects from JSON lines or tar into a bucket",
  examples: ["halo import cart cart.ndjson"],
  about: `Reads FILE, or standard input, as halo export writes it; of any other tar archive each file becomes an object
under its path. An object replaces what the bucket holds under its key, siblings and all; with --if-absent what is
there stays. Lifetimes go on; what has expired is left out. It may be stopped (^C) and run again.
${EXIT_CODES}`,
  options: [
    FORMAT_OPTION,
    option("if-absent", "", "leave keys alone that are there"),
    option("w", "N", "replicas that must take each write: a number, one, quorum, all"),
    option("dw", "N", "of these, on how many it must be durable"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 2,
  run: importBucket,
};

const IN_FLIGHT = 16;
const BYTES_IN_FLIGHT = 32 << 20;
const ATTEMPTS = 5;
const AGAIN_MS = 1_000;
/** After so many objects that could not be put, one after the other, the rest would not fare better. */
const FAILURES_MAX = 100;

async function importBucket(line: CommandLine): Promise<number> {
  const [bucket = "", file = "-"] = line.positionals;
  const format = formatOf(line, file);
  const quorums = ["w", "dw"].filter((name) => line.has(name)).map((name) => `&${name}=${encodeURIComponent(line.text(name))}`);
  const writer = new Writer(apiOf(line), bucket, quorums.join(""), line.flag("if-absent"));
  const work = new Import(writer, new Progress(`import ${bucket}`, !line.flag("json")));
  onStopSignal(() => work.fail("it was stopped", true));
  await work.run(open(file), file, format);
  return tell(line, bucket, work);
}

function tell(line: CommandLine, bucket: string, { counts, failure }: Import): number {
  const { imported, skipped, expired, refused, unknown } = counts;
  if (line.flag("json")) writeOut(`${JSON.stringify({ bucket, ...counts })}\n`);
  else writeOut(`imported ${imported} objects into ${bucket}${skipped > 0 ? `, ${skipped} were there` : ""}${expired > 0 ? `, ${expired} had expired` : ""}\n`);
  if (failure === "") return DONE;
  if (refused + unknown === 0) throw new CommandFailure(FAILED, failure);
  const left = `${refused} refused, ${unknown} with unknown outcome`;
  throw new CommandFailure(unknown > 0 ? UNKNOWN : FAILED, `Not all was imported (${left}): ${failure}; run it again`);
}

/** @throws CommandFailure */
function open(file: string): Pieces {
  try {
    return file === "-" ? inputPieces() : filePieces(file);
  } catch (error) {
    throw new CommandFailure(FAILED, `Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What became of an object. */
type Fate = "imported" | "skipped" | "expired" | "refused" | "unknown";

class Import {
  readonly counts: Record<Fate, number> = { imported: 0, skipped: 0, expired: 0, refused: 0, unknown: 0 };
  /** Why not all is imported, the first reason; "": all is. */
  failure = "";
  readonly #writer: Writer;
  readonly #progress: Progress;
  readonly #underWay = new Set<Promise<void>>();
  #bytesUnderWay = 0;
  #failedInARow = 0;
  #isStopped = false;

  constructor(writer: Writer, progress: Progress) {
    this.#writer = writer;
    this.#progress = progress;
  }

  /** The first reason stands. */
  fail(reason: string, isEnd: boolean): void {
    if (this.failure === "") this.failure = reason;
    this.#isStopped ||= isEnd;
  }

  async run({ pieces, length }: Pieces, file: string, format: Format): Promise<void> {
    const seen = this.#counted(pieces, length);
    try {
      if (format === "tar") await this.#takeTar(seen);
      else await this.#takeLines(seen);
    } catch (error) {
      if (error instanceof PortableError || error instanceof CommandFailure) this.fail(error.message, true);
      else this.fail(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, true);
    } finally {
      await Promise.all(this.#underWay);
      this.#progress.end();
    }
  }

  async #takeLines(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const { key, versions } of readLines(pieces)) {
      if (this.#isStopped) return;
      await this.#begin(sizeOf(versions), () => this.#writer.object(key, versions));
    }
  }

  /** Siblings go one after the other, and large values while they are read. */
  async #takeTar(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    let last: Promise<Fate> = Promise.resolve("imported");
    for await (const entry of readTar(pieces)) {
      if (this.#isStopped) return;
      const before = last;
      await this.#begin(sizeOf([entry.version]), () => (last = this.#entry(entry, before)), !entry.isSibling);
      if (!(entry.version.value.body instanceof Uint8Array)) await last;
    }
  }

  async #entry({ key, isSibling, version }: TarEntry, before: Promise<Fate>): Promise<Fate> {
    if (!isSibling) return this.#writer.object(key, [version]);
    const fate = await before;
    return fate === "imported" ? this.#writer.beside(key, version) : fate;
  }

  /** Waits until there is room, and goes on beside it. */
  async #begin(bytes: number, put: () => Promise<Fate>, isCounted = true): Promise<void> {
    while (this.#underWay.size >= IN_FLIGHT || (this.#underWay.size > 0 && this.#bytesUnderWay + bytes > BYTES_IN_FLIGHT)) {
      await Promise.race(this.#underWay);
    }
    this.#bytesUnderWay += bytes;
    const done = this.#settle(put, isCounted).finally(() => {
      this.#bytesUnderWay -= bytes;
      this.#underWay.delete(done);
    });
    this.#underWay.add(done);
  }

  async #settle(put: () => Promise<Fate>, isCounted: boolean): Promise<void> {
    try {
      const fate = await put();
      if (isCounted) this.counts[fate]++;
      this.#failedInARow = 0;
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      this.counts[error.exitCode === UNKNOWN ? "unknown" : "refused"]++;
      this.fail(error.message, ++this.#failedInARow >= FAILURES_MAX);
    }
  }

  async *#counted(pieces: AsyncIterable<Uint8Array>, length: number | null): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      this.#progress.update(bytes, length ?? bytes, `${this.counts.imported} objects`);
      yield piece;
    }
  }
}

function sizeOf(versions: readonly PortableVersion[]): number {
  return versions.reduce((sum, { value }) => sum + (value.body instanceof Uint8Array ? value.body.length : 0), 0);
}

/** Puts versions. All of it throws CommandFailure where that does not work, with patience. */
class Writer {
  readonly #api: Api;
  readonly #bucket: string;
  readonly #quorums: string;
  readonly #isIfAbsent: boolean;

  constructor(api: Api, bucket: string, quorums: string, isIfAbsent: boolean) {
    this.#api = api;
    this.#bucket = bucket;
    this.#quorums = quorums;
    this.#isIfAbsent = isIfAbsent;
  }

  /** The first version in the place of what is there, the others beside it. */
  async object(key: Uint8Array, versions: readonly PortableVersion[]): Promise<Fate> {
    let isFirst = true;
    for (const version of versions) {
      const headers = headersOf(version, systemClock.nowMs());
      if (headers === null) continue;
      if (isFirst && !(await this.#first(key, version, headers))) return "skipped";
      if (!isFirst) await this.#put(key, version, headers);
      isFirst = false;
    }
    return isFirst ? "expired" : "imported";
  }

  /** One more version of what has just been put. */
  async beside(key: Uint8Array, version: PortableVersion): Promise<Fate> {
    const headers = headersOf(version, systemClock.nowMs());
    if (headers === null) return "expired";
    await this.#put(key, version, headers);
    return "imported";
  }

  /** Whether it was put. */
  async #first(key: Uint8Array, version: PortableVersion, headers: Record<string, string>): Promise<boolean> {
    if (this.#isIfAbsent) {
      const response = await this.#put(key, version, { ...headers, "If-None-Match": "*" });
      return response.status !== 412;
    }
    const context = await this.#contextOf(key);
    await this.#put(key, version, context === "" ? headers : { ...headers, "Halo-Context": context });
    return true;
  }

  /** What a put has to go on from to replace what is there; "": nothing is. */
  async #contextOf(key: Uint8Array): Promise<string> {
    const response = await this.#send({ method: "HEAD", target: this.#target(key) }, true);
    if (response.status >= 400 && response.status !== 404) {
      throw new CommandFailure(FAILED, `The node answered ${response.status} when it was asked what is there`);
    }
    return response.headers.get("halo-context") ?? "";
  }

  async #put(key: Uint8Array, version: PortableVersion, headers: Record<string, string>): Promise<Response> {
    const { body, length } = version.value;
    const all = { ...headers, "Halo-Request-Id": newRequestId(), ...(length === null ? {} : { "Content-Length": String(length) }) };
    const request = { method: "PUT", target: this.#target(key) + this.#quorums, headers: all, body };
    const response = await this.#send(request, body instanceof Uint8Array);
    if (response.status >= 400 && response.status !== 412) throw await failureOf(response);
    await response.body?.cancel();
    return response;
  }

  /** Again where it was refused for now, or nobody knows how it ended. */
  async #send(request: ApiRequest, mayRepeat: boolean): Promise<Response> {
    for (let attempt = 1;; attempt++) {
      const isLast = !mayRepeat || attempt === ATTEMPTS;
      const stall = new Stall();
      try {
        const response = await this.#api.send({ ...request, signal: stall.signal });
        if (response.status < 500 || isLast) return response;
        await response.body?.cancel();
      } catch (error) {
        if (!(error instanceof CommandFailure) || isLast) throw error;
      } finally {
        stall.end();
      }
      await pause(AGAIN_MS);
    }
  }

  #target(key: Uint8Array): string {
    return `/kv/${encodeURIComponent(this.#bucket)}?key64=${encodeBase64Url(key)}`;
  }
}

function newRequestId(): string {
  const bytes = drawRequestId(systemClock.nowMs(), (target) => systemRandom.fill(target));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
