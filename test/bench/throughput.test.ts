/** The benchmark of the engine's throughput still runs, on every runtime: its lines, not its figures. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { runOn, RUNTIMES } from "../../bench/runtimes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

t.setTimeout(120_000);

for (const runtime of RUNTIMES) {
  void t.test(`bench/storage/throughput.ts answers on ${runtime}`, (tt) => {
    const path = join("bench", "storage", "throughput.ts");
    const { output, complaint } = runOn(runtime, root, path, ["--smoke"]);
    tt.equal(complaint, "", "runs");
    for (const line of [/^put, new names, 64 in flight +\d/m, /^get from the log +\d/m, /^durable put +\d/m, /^the machine alone, random reads +\d/m]) {
      tt.match(output, line, "has the line");
    }
    tt.match(output, /^checksum \d/m, "has a checksum of what was read");
    tt.end();
  });
}
