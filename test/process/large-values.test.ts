/**
 * Large values with dist/halo: in through one node of three, out through each, byte for byte; several at
 * once; siblings; and what is beyond the limit is refused while it comes.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { halo, serveNode, type ServedNode, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(200_000);

const LIMIT = 8 << 20;

/** Three nodes that are one cluster. */
async function serveThree(t: Parameters<typeof serveNode>[0]): Promise<ServedNode[]> {
  const nodes: ServedNode[] = [];
  for (const name of ["a", "b", "c"]) {
    const seeds = nodes.length === 0 ? [] : ["--join", nodes[0].tcp];
    const more = ["--name", name, "--max-value-bytes", String(LIMIT), ...seeds];
    nodes.push(await serveNode(t, join(temporaryFolder(t), name), more));
  }
  await untilTrue(async () => {
    const { members } = (await (await fetch(`${nodes[0].url}/cluster`)).json()) as {
      members: { partitions: number }[];
    };
    return members.length === 3 && members.every(({ partitions }) => partitions > 0);
  });
  return nodes;
}

t.test("large values come back from every node as they were, several at once", async (t) => {
  const nodes = await serveThree(t);
  const sizes = [(1 << 20) + 4097, 3_000_001, LIMIT, 2 << 20];
  const values = sizes.map((size) => randomBytes(size));
  const puts = await Promise.all(values.map((body, index) => {
    return fetch(`${nodes[index % 3].url}/kv/large/${index}`, { method: "PUT", body });
  }));
  t.same(puts.map(({ status }) => status), values.map(() => 204), "all are stored");
  for (const { url } of nodes) {
    await Promise.all(values.map(async (value, index) => {
      const get = await fetch(`${url}/kv/large/${index}`);
      t.equal(get.status, 200);
      t.ok(Buffer.from(await get.arrayBuffer()).equals(value), `${value.length} bytes`);
    }));
    const head = await fetch(`${url}/kv/large/1`, { method: "HEAD" });
    t.equal(head.headers.get("content-length"), "3000001");
  }
});

t.test("siblings that are large are shown in each form", async (t) => {
  const { url } = await serveNode(t, join(temporaryFolder(t), "data"), ["--max-value-bytes", String(LIMIT)]);
  const values = [randomBytes(2_000_000), Buffer.from("small"), randomBytes(1_500_001)];
  for (const body of values) await fetch(`${url}/kv/b/k`, { method: "PUT", body });
  const json = await fetch(`${url}/kv/b/k`, { headers: { Accept: "application/json" } });
  t.equal(json.status, 300);
  const { siblings } = (await json.json()) as { siblings: { value: string; time: string }[] };
  const shown = siblings.map(({ value }) => Buffer.from(value, "base64"));
  t.ok(values.every((value, index) => shown[index].equals(value)), "JSON");
  const mixed = await fetch(`${url}/kv/b/k`);
  const bytes = Buffer.from(await mixed.arrayBuffer());
  t.ok(values.every((value) => bytes.includes(value)), "multipart");
  const boundary = /boundary=(.*)/.exec(mixed.headers.get("content-type") ?? "")?.[1] ?? "";
  t.ok(bytes.toString("latin1").endsWith(`--${boundary}--\r\n`), "which ends with its boundary");
});

