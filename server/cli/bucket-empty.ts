/**
 * halo bucket empty: deletes every object of a bucket.
 *
 *   page of keys ─► 16 deletes at a time, each of what it finds ─► tombstones ─► the next page
 *
 * A delete supersedes what its coordinator has read, and nothing else: a write that comes meanwhile stays,
 * beside it or after it. It can be stopped and begun again: what is deleted already is not listed. The
 * space comes back with compaction. How far it is, the place of the last key on the ring tells.
 */

import { ObjectName } from "../../core/object-name.ts";
import { encodeBase64Url } from "../http/bytes.ts";
import { nameFrom, parameterBytes } from "../http/target.ts";
import { systemClock } from "../ports/clock.ts";
import { askLine, isInputTerminal, onStopSignal, writeError, writeOut } from "../ports/process.ts";
import { type Api, apiOf, NODE_OPTIONS, outcomeOf } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED, UNKNOWN } from "./exit-code.ts";
import { keyPages, pause } from "./key-pages.ts";
import { Progress } from "./progress.ts";

export const bucketEmptyCommand: Command = {
  name: "bucket empty",
  takes: "BUCKET",
  summary: "delete every object of a bucket",
  examples: ["halo bucket empty sessions --yes"],
  about: `Lists the bucket and deletes what it finds, key by key; the bucket's properties stay. What is
written meanwhile is not lost: a delete replaces what it has read and nothing else. It can be stopped
(^C) and run again. Without --yes it asks, on a terminal.
${EXIT_CODES}`,
  options: [
    option("yes", "", "do not ask"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: empty,
};

const IN_FLIGHT = 16;
const PAGE_KEYS = "1000";
const ATTEMPTS = 3;
const AGAIN_MS = 500;
const encoder = new TextEncoder();

async function empty(line: CommandLine): Promise<number> {
  const [bucket = ""] = line.positionals;
  if (!line.flag("yes") && !(await isMeant(bucket))) return FAILED;
  const emptying = new Emptying(apiOf(line), bucket, !line.flag("json"));
  onStopSignal(() => emptying.stop());
  const { deleted, unknown, refused, failure } = await emptying.run();
  if (line.flag("json")) writeOut(`${JSON.stringify({ bucket, deleted, unknown, refused })}\n`);
  else writeOut(`deleted ${deleted} objects of ${bucket}\n`);
  if (failure === "") return DONE;
  const counts = `${unknown} with unknown outcome, ${refused} refused`;
  throw new CommandFailure(
    unknown > 0 ? UNKNOWN : FAILED,
    `The bucket is not empty (${counts}): ${failure}; run it again`,
  );
}

/** @throws UsageError where nobody can be asked */
async function isMeant(bucket: string): Promise<boolean> {
  if (!isInputTerminal()) throw new UsageError("There is no terminal to ask on, want --yes");
  writeError(`This deletes every object of the bucket '${bucket}'. Its name again, to go on: `);
  if ((await askLine()) === bucket) return true;
  writeError("Nothing is deleted.\n");
  return false;
}

class Emptying {
  deleted = 0;
  unknown = 0;
  refused = 0;
  /** Why the bucket may not be empty, the first reason; "": it is. */
  failure = "";
  readonly #api: Api;
  readonly #bucket: string;
  readonly #bucketBytes: Uint8Array;
  readonly #progress: Progress;
  readonly #beganMs = systemClock.elapsedMs();
  #isStopped = false;

  constructor(api: Api, bucket: string, isShown: boolean) {
    this.#api = api;
    this.#bucket = bucket;
    this.#bucketBytes = encoder.encode(bucket);
    this.#progress = new Progress(`empty ${bucket}`, isShown);
  }

  /** What is under way ends, and nothing more begins. */
  stop(): void {
    this.#isStopped = true;
    this.#fail("it was stopped");
  }

  async run(): Promise<this> {
    const wanted = { bucket: this.#bucket, parameters: { limit: PAGE_KEYS } };
    try {
      for await (const { keys } of keyPages(this.#api, wanted)) {
        const before = this.deleted;
        await this.#deleteAll(keys);
        if (this.#isStopped) break;
        // Nothing of a page could be deleted: the next one would end so, too.
        if (keys.length > 0 && this.deleted === before) break;
      }
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      this.#fail(error.message);
    } finally {
      this.#progress.end();
    }
    return this;
  }

  async #deleteAll(keys: readonly string[]): Promise<void> {
    const left = keys.values();
    const work = async (): Promise<void> => {
      for (const key of left) {
        if (this.#isStopped) return;
        const name = nameFrom(this.#bucketBytes, parameterBytes("key", key));
        await this.#delete(name);
        this.#show(name);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  }

  /** One delete, again where it was refused for now. */
  async #delete(name: ObjectName): Promise<void> {
    const key64 = encodeBase64Url(name.bytes.subarray(name.bucketLength + 1));
    const target = `/kv/${encodeURIComponent(this.#bucket)}?key64=${key64}`;
    for (let attempt = 1;; attempt++) {
      const { outcome, detail } = await outcomeOf(this.#api, { method: "DELETE", target });
      if (outcome === "done") return void this.deleted++;
      if (outcome === "refused" && attempt < ATTEMPTS && !this.#isStopped) await pause(AGAIN_MS);
      else return this.#undone(outcome, detail);
    }
  }

  #undone(outcome: "refused" | "unknown", detail: string): void {
    if (outcome === "unknown") this.unknown++;
    else this.refused++;
    this.#fail(detail);
  }

  #fail(reason: string): void {
    if (this.failure === "") this.failure = reason;
  }

  #show({ position0 }: ObjectName): void {
    const seconds = (systemClock.elapsedMs() - this.#beganMs) / 1000;
    const rate = Math.round(this.deleted / Math.max(0.001, seconds));
    this.#progress.update(position0 + 1, 2 ** 32, `${this.deleted} deleted, ${rate} a second`);
  }
}
