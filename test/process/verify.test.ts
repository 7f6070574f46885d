/** halo verify: on a node's directory, running and stopped, sound and damaged; its exit codes. */

import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { halo, serveNode, temporaryFolder } from "./program.ts";

t.setTimeout(120_000);

t.test("halo verify reads a node's directory and tells damage by name", async (t) => {
  const folder = join(temporaryFolder(t), "data");
  const node = await serveNode(t, folder, ["--partitions", "8"]);
  for (let index = 0; index < 20; index++) {
    const put = await fetch(`${node.url}/kv/b/key-${index}`, { method: "PUT", body: `v-${index}` });
    t.equal(put.status, 204);
  }
  const running = await halo(["verify", folder]);
  t.equal(running.code, 0, running.stderr);
  t.match(running.stdout, new RegExp(`process ${node.process.pid} is running`));
  t.match(running.stdout, /objects +1 +\d+ +\S+ \S+ +20 +0 +0/);
  t.match(running.stdout, /\nsound\n$/);
  node.process.kill("SIGTERM");
  await node.process.ended;

  const sound = JSON.parse((await halo(["verify", folder, "--json"])).stdout);
  t.match(sound, { runningProcess: 0, damaged: 0, objects: { liveObjects: 20, tailBytes: 0 } });

  const path = join(folder, "objects/00000001.log");
  const at = readFileSync(path).indexOf("v-7");
  const file = openSync(path, "r+");
  writeSync(file, "V", at);
  closeSync(file);
  const damaged = await halo(["verify", folder]);
  t.equal(damaged.code, 1);
  t.match(damaged.stdout, /objects 00000001:\d+, \d+ bytes, b\/key-7 \(live\): its payload fails/);
  t.match(damaged.stdout, /\ndamaged: 1\n$/);
});

t.test("what is no data directory cannot be verified: exit code 2 and a sentence", async (t) => {
  const folder = temporaryFolder(t);
  const absent = await halo(["verify", join(folder, "nowhere")]);
  t.equal(absent.code, 2);
  t.match(absent.stderr, /Cannot verify .*nowhere: .*no such file/i);
  mkdirSync(join(folder, "empty"));
  const empty = await halo(["verify", join(folder, "empty")]);
  t.equal(empty.code, 2);
  t.match(empty.stderr, /neither objects\/ nor hints\//);
});
