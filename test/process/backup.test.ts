/** halo backup and halo restore: of a running node, again and again, and back after its death. */

import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { halo, type ServedNode, serveNode, statsOf, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

/** Together more than one segment holds, and less than two. */
const LARGE = 8;
const LARGE_BYTES = 500_000;
const SMALL_SEGMENTS = ["--segment-bytes", String(4 << 20)];

function largeBody(index: number): string {
  return String.fromCharCode(97 + index).repeat(LARGE_BYTES);
}

t.test("a running node is backed up, dies, and comes back from the backup", async (t) => {
  const folder = temporaryFolder(t);
  const [data, copy, back] = ["data", "copy", "back"].map((name) => join(folder, name));
  if (data === undefined || copy === undefined || back === undefined) return;
  const node = await serveNode(t, data, ["--partitions", "8", ...SMALL_SEGMENTS]);
  const put = async (key: string, body: string): Promise<void> => {
    const { status } = await fetch(`${node.url}/kv/b/${key}`, { method: "PUT", body });
    if (status !== 204) t.fail(`put ${key}: ${status}`);
  };
  for (let index = 0; index < LARGE; index++) await put(`large-${index}`, largeBody(index));
  await put("small", "before");

  const first = JSON.parse((await halo(["backup", copy, "--data", data, "--json"])).stdout);
  t.match(first, { linked: 1, unchanged: 0 }, "what is sealed is linked");
  const inode = (path: string): number => statSync(join(path, "objects/00000001.log")).ino;
  t.equal(inode(copy), inode(data), "one file under two names");
  t.ok(first.copied >= 1, "and the last one copied");

  await put("small", "after");
  const second = await halo(["backup", copy, "--data", data]);
  t.equal(second.code, 0, second.stderr);
  t.match(second.stdout, /0 segments linked, 1 copied, [12] unchanged/);
  await put("too-late", "x");
  t.equal((await halo(["verify", copy])).code, 0, "the backup is sound");
  node.process.kill("SIGKILL");
  await node.process.ended;

  const restored = await halo(["restore", copy, "--data", back]);
  t.equal(restored.code, 0, restored.stderr);
  t.match(restored.stdout, /with a new actor/);
  t.notOk(existsSync(join(back, "actor")), "the old counters are not brought along");
  t.not(inode(back), inode(copy), "a copy: the restored node must not write into the backup");
  const again = await serveNode(t, back);
  const get = async (key: string): Promise<string> => (await fetch(`${again.url}/kv/b/${key}`)).text();
  t.match(await get("small"), /before[^]*after|after[^]*before/, "both siblings");
  for (let index = 0; index < LARGE; index++) {
    if ((await get(`large-${index}`)) !== largeBody(index)) t.fail(`large-${index}`);
  }
  t.equal((await fetch(`${again.url}/kv/b/too-late`)).status, 404, "written after the backup");
  const actor = (path: string): string => readFileSync(join(path, "actor")).toString("hex", 12, 20);
  t.not(actor(back), actor(data), "another actor");
});

t.test("what cannot be backed up or restored is said in a sentence", async (t) => {
  const folder = temporaryFolder(t);
  const data = join(folder, "data");
  const node = await serveNode(t, data, ["--partitions", "8"]);
  t.equal((await fetch(`${node.url}/kv/b/k`, { method: "PUT", body: "v" })).status, 204);
  const nowhere = await halo(["backup", join(folder, "copy"), "--data", join(folder, "nowhere")]);
  t.equal(nowhere.code, 1);
  t.match(nowhere.stderr, /Cannot back up .*nowhere to .*copy: /);
  const onto = await halo(["backup", data, "--data", data]);
  t.match(onto.stderr, /process \d+ is using it/);
  const copy = join(folder, "copy");
  t.equal((await halo(["backup", copy, "--data", data])).code, 0);
  node.process.kill("SIGKILL");
  await node.process.ended;
  t.match((await halo(["backup", data, "--data", data])).stderr, /is a node's data directory/);

  const used = join(folder, "used");
  mkdirSync(used);
  writeFileSync(join(used, "something"), "");
  t.match((await halo(["restore", copy, "--data", used])).stderr, /something already, want it empty/);
  const none = await halo(["restore", used, "--data", join(folder, "back")]);
  t.match(none.stderr, /has no manifest.json, want a directory that halo backup has made/);
  t.equal((await halo(["verify", copy])).code, 0, "sound so far");
  const path = join(copy, "identity.cbor");
  const bytes = readFileSync(path);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const damaged = await halo(["restore", copy, "--data", join(folder, "again")]);
  t.equal(damaged.code, 1);
  t.match(damaged.stderr, /identity.cbor of the backup is damaged/);
  rmSync(join(copy, "objects/00000001.log"));
  const verified = await halo(["verify", copy]);
  t.equal(verified.code, 1);
  t.match(verified.stdout, /manifest: objects\/00000001.log is missing/);
  t.match(verified.stdout, /manifest: identity.cbor fails the checksum/);
});

t.test("the backups of a lost cluster go into another one, of another size", async (t) => {
  const folder = temporaryFolder(t);
  const serve = async (name: string, seed: string): Promise<ServedNode> => {
    const joining = seed === "" ? ["--partitions", "8"] : ["--join", seed];
    const more = ["--name", name, "--max-value-bytes", String(4 << 20), ...joining];
    return await serveNode(t, join(folder, name), more);
  };
  const old = [await serve("old-1", "")];
  for (const name of ["old-2", "old-3"]) old.push(await serve(name, old[0]?.tcp ?? ""));
  const [one, , three] = old;
  if (one === undefined || three === undefined) return;
  const put = async (key: string, body: string, how: RequestInit = {}): Promise<void> => {
    const response = await fetch(`${one.url}/kv/b/${key}`, { method: "PUT", body, ...how });
    if (response.status !== 204) t.fail(`${key}: ${response.status} ${await response.text()}`);
  };
  for (let index = 0; index < 40; index++) await put(`key-${index}`, `value ${index}`);
  await put("gone", "x");
  t.equal((await fetch(`${one.url}/kv/b/gone`, { method: "DELETE" })).status, 204);
  // Two siblings that together are more than goes in one request.
  const large = ["a", "b"].map((letter) => letter.repeat(900_000));
  for (const body of large) await put("two", body);
  // One that alone is more than goes in one piece.
  const streamed = Array.from({ length: 400_000 }, (_, index) => `${index}.`).join("");
  await put("streamed", streamed);
  three.process.kill("SIGKILL");
  await three.process.ended;
  await put("late", "while a node was down");
  // The hint is kept when the dead node is known not to answer, which may be after the client was answered.
  await untilTrue(async () => (await statsOf(one.url)).hintsPending > 0);
  for (const name of ["old-1", "old-2", "old-3"]) {
    const taken = await halo(["backup", join(folder, `${name}.backup`), "--data", join(folder, name)]);
    t.equal(taken.code, 0, taken.stderr);
  }
  for (const node of old) node.process.kill("SIGKILL");

  const first = await serve("new-1", "");
  const second = await serve("new-2", first.tcp);
  for (const name of ["old-3", "old-1", "old-2"]) {
    const into = ["--into", second.url, "--json"];
    const restored = await halo(["restore", join(folder, `${name}.backup`), ...into]);
    t.equal(restored.code, 0, restored.stderr);
    const { damaged, hints } = JSON.parse(restored.stdout) as { damaged: number; hints: number };
    t.equal(damaged, 0);
    if (name === "old-1") t.ok(hints > 0, "what it kept for the node that was down comes along");
  }
  for (const { url } of [first, second]) {
    const get = async (key: string): Promise<Response> => await fetch(`${url}/kv/b/${key}?r=1`);
    for (let index = 0; index < 40; index++) {
      if ((await (await get(`key-${index}`)).text()) !== `value ${index}`) t.fail(`key-${index}`);
    }
    t.ok((await (await get("streamed")).text()) === streamed, "a large value, byte for byte");
    t.equal(await (await get("late")).text(), "while a node was down", "the newest of all backups");
    t.equal((await fetch(`${url}/kv/b/gone`)).status, 404, "what was deleted stays deleted");
    const response = await fetch(`${url}/kv/b/two`, { headers: { accept: "application/json" } });
    t.equal(response.status, 300);
    const { siblings, context } = (await response.json()) as Siblings;
    t.same(siblings.map(({ value }) => atob(value)).sort(), large, "both siblings, whole");
    if (url !== second.url) continue;
    const headers = { "halo-context": context };
    const body = "one";
    t.equal((await fetch(`${url}/kv/b/two`, { method: "PUT", body, headers })).status, 204);
    t.equal(await (await get("two")).text(), "one", "and they are superseded like any others");
  }
});

interface Siblings {
  readonly context: string;
  readonly siblings: readonly { readonly value: string }[];
}
