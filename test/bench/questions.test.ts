/**
 * Every micro-benchmark still runs, on Bun and by turns on one of the others: each work once, for its
 * lines, not its figures. (What they measure runs on every runtime in the suites.)
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Answer } from "../../bench/question.ts";
import { runOn } from "../../bench/runtimes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

t.setTimeout(120_000);

for (const folder of ["core", "http"]) {
  for (const [index, file] of readdirSync(join(root, "bench", folder)).sort().entries()) {
    const runtimes = ["bun", index % 2 === 0 ? "deno" : "node"] as const;
    void t.test(`bench/${folder}/${file} answers on ${runtimes.join(" and ")}`, (tt) => {
      for (const runtime of runtimes) {
        const path = join("bench", folder, file);
        const { output, complaint } = runOn(runtime, root, path, ["--smoke", "--json"]);
        tt.equal(complaint, "", `${runtime} runs it`);
        if (complaint !== "") continue;
        // What --json prints is an Answer.
        const { lines } = JSON.parse(output) as Answer;
        const names = new Set(lines.map(({ task, name }) => `${task}: ${name}`));
        tt.equal(names.size, lines.length, `${runtime}: no two lines of one name`);
        tt.ok(lines.some(({ isReference }) => !isReference), `${runtime}: something of ours`);
      }
      tt.end();
    });
  }
}