t.test("ranges of the largest value there may be, over a connection, read no more than they give", async (t) => {
  const most = 64 << 20;
  const { url, process } = await serveNode(t, join(temporaryFolder(t), "data"), ["--max-value-bytes", String(most)]);
  const value = randomBytes(most);
  t.equal((await fetch(`${url}/kv/b/k`, { method: "PUT", body: value })).status, 204);
  const readBytes = (): number => Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${process.pid}/io`, "latin1"))?.[1]);
  const slice = 256 << 10;
  const ranges = [[0, 1], [slice - 1, slice + 1], [40_000_000, 41_000_000], [most - 5, most], [12_345_678, 12_345_679]];
  for (const [start, end] of ranges) {
    const before = readBytes();
    const get = await fetch(`${url}/kv/b/k`, { headers: { Range: `bytes=${start}-${end - 1}` } });
    t.equal(get.status, 206);
    t.equal(get.headers.get("content-range"), `bytes ${start}-${end - 1}/${most}`);
    t.ok(Buffer.from(await get.arrayBuffer()).equals(value.subarray(start, end)), `${start} to ${end}`);
    const read = readBytes() - before;
    t.ok(read < end - start + 8 * slice, `${read} bytes read`);
  }
  const whole = await fetch(`${url}/kv/b/k`, { headers: { Range: "bytes=0-" } });
  t.equal(whole.status, 206);
  t.ok(Buffer.from(await whole.arrayBuffer()).equals(value), "all of it as one range");
  const got = await fetch(`${url}/kv/b/k`, { headers: { Range: `bytes=1000-`, "If-Range": whole.headers.get("etag") ?? "" } });
  t.ok(Buffer.from(await got.arrayBuffer()).equals(value.subarray(1_000)), "the rest after a break");
  t.equal((await fetch(`${url}/kv/b/k`, { headers: { Range: `bytes=${most}-` } })).status, 416);
});

t.test("what is larger than the limit is refused while it comes, and nothing is stored", async (t) => {
  const { url } = await serveNode(t, join(temporaryFolder(t), "data"), ["--max-value-bytes", String(LIMIT)]);
  let left = 12;
  const body = new ReadableStream({
    pull(controller) {
      if (left-- === 0) controller.close();
      else controller.enqueue(randomBytes(1 << 20));
    },
  });
  const put = await fetch(`${url}/kv/b/k`, { method: "PUT", body, duplex: "half" } as RequestInit);
  t.equal(put.status, 413);
  t.equal((await fetch(`${url}/kv/b/k`)).status, 404);
});

t.test("the commands pass large values on: files, streams, and what is beyond the limit", async (t) => {
  const folder = temporaryFolder(t);
  const { url } = await serveNode(t, join(folder, "data"), ["--max-value-bytes", String(LIMIT)]);
  const run = (words: string[], input: Uint8Array = Buffer.alloc(0)) => {
    return halo(words, { env: { HALO_NODE: url }, input });
  };
  const [path, copy] = [join(folder, "value"), join(folder, "new/copy")];
  const value = randomBytes(3_000_001);
  writeFileSync(path, value);
  const put = await run(["put", "b/file", "--file", path]);
  t.equal(put.code, 0, put.stderr);
  const toFile = await run(["get", "b/file", "--file", copy]);
  t.equal(toFile.code, 0, toFile.stderr);
  t.ok(readFileSync(copy).equals(value), "from file to file");
  const fromInput = await run(["put", "b/input", "-"], value);
  t.equal(fromInput.code, 0, fromInput.stderr);
  t.ok((await run(["get", "b/input"])).bytes.equals(value), "from standard input to standard output");
  type Shown = { siblings: { value: string; contentType: string }[] };
  const shown = JSON.parse((await run(["get", "b/input", "--json", "--file", copy])).stdout) as Shown;
  t.ok(Buffer.from(shown.siblings[0].value, "base64").equals(value), "in JSON");
  t.equal(shown.siblings[0].contentType, "application/octet-stream");
  t.ok(readFileSync(copy).equals(value), "and into the file beside it");
  await run(["put", "b/input", "-"], value.subarray(0, 2_000_000));
  const both = await run(["get", "b/input", "--json"]);
  t.equal(both.code, 4);
  const lengths = (JSON.parse(both.stdout) as Shown).siblings.map(({ value }) => Buffer.from(value, "base64").length);
  t.same(lengths, [3_000_001, 2_000_000]);

  const larger = randomBytes(LIMIT + 1);
  writeFileSync(path, larger);
  for (const ended of [await run(["put", "b/more", "--file", path]), await run(["put", "b/more", "-"], larger)]) {
    t.equal(ended.code, 1, ended.stdout);
    t.match(ended.stderr, `larger than ${LIMIT} bytes, the limit`);
  }
  t.equal((await run(["get", "b/more", "--file", copy])).code, 3);
  t.ok(readFileSync(copy).equals(value), "a get that finds nothing leaves the file as it was");
  t.match((await run(["put", "b/more", "--file", folder])).stderr, /Cannot read .*EISDIR/);
});

t.test("a value that breaks off is an error of the command", async (t) => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
      socket.end(Buffer.alloc(1_000_000, "x"));
    });
  });
  server.listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const get = await halo(["get", "b/k"], { env: { HALO_NODE: `http://127.0.0.1:${port}` } });
  t.equal(get.code, 1);
  t.match(get.stderr, /The value broke off after \d+ bytes/);
  const json = await halo(["get", "b/k", "--json"], { env: { HALO_NODE: `http://127.0.0.1:${port}` } });
  t.equal(json.code, 1);
  t.notMatch(json.stdout, /\n/, "the line has no end");
});
