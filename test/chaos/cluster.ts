/** A cluster of real nodes on a network of its own, and what an administrator does with it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpLine } from "../crash/kills/http-line.ts";
import { Victim } from "../crash/kills/victim.ts";
import type { ClusterReport, WorksReport } from "../../server/http/http-node.ts";
import { ChaosNetwork } from "./network.ts";

const POLL_MS = 100;
const LIMIT_MS = 120_000;
/** On a network without a way out, nobody but the test can come. */
const FLAGS = ["--insecure", "--free-bytes-min", `${1 << 20}`];

export const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

export class ChaosCluster {
  readonly network = new ChaosNetwork();
  readonly nodes: Victim[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "halo-chaos-"));

  /** A further machine; its node is not started. @param more further flags */
  add(more: readonly string[] = []): Victim {
    const name = `n${this.nodes.length + 1}`;
    const node = new Victim(name, join(this.#folder, name), [...FLAGS, ...more], this.network.add());
    this.nodes.push(node);
    return node;
  }

  /** Starts a node; all others are its seeds. */
  async start(node: Victim): Promise<void> {
    await node.start(this.nodes.filter((other) => other !== node && other.isUp).map(({ tcp }) => tcp));
  }

  folderOf(node: Victim): string {
    return join(this.#folder, node.name);
  }

  get up(): Victim[] {
    return this.nodes.filter(({ isUp }) => isUp);
  }

  /** Asks nodes that are up, one after the other, until one answers with 2xx; null: none does. */
  async ask<Answer>(method: string, path: string, order?: object): Promise<Answer | null> {
    for (const { http } of this.up) {
      const answer = await ask<Answer>(http, method, path, order);
      if (answer !== null) return answer;
    }
    return null;
  }

  /** Stages a change and commits it, as often as it takes. */
  async change(path: string, order: object): Promise<void> {
    await this.until(`${path} ${JSON.stringify(order)}`, async () => {
      const plan = await this.ask<{ version: number; token: string }>("POST", path, order);
      if (plan === null) return false;
      const commit = { version: plan.version, plan: plan.token };
      return (await this.ask("POST", "/cluster/commit", commit)) !== null;
    });
  }

  /** Waits until something holds. @throws where it does not, with how the cluster stands */
  async until(what: string, reached: () => boolean | Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!(await reached())) {
      if (performance.now() > deadline) throw new Error(`not in ${limitMs} ms: ${what}; ${await this.#standing()}`);
      await pause(POLL_MS);
    }
  }

  /** Waits until these nodes and no others are members, one layout is in use, and nothing is on its way any more. */
  async settled(names: readonly string[]): Promise<void> {
    const wanted = [...names].sort().join();
    await this.until(`settled as ${wanted}`, async () => {
      for (const { http, name } of this.up) {
        const report = await ask<ClusterReport>(http, "GET", "/cluster");
        const members = report?.members.map((member) => member.name).sort().join();
        if (names.includes(name) && (members !== wanted || report?.layout.live.length !== 1)) return false;
        if (!report?.members.every(({ healthy }) => healthy) && names.includes(name)) return false;
        const stats = await ask<Record<string, number>>(http, "GET", "/stats");
        const left = (stats?.["hintsPending"] ?? 1) + (stats?.["partitionsPartial"] ?? 1);
        if (names.includes(name) && left > 0) return false;
      }
      return true;
    });
  }

  async end(): Promise<void> {
    for (const node of this.nodes) await node.kill();
    this.network.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #standing(): Promise<string> {
    const lines: string[] = [];
    for (const { http, name } of this.up) {
      const report = await ask<ClusterReport>(http, "GET", "/cluster");
      const work = await ask<WorksReport>(http, "GET", "/cluster/transfers");
      const stats = await ask<Record<string, number>>(http, "GET", "/stats");
      const members = report?.members.map((one) => `${one.name} ${one.status} ${one.healthy ? "well" : "ill"}`).join(", ");
      const stuck = work?.members.map(({ transfer }) => transfer.stuck).filter((text) => text !== "").join(", ");
      lines.push(`${name}: ${members}; live ${report?.layout.live}; stuck ${stuck}; hints ${stats?.["hintsPending"]}, ` +
        `partial ${stats?.["partitionsPartial"]}, surplus ${stats?.["partitionsSurplus"]}`);
    }
    return lines.join(" | ");
  }
}

/** The JSON of a 2xx; null: another answer, or none. */
async function ask<Answer>(http: string, method: string, path: string, order?: object): Promise<Answer | null> {
  const line = new HttpLine(http);
  const body = order === undefined ? undefined : new TextEncoder().encode(JSON.stringify(order));
  const asking = { method, path, headers: ["Content-Type: application/json"], ...(body === undefined ? {} : { body }) };
  try {
    await line.opened;
    const { status, body: bytes } = await line.ask(asking);
    // Safe enough for a test: what is not as it says is seen by who uses it.
    return status >= 300 ? null : (JSON.parse(new TextDecoder().decode(bytes)) as Answer);
  } catch {
    return null;
  } finally {
    line.close();
  }
}
