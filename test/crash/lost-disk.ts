/**
 * One node of four loses its disk under load (B13, after Riak's verify_readonly): its data directory is
 * removed, or the file system below it fails and takes no more writes. Clients that go on to another node
 * when one answers with an error hardly notice, and the bad node is no longer asked for what it cannot do.
 */

import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Check } from "../suite.ts";
import { Cut, HttpLine } from "./kills/http-line.ts";
import { madeValue } from "./kills/made-value.ts";
import { Victim } from "./kills/victim.ts";
import type { Counts } from "../row.ts";
import { SmallDisk } from "./small-disk.ts";

const NODES = 4;
const CLIENTS = 16;
const VALUE_BYTES = 300;
const DISK_MEBIBYTES = 96;
/** Of all puts, after which the disk goes. */
const BEFORE_PART = 0.2;

export async function lostDisk(check: Check, puts: number): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "halo-lost-disk-"));
  const counts = { puts: 0, firstTryErrors: 0, errors: 0, lost: 0, failedDisks: 0 };
  try {
    await new Loss(folder, "removed", counts).run(check, puts);
    await new Loss(folder, "failed", counts).run(check, puts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return counts;
}

type Fate = "removed" | "failed";

class Loss {
  readonly #fate: Fate;
  readonly #counts: Counts;
  readonly #folder: string;
  readonly #disk: SmallDisk | null;
  readonly #victims: Victim[] = [];
  /** Numbers of the puts that were acknowledged. */
  readonly #acknowledged: number[] = [];
  #next = 0;
  #lateErrors = 0;

  constructor(folder: string, fate: Fate, counts: Counts) {
    this.#fate = fate;
    this.#counts = counts;
    this.#folder = join(folder, fate);
    const bad = join(this.#folder, "n0");
    this.#disk = fate === "failed" ? SmallDisk.mount(bad, DISK_MEBIBYTES) : null;
    // The disk that fails is small: its reserve is as well.
    const flags = ["--free-bytes-min", `${1 << 20}`];
    for (let index = 0; index < NODES; index++) {
      this.#victims.push(new Victim(`n${index}`, join(this.#folder, `n${index}`), flags));
    }
  }

  async run(check: Check, puts: number): Promise<void> {
    if (this.#fate === "failed" && this.#disk === null) {
      check.ok(true, "this machine does not let us mount a file system");
      return;
    }
    try {
      for (const victim of this.#victims) {
        await victim.start(this.#victims.filter(({ isUp }) => isUp).map(({ tcp }) => tcp));
        await victim.ready();
      }
      await this.#untilSettled();
      await this.#load(puts, Math.floor(puts * BEFORE_PART));
      await this.#judge(check, puts);
    } finally {
      for (const victim of this.#victims) await victim.kill();
      this.#disk?.unmount();
    }
  }

  async #load(puts: number, before: number): Promise<void> {
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      const lines = this.#victims.map(({ http }) => new HttpLine(http));
      while (this.#next < puts) {
        const number = this.#next++;
        if (number === before) this.#lose();
        await this.#put(lines, number, client % NODES, puts);
      }
      for (const line of lines) line.close();
    });
    await Promise.all(clients);
  }

  #lose(): void {
    if (this.#disk !== null) {
      this.#counts["failedDisks"]++;
      this.#disk.fail();
    } else renameSync(join(this.#folder, "n0"), join(this.#folder, "gone"));
  }

  /** One try through the client's own node, one through another. */
  async #put(lines: HttpLine[], number: number, first: number, puts: number): Promise<void> {
    this.#counts["puts"]++;
    if (await this.#try(lines, first, number)) return;
    this.#counts["firstTryErrors"]++;
    if (number > puts / 2) this.#lateErrors++;
    const isDone = await this.#try(lines, (first + 1) % NODES, number);
    if (!isDone) this.#counts["errors"]++;
  }

  async #try(lines: HttpLine[], node: number, number: number): Promise<boolean> {
    if (lines[node].isCut) lines[node] = new HttpLine(this.#victims[node].http);
    try {
      await lines[node].opened;
      const body = madeValue(number, VALUE_BYTES);
      const path = `/kv/puts/${number}`;
      const { status } = await lines[node].ask({ method: "PUT", path, body });
      if (status >= 300) return false;
      this.#acknowledged.push(number);
      return true;
    } catch (error) {
      if (error instanceof Cut) return false;
      throw error;
    }
  }

  /** The others answer for every acknowledged put. */
  async #judge(check: Check, puts: number): Promise<void> {
    const say = `n0's disk ${this.#fate}`;
    const { errors } = this.#counts;
    check.ok(errors <= puts / 10_000, `${say}: ${errors} errors of ${puts} puts after one retry`);
    check.ok(this.#lateErrors <= puts / 1_000, `${say}: ${this.#lateErrors} late first tries fail`);
    const lines = this.#victims.slice(1).map(({ http }) => new HttpLine(http));
    for (const number of this.#acknowledged) {
      const line = lines[number % lines.length];
      const { status, body } = await line.ask({ method: "GET", path: `/kv/puts/${number}` });
      const isRight = status === 200 && Buffer.compare(body, madeValue(number, VALUE_BYTES)) === 0;
      if (isRight) continue;
      this.#counts["lost"]++;
      check.ok(false, `${say}: put ${number} reads ${status}`);
    }
    for (const line of lines) line.close();
  }

  async #untilSettled(): Promise<void> {
    const deadline = Date.now() + 60_000;
    const line = new HttpLine(this.#victims[0].http);
    for (;;) {
      const { body } = await line.ask({ method: "GET", path: "/cluster" });
      const { members, layout }: { members: { partitions: number }[]; layout: { live: number[] } } =
        JSON.parse(Buffer.from(body).toString());
      const isAll = members.length === NODES && members.every(({ partitions }) => partitions > 0);
      if (isAll && layout.live.length === 1) break;
      if (Date.now() > deadline) throw new Error(`not one cluster of ${NODES} in a minute`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    line.close();
  }
}
