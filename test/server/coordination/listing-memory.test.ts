/**
 * A listing of many pages holds one page at a time: what replicas and coordinator make of keys on the way is counted
 * while it is there, and after each page nothing of it is.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { RUN_ENTRIES_MAX } from "../../../core/limits.ts";
import type { ListResult } from "../../../server/coordination/store.ts";
import { BucketRuns } from "../../../server/replication/bucket-runs.ts";
import { nameOf, SmallCluster } from "../replication/small-cluster.ts";

const KEYS = 3_000;
const PAGE = 600;
/** The collector takes its time: the first page alone is looked at while it is made, every second step. */
const LOOK_EVERY_STEPS = 2;
const TRIES = 5;
/** A round asks two owners, each for a run. */
const MOST = 2 * RUN_ENTRIES_MAX;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Entries of runs that were made and are not collected yet. */
class Held {
  made = 0;
  gone = 0;
  readonly #registry = new FinalizationRegistry<null>(() => void this.gone++);

  watch(): void {
    const { run } = BucketRuns.prototype;
    const count = (entries: readonly object[]): void => this.count(entries);
    BucketRuns.prototype.run = function (question, done) {
      run.call(this, question, (made, error) => {
        count(made?.entries ?? []);
        done(made, error);
      });
    };
  }

  count(entries: readonly object[]): void {
    this.made += entries.length;
    for (const entry of entries) this.#registry.register(entry, null);
  }

  /** How many are there; the collector tells late what is gone, so it is asked again while it seems to be more than may be. */
  async now(most: number): Promise<number> {
    for (let tries = 0; tries < TRIES; tries++) {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (this.made - this.gone <= most) break;
    }
    return this.made - this.gone;
  }
}

/** Makes a page, a simulated millisecond at a time. */
async function pageOf(cluster: SmallCluster, cursor: string, between: () => Promise<void>): Promise<ListResult> {
  const results: ListResult[] = [];
  const [node] = cluster.nodes;
  const request = { bucket: new TextEncoder().encode("cart"), prefix: new Uint8Array(0), cursor, limit: PAGE };
  node.coordinator.list({ ...request, r: "quorum", timeoutMs: 5_000 }, (result) => results.push(result));
  while (results.length === 0) {
    cluster.run(1);
    await between();
  }
  return results[0];
}

t.test("of five pages one is held, and of its way no more than the runs of one round", async (tt) => {
  const held = new Held();
  // That it counts at all: between two steps the collector may find nothing that is held.
  const kept = [{}, {}];
  held.count(kept);
  tt.equal(await held.now(0), kept.length, "what is held is counted");
  held.watch();
  const cluster = new SmallCluster(3);
  for (let index = 0; index < KEYS; index++) cluster.nodes[0].put(nameOf(`cart/${index}`), "v", { w: 3 });
  let cursor = "";
  let [keys, pages, steps, mostMeanwhile, mostAfter] = [0, 0, 0, 0, 0];
  do {
    const result = await pageOf(cluster, cursor, async () => {
      if (pages === 0 && steps++ % LOOK_EVERY_STEPS === 0) mostMeanwhile = Math.max(mostMeanwhile, await held.now(MOST));
    });
    tt.equal(result.outcome, "done");
    tt.ok(result.keys.length <= PAGE);
    keys += result.keys.length;
    pages++;
    cursor = result.cursor;
    mostAfter = Math.max(mostAfter, await held.now(MOST));
  } while (cursor !== "");
  tt.equal(keys, KEYS);
  tt.ok(held.made >= 2 * KEYS, `${held.made} entries were made by the two owners that were asked for each`);
  tt.ok(mostMeanwhile <= MOST, `${mostMeanwhile} at most at one time`);
  tt.ok(mostAfter <= MOST, `${mostAfter} at most after a page`);
  tt.comment(`${pages} pages, ${held.made} entries made, ${mostMeanwhile} at one time, ${mostAfter} after a page`);
});
