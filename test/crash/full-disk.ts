/**
 * A real node on a disk of 64 MiB under write load (B7): when it is full, writes are refused with 507 and a
 * sentence, reads and deletes go on; what is deleted comes back as space by compaction, and writes pass
 * again, without a restart. Nothing that was acknowledged is lost, over a kill at the end.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Check } from "../suite.ts";
import { type Answer, HttpLine } from "./kills/http-line.ts";
import { madeValue } from "./kills/made-value.ts";
import { Victim } from "./kills/victim.ts";
import type { Counts } from "../row.ts";
import { SmallDisk } from "./small-disk.ts";

const MEBIBYTES = 64;
const VALUE_BYTES = 20_000;
/** Of the disk: kept for giving space back. */
const RESERVE_BYTES = 8 << 20;
/** How long compaction may take to give space back. */
const RECOVERS_MS_MAX = 5_000;
/** Of so many that are there, how many are deleted once the disk is full: spread over all segments. */
const DELETED_OF = 10;
const DELETED = 7;

/** Fills and empties a disk for so many seconds, at least once. */
export async function fullDisk(check: Check, seconds: number): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "halo-full-disk-"));
  const disk = SmallDisk.mount(join(folder, "disk"), MEBIBYTES);
  const victim = new Victim("full", join(folder, "disk", "data"), [
    "--free-bytes-min",
    `${RESERVE_BYTES}`,
  ]);
  try {
    if (disk !== null) return await new FullDisk(victim).run(check, seconds);
    check.ok(true, "this machine does not let us mount a file system");
    return { smallDisks: 0 };
  } finally {
    await victim.kill();
    disk?.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
}

class FullDisk {
  readonly #victim: Victim;
  readonly #counts: Counts = { smallDisks: 1, fills: 0, puts: 0, refused: 0, deletes: 0, slowestMs: 0 };
  /** Numbers of the puts that are there. */
  #held: number[] = [];
  #next = 0;

  constructor(victim: Victim) {
    this.#victim = victim;
  }

  async run(check: Check, seconds: number): Promise<Counts> {
    await this.#victim.start();
    await this.#victim.ready();
    const until = Date.now() + seconds * 1000;
    const line = new HttpLine(this.#victim.http);
    do {
      await this.#fill(line, check);
      await this.#readAll(line, check, "while it is full");
      await this.#delete(line, check);
      await this.#recover(line, check);
      this.#counts["fills"]++;
    } while (Date.now() < until);
    await this.#victim.kill();
    await this.#victim.start();
    await this.#victim.ready();
    await this.#readAll(new HttpLine(this.#victim.http), check, "after a kill");
    return this.#counts;
  }

  /** Writes until it is refused. */
  async #fill(line: HttpLine, check: Check): Promise<void> {
    for (;;) {
      const answer = await this.#put(line);
      if (answer.status === 204) continue;
      const text = Buffer.from(answer.body).toString();
      check.equal(answer.status, 507, `refused: ${text}`);
      check.ok(/disk has \d+ free bytes|no space|ENOSPC/.test(text), `with a sentence: ${text}`);
      return;
    }
  }

  async #put(line: HttpLine): Promise<Answer> {
    const number = this.#next++;
    const body = madeValue(number, VALUE_BYTES);
    const answer = await line.ask({ method: "PUT", path: `/kv/full/${number}`, body });
    if (answer.status === 204) {
      this.#held.push(number);
      this.#counts["puts"]++;
    } else this.#counts["refused"]++;
    return answer;
  }

  async #readAll(line: HttpLine, check: Check, say: string): Promise<void> {
    for (const number of this.#held) {
      const { status, body } = await line.ask({ method: "GET", path: `/kv/full/${number}` });
      const isRight = status === 200 && Buffer.compare(body, madeValue(number, VALUE_BYTES)) === 0;
      if (!isRight) check.ok(false, `${say}: ${number} reads ${status}`);
    }
    check.ok(this.#held.length > 0, `${say}: ${this.#held.length} objects are read`);
  }

  async #delete(line: HttpLine, check: Check): Promise<void> {
    const doomed = this.#held.filter((_, index) => index % DELETED_OF < DELETED);
    for (const number of doomed) {
      const { status } = await line.ask({ method: "DELETE", path: `/kv/full/${number}` });
      if (status !== 204) check.ok(false, `while it is full a delete is answered ${status}`);
    }
    this.#counts["deletes"] += doomed.length;
    this.#held = this.#held.filter((_, index) => index % DELETED_OF >= DELETED);
  }

  /** Waits until a write passes. */
  async #recover(line: HttpLine, check: Check): Promise<void> {
    const began = Date.now();
    while ((await this.#put(line)).status !== 204) {
      if (Date.now() - began > 10 * RECOVERS_MS_MAX) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const tookMs = Date.now() - began;
    this.#counts["slowestMs"] = Math.max(this.#counts["slowestMs"], tookMs);
    check.ok(tookMs < RECOVERS_MS_MAX, `it takes writes again after ${tookMs} ms`);
  }
}
