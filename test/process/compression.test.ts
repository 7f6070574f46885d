/**
 * Compressed answers as curl sees them, on the compiled binary and on Deno: values, listings, HEAD, ranges; and a
 * download that is broken off.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import t from "tap";
import { HALO, halo, ROOT, runProgram, serveNode, statsOf, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(200_000);

const DENO = [join(ROOT, "node_modules/.bin/deno"), "run", "-A", join(ROOT, "server/cli/main.ts")];
const TEXT = Array.from({ length: 20_000 }, (_, index) => `${index}.`).join("");
const LARGE = randomBytes(8 << 20).toString("hex");

/** What curl shows of an answer: its head, with plain line ends, and its body, decoded where curl was told so. */
async function curl(...given: string[]): Promise<{ head: string; body: string }> {
  const { stdout } = await runProgram("curl", ["-s", "-i", ...given]);
  const end = stdout.indexOf("\r\n\r\n") + 4;
  return { head: stdout.slice(0, end).replaceAll("\r", ""), body: stdout.slice(end) };
}

async function compressing(url: string): Promise<number> {
  return (await statsOf(url)).compressing;
}

for (const [runtime, command] of [["dist/halo", [HALO]], ["Deno", DENO]] as const) {
  t.test(`${runtime}: curl --compressed gets what was put, small and large`, async (t) => {
    const more = ["--max-value-bytes", String(LARGE.length)];
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), more, command);
    for (const value of [TEXT, LARGE]) {
      await fetch(`${url}/kv/b/k`, { method: "PUT", body: value, headers: { "Halo-Context": "" } });
      const context = (await fetch(`${url}/kv/b/k`)).headers.get("halo-context") ?? "";
      await fetch(`${url}/kv/b/k`, { method: "PUT", body: value, headers: { "Halo-Context": context } });
      const given = [["--compressed"], ["-H", "Accept-Encoding: gzip", "--compressed"], ["-H", "Accept-Encoding: zstd", "--compressed"]];
      for (const options of given) {
        const { head, body } = await curl(...options, `${url}/kv/b/k`);
        t.match(head, /^HTTP\/1.1 200 OK\n/);
        t.match(head, /\ncontent-encoding: (zstd|br|gzip)\n/i);
        t.match(head, /\netag: "[0-9a-f]{16}-(zstd|br|gzip)"\n/i);
        t.match(head, /\nvary: accept-encoding\n/i);
        t.ok(body === value, `${value.length} bytes as they were put`);
      }
      const plain = await curl(`${url}/kv/b/k`);
      t.notMatch(plain.head, /content-encoding/i);
      t.ok(plain.body === value);
    }
    const range = await curl("--compressed", "-r", "5-9", `${url}/kv/b/k`);
    t.match(range.head, /^HTTP\/1.1 206 /);
    t.notMatch(range.head, /content-encoding/i);
    t.equal(range.body, LARGE.slice(5, 10));
    const head = await curl("--compressed", "-I", `${url}/kv/b/k`);
    t.match(head.head, /\ncontent-encoding: (zstd|br|gzip)\n/i);
    t.notMatch(head.head, /content-length/i, "which nobody knows yet");
    const etag = /\netag: (".*")\n/i.exec(head.head)?.[1] ?? "";
    t.match((await curl("--compressed", "-H", `If-None-Match: ${etag}`, `${url}/kv/b/k`)).head, /^HTTP\/1.1 304 /);
    await untilTrue(async () => (await compressing(url)) === 0);
  });

  t.test(`${runtime}: listings and reports are compressed, and HEAD knows their length`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const keys = Array.from({ length: 60 }, (_, index) => `a-key-of-some-length-${index}`);
    await Promise.all(keys.map((key) => fetch(`${url}/kv/b/${key}`, { method: "PUT", body: "v" })));
    for (const target of ["/kv/b", "/stats"]) {
      const { head, body } = await curl("--compressed", `${url}${target}`);
      t.match(head, /\ncontent-encoding: (zstd|br|gzip)\n/i, target);
      t.type(JSON.parse(body), "object");
    }
    const { keys: listed } = JSON.parse((await curl("--compressed", `${url}/kv/b`)).body) as { keys: string[] };
    t.same(listed.sort(), keys.sort());
    const { body } = await curl(`${url}/kv/b`);
    t.match((await curl("-I", `${url}/kv/b`)).head, new RegExp(`\ncontent-length: ${body.length}\n`, "i"));
    t.match((await curl("-I", `${url}/buckets/b`)).head, /\ncontent-length: [1-9]\d+\n/i);
  });

  t.test(`${runtime}: what was compressed before it was put is given out as it is`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const packed = gzipSync(TEXT);
    const env = { HALO_NODE: url };
    const put = await halo(["put", "b/k", "-", "--content-encoding", "gzip", "--content-type", "text/plain"], { env, input: packed });
    t.equal(put.code, 0, put.stderr);
    t.ok((await curl("--compressed", `${url}/kv/b/k`)).body === TEXT, "curl unpacks it");
    const got = await runProgram(command[0] ?? "", [...command.slice(1), "get", "b/k"], { env });
    t.equal(got.code, 0, got.stderr);
    t.ok(got.bytes.equals(packed), `halo get prints ${got.bytes.length} bytes`);
    t.match((await halo(["get", "b/k", "--json"], { env })).stdout, `"value":"${packed.toString("base64")}"`);
  });

  t.test(`${runtime}: a download that is broken off ends its compressor`, async (t) => {
    const more = ["--max-value-bytes", String(LARGE.length)];
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), more, command);
    await fetch(`${url}/kv/b/k`, { method: "PUT", body: LARGE });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write("GET /kv/b/k HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n");
    await once(socket, "data");
    socket.pause();
    t.equal(await compressing(url), 1);
    socket.destroy();
    await untilTrue(async () => (await compressing(url)) === 0);
  });
}
