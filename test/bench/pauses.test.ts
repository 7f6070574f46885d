/** The benchmark of a growing store's pauses still runs, on every runtime: its lines, not its figures. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { runOn, RUNTIMES } from "../../bench/runtimes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

t.setTimeout(120_000);

for (const runtime of RUNTIMES) {
  void t.test(`bench/storage/pauses.ts answers on ${runtime}`, (tt) => {
    const { output, complaint } = runOn(runtime, root, join("bench", "storage", "pauses.ts"), ["--smoke"]);
    tt.equal(complaint, "", "runs");
    for (const line of [/^index alone +p99 /m, /^one write +p99 /m, /^a gap +p99 /m]) {
      tt.match(output, line, "has the line");
    }
    tt.match(output, /^checksum 2048$/m, "every object is there");
    tt.end();
  });
}
