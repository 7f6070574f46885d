/**
 * Data directories of a former format version are read by the program of today (RELIABILITY B15): what
 * was stored is answered as it was, what was deleted stays deleted, what waited for another node still
 * waits, and writing goes on. golden/make.sh made them.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { Background, HALO, halo, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

const ARCHIVE = fileURLToPath(new URL("golden/version-1.tar.gz", import.meta.url));

/** SHA-256 of what is stored in both directories, by path below /kv. */
const BODIES: Readonly<Record<string, string>> = {
  "b/plain": sha256("hello"),
  "b/empty": sha256(""),
  "b/%00%FF%2F": sha256("odd"),
  "b/body": sha256("x".repeat(10_000)),
  "b/large": sha256(new Uint8Array(900_000)),
  "last/write": sha256("second"),
};

const CASES = [
  {
    folder: "killed",
    more: { "b/hinted-1": sha256("missed by a node 1"), "b/hinted-5": sha256("missed by a node 5") },
    verified: { damaged: 0, objects: { liveObjects: 13, tailBytes: 0 }, hints: { liveObjects: 5 } },
  },
  {
    folder: "stopped",
    more: { "b/streamed": sha256(new Uint8Array(3_000_000)) },
    verified: { damaged: 0, objects: { liveObjects: 9, tailBytes: 0 }, hints: { liveObjects: 0 } },
  },
];

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Serves a directory; alone of three, a node is not ready for writes that want a quorum, but reads. */
async function serve(test: Test, data: string): Promise<string> {
  const places = ["--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--data", data];
  const node = new Background(test, HALO, ["serve", ...places, "--max-value-bytes", "4000000"]);
  const url = (await node.until(/listens on (http:\/\/[^,]+),/))[1] ?? "";
  await untilTrue(async () => (await fetch(`${url}/kv/b/plain?r=1&pr=0`)).status === 200);
  return url;
}

for (const { folder, more, verified } of CASES) {
  t.test(`a directory of format version 1 (${folder}) is read as it was written`, async (t) => {
    const root = temporaryFolder(t);
    execFileSync("tar", ["xzf", ARCHIVE, "-C", root]);
    const data = join(root, folder);
    t.match(JSON.parse((await halo(["verify", data, "--json"])).stdout), verified, "halo verify");

    const url = await serve(t, data);
    const get = (path: string, headers = {}) => fetch(`${url}/kv/${path}?r=1&pr=0`, { headers });
    for (const [path, hash] of Object.entries({ ...BODIES, ...more })) {
      const answer = await get(path);
      t.equal(answer.status, 200, path);
      t.equal(sha256(new Uint8Array(await answer.arrayBuffer())), hash, path);
    }
    const plain = await get("b/plain");
    t.equal(plain.headers.get("content-type"), "text/plain");
    t.equal(plain.headers.get("halo-meta-author"), "Ada");
    const siblings = await get("b/siblings", { accept: "application/json" });
    t.equal(siblings.status, 300, "siblings");
    t.match(await siblings.json(), { siblings: [{ value: "b25l" }, { value: "dHdv" }] });
    t.equal((await get("b/gone")).status, 404, "deleted");

    const put = await fetch(`${url}/kv/b/new?w=1&dw=1`, { method: "PUT", body: "written today" });
    t.equal(put.status, 204, "a write goes on");
    t.equal(await (await get("b/new")).text(), "written today");
  });
}
