/**
 * One client: writes, overwrites, deletes and reads its own keys, one request at a time, until its node
 * dies or it is told to stop, and judges each answer by what it knows of the key.
 *
 *   put      with the context of the last answer, or without one: a sibling
 *   delete   the same
 *   get      each value to the byte, and no other than those that may be there
 */

import type { SeededRandom } from "../../random.ts";
import type { KillCounts } from "./counts.ts";
import { type Answer, type Asking, Cut, type HttpLine } from "./http-line.ts";
import { DELETE_LENGTH, KnownKey } from "./known-key.ts";
import { drawLength, isMadeValue, madeValue } from "./made-value.ts";

const SIBLINGS_MAX = 4;
const VERIFY_MS_MAX = 20_000;
const RETRY_MS = 20;

export interface Journal {
  readonly counts: KillCounts;
  /** The number of the next write. */
  nextId: number;
  /** Something is wrong. */
  accuse(key: string, fault: string): void;
}

export class Writer {
  readonly keys: readonly KnownKey[];
  readonly #random: SeededRandom;
  readonly #journal: Journal;
  /** The last answer that was no answer to a read. */
  #notRead = "";
  isStopped = false;

  constructor(paths: readonly string[], random: SeededRandom, journal: Journal) {
    this.keys = paths.map((path) => new KnownKey(path));
    this.#random = random;
    this.#journal = journal;
  }

  /** Works until the line is cut or `isStopped`. */
  async work(line: HttpLine): Promise<void> {
    try {
      await line.opened;
      while (!this.isStopped) await this.#next(line);
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
    }
  }

  /** Reads and judges keys. @param isFinal see KnownKey.judge() */
  async verify(line: HttpLine, isFinal: boolean, all: boolean): Promise<void> {
    for (const key of this.keys) {
      if (!all && !key.isTouched) continue;
      await this.#verifyKey(line, key, isFinal);
      key.isTouched = false;
    }
  }

  async #verifyKey(line: HttpLine, key: KnownKey, isFinal: boolean): Promise<void> {
    const deadline = performance.now() + VERIFY_MS_MAX;
    while (!(await this.#read(line, key, isFinal))) {
      if (performance.now() > deadline) {
        this.#journal.counts.lost++;
        this.#journal.accuse(key.path, `cannot be read: ${this.#notRead}`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    this.#journal.counts.verified++;
  }

  #next(line: HttpLine): Promise<unknown> {
    const random = this.#random;
    const key = this.keys[random.below(this.keys.length)];
    const draw = random.below(100);
    if (draw < 20) return this.#read(line, key, false);
    if (draw < 28) return this.#write(line, key, DELETE_LENGTH, key.shown);
    if (draw < 31) return this.#write(line, key, DELETE_LENGTH, null);
    const isSibling = draw < 46 && key.liveCount < SIBLINGS_MAX;
    return this.#write(line, key, drawLength(random), isSibling ? [] : key.shown);
  }

  async #write(
    line: HttpLine,
    key: KnownKey,
    length: number,
    covers: readonly number[] | null,
  ): Promise<void> {
    const { counts } = this.#journal;
    const context = covers === null || covers.length === 0 ? "" : key.context;
    // A delete without a context deletes what it finds.
    const isDelete = length === DELETE_LENGTH;
    const covered = isDelete && context === "" ? null : covers;
    const write = key.begin(this.#journal.nextId++, length, covered);
    let answer: Answer;
    try {
      answer = await line.ask(this.#request(key, write.id, length, context));
    } catch (error) {
      counts.unknown++;
      throw error;
    }
    if (answer.status < 300) {
      counts.acknowledged++;
      key.acknowledged(write, answer.headers.get("halo-context") ?? "");
    } else if (isRefused(answer)) {
      counts.refused++;
      key.refused(write);
    } else counts.unknown++;
  }

  #request(key: KnownKey, id: number, length: number, context: string): Asking {
    const headers = context === "" ? [] : [`Halo-Context: ${context}`];
    const path = `${key.path}?dw=${drawDurable(this.#random)}`;
    if (length === DELETE_LENGTH) return { method: "DELETE", path, headers };
    headers.push(`Halo-Meta-Id: ${id}`);
    return { method: "PUT", path, headers, body: madeValue(id, length) };
  }

  /** False where the read was not answered. */
  async #read(line: HttpLine, key: KnownKey, isFinal: boolean): Promise<boolean> {
    const headers = ["Accept: application/json"];
    const answer = await line.ask({ method: "GET", path: key.path, headers });
    const values = valuesOf(answer);
    if (values === null) {
      this.#notRead = `${answer.status} ${Buffer.from(answer.body).toString()}`;
      return false;
    }
    this.#journal.counts.reads++;
    const context = answer.headers.get("halo-context") ?? "";
    const changed = values.find(({ id, bytes }) => {
      const length = key.lengthOf(id);
      return length !== DELETE_LENGTH && !isMadeValue(bytes, id, length);
    });
    const ids = values.map(({ id }) => id);
    const fault = changed === undefined
      ? key.judge(ids, context, isFinal)
      : `shows other bytes than those of value ${changed.id}`;
    if (fault === "") return true;
    if (fault.includes("lost")) this.#journal.counts.lost++;
    else this.#journal.counts.nowhere++;
    this.#journal.accuse(key.path, fault);
    return true;
  }
}

interface Value {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** The values in the answer to a read; null where it is none. */
function valuesOf({ status, headers, body }: Answer): Value[] | null {
  if (status === 404) return [];
  if (status === 200) return [{ id: Number(headers.get("halo-meta-id")), bytes: body }];
  if (status !== 300) return null;
  const parsed: { siblings: { value: string; meta: Record<string, string> }[] } = JSON.parse(
    Buffer.from(body).toString(),
  );
  return parsed.siblings.map(({ value, meta }) => {
    return { id: Number(meta["id"]), bytes: Buffer.from(value, "base64") };
  });
}

function isRefused({ body }: Answer): boolean {
  const problem: { outcome?: string } = JSON.parse(Buffer.from(body).toString());
  return problem.outcome === "refused";
}

/** Most writes are acknowledged when they are durable; before that the kernel has them. */
function drawDurable(random: SeededRandom): string {
  const draw = random.below(10);
  return draw === 0 ? "0" : draw === 1 ? "all" : "1";
}
