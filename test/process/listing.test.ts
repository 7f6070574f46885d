/** halo list and halo bucket empty, through the program: keys of any bytes, and the space that comes back. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { halo, type ServedNode, serveNode, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

const VALUE = "v".repeat(3000);

/** Small segments, compacted as soon as they are worth it. */
const SMALL = ["--segment-bytes", String(256 << 10), "--compaction-cold-ms", "0"];

async function fill(node: ServedNode, bucket: string, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `k${index}`);
  for (let start = 0; start < count; start += 50) {
    await Promise.all(keys.slice(start, start + 50).map(async (key) => {
      const response = await fetch(`${node.url}/kv/${bucket}/${key}`, { method: "PUT", body: VALUE });
      if (response.status !== 204) throw new Error(`PUT ${key}: ${response.status}`);
    }));
  }
  return keys.sort();
}

function bytesOnDisk(folder: string): number {
  const objects = join(folder, "objects");
  return readdirSync(objects).filter((file) => file.endsWith(".log"))
    .reduce((sum, file) => sum + statSync(join(objects, file)).size, 0);
}

t.test("halo list prints every key, percent-encoded, a line each; exit codes as the others", async (t) => {
  const node = await serveNode(t, temporaryFolder(t));
  const env = { HALO_NODE: node.url };
  const run = (...words: string[]) => halo(words, { env });
  const keys = await fill(node, "cart", 30);
  await fetch(`${node.url}/kv/cart?key64=${Buffer.from("a/b\n\xff", "latin1").toString("base64url")}`, {
    method: "PUT",
    body: "any bytes",
  });
  const all = await run("list", "cart");
  t.equal(all.code, 0, all.stderr);
  t.same(all.stdout.split("\n").sort(), ["", ...keys, "a%2Fb%0A%FF"].sort());
  t.same((await run("list", "cart", "--prefix", "k2")).stdout.trim().split("\n").sort(), keys.filter((key) => {
    return key.startsWith("k2");
  }));
  t.equal((await run("list", "cart", "--limit", "7")).stdout.trim().split("\n").length, 7);
  const json = (await run("list", "cart", "--json")).stdout.trim().split("\n").map((line) => JSON.parse(line));
  t.equal(json.flatMap((page) => page.keys).length, 31);
  t.equal(json[json.length - 1].cursor, null);
  t.same([(await run("list", "nothing")).stdout, (await run("list", "nothing")).code], ["", 0]);
  const wrong = await run("list", "cart", "--r", "9");
  t.equal(wrong.code, 1);
  t.match(wrong.stderr, /^halo: Parameter r is 9, .*\n$/);
  t.equal((await run("list", "cart", "--limit", "0")).code, 2);
  t.equal((await run("bucket", "empty", "cart")).code, 2, "nobody can be asked");
  t.equal((await run("get", "cart/k0")).stdout, VALUE, "and nothing is deleted");
});

t.test("halo bucket empty deletes all that it finds, and the bytes on disk come back", async (t) => {
  const folder = temporaryFolder(t);
  const node = await serveNode(t, folder, SMALL);
  const env = { HALO_NODE: node.url };
  await fill(node, "cart", 1000);
  await fill(node, "other", 20);
  const before = bytesOnDisk(folder);
  t.ok(before > 1000 * VALUE.length, `${before} bytes`);
  const emptied = await halo(["bucket", "empty", "cart", "--yes"], { env });
  t.equal(emptied.code, 0, emptied.stderr);
  t.equal(emptied.stdout, "deleted 1000 objects of cart\n");
  t.equal((await halo(["list", "cart"], { env })).stdout, "");
  t.equal((await halo(["list", "other"], { env })).stdout.trim().split("\n").length, 20);
  const again = await halo(["bucket", "empty", "cart", "--yes", "--json"], { env });
  t.same(JSON.parse(again.stdout), { bucket: "cart", deleted: 0, unknown: 0, refused: 0 });
  // What is left: 20 values, 1,000 tombstones of some 250 bytes, and the segments at hand.
  await untilTrue(() => bytesOnDisk(folder) < before / 3);
  t.equal((await halo(["get", "other/k7"], { env })).stdout, VALUE);
});

t.test("a bucket that cannot be emptied says how far it came, and with which exit code", async (t) => {
  const node = await serveNode(t, temporaryFolder(t));
  await fill(node, "cart", 3);
  node.process.kill("SIGKILL");
  await node.process.ended;
  const ended = await halo(["bucket", "empty", "cart", "--yes"], { env: { HALO_NODE: node.url } });
  t.equal(ended.code, 1);
  t.equal(ended.stdout, "deleted 0 objects of cart\n");
  t.match(ended.stderr, /The bucket is not empty .*Nothing answers at .*run it again\n$/);
});
