/**
 * Real files through a real cluster with a death in the middle: what was acknowledged is there,
 * from every node, and each replica has its own copy once the hints are delivered.
 *
 * A few hundred files of node_modules, evenly picked, and some that are too large to be taken. The
 * whole tree is `bun bench/tree.ts`.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Children, ROOT } from "../../bench/children.ts";
import { HALO, isBuilt } from "../../bench/halo.ts";
import { filesBelow, sampleOf } from "../../bench/tree/files.ts";
import { storeTree } from "../../bench/tree/run.ts";
import { VALUE_BYTES_MAX_DEFAULT } from "../../core/limits.ts";

const FILES = 300;
const LARGE_FILES = 2;
const NODES = 3;

t.setTimeout(180_000);

t.test("a tree of files survives kill -9 of a node: nothing acknowledged is lost", async (t) => {
  if (!t.ok(isBuilt(HALO), "dist/halo is built (make build)")) return;
  const folder = join(ROOT, "node_modules");
  const all = filesBelow(folder);
  const isLarge = (path: string) => statSync(join(folder, path)).size > VALUE_BYTES_MAX_DEFAULT;
  const large = all.filter(isLarge).slice(0, LARGE_FILES);
  const small = sampleOf(all, FILES).filter((path) => !isLarge(path));
  const children = new Children(join(ROOT, ".data"));
  t.teardown(() => children.end());
  const figures = await storeTree({
    children,
    binary: HALO,
    folder,
    paths: [...large, ...small],
    concurrency: 8,
    report: (line) => t.comment(line),
  });
  t.comment(JSON.stringify(figures));
  t.equal(figures.lost, 0, figures.losses.join("\n"));
  t.equal(figures.tooLarge, large.length, "what is too large is refused, and only that");
  t.equal(figures.acknowledged, small.length, figures.complaint);
  t.equal(figures.readsRight, 2 * NODES * small.length, "read back from every node, and with r=1");
  t.ok(figures.hintsDelivered > 0, "what the dead node missed came as hints");
  t.equal(figures.replicasMissing, 0, "every owner holds the one version of each file");
});
