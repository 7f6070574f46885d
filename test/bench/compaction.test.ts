/** The benchmark of compaction still runs, on every runtime: its lines, not its figures. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { runOn, RUNTIMES } from "../../bench/runtimes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

t.setTimeout(120_000);

for (const runtime of RUNTIMES) {
  void t.test(`bench/storage/compaction.ts answers on ${runtime}`, (tt) => {
    const path = join("bench", "storage", "compaction.ts");
    const { output, complaint } = runOn(runtime, root, path, ["--smoke"]);
    tt.equal(complaint, "", "runs");
    for (const line of [/^without +\d/m, /^with +\d/m, /^without again +\d/m]) {
      tt.match(output, line, "has the line");
    }
    tt.end();
  });
}
