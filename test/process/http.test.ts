/**
 * HTTP as it arrives: what the runtime's own server does before the face sees a request, on the compiled
 * binary and on Deno from the sources. Raw bytes go over a socket where a client library would tidy up.
 */

import { connect } from "node:net";
import { join } from "node:path";
import t from "tap";
import { HALO, ROOT, runProgram, serveNode, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(200_000);

const DENO = [join(ROOT, "node_modules/.bin/deno"), "run", "-A", join(ROOT, "server/cli/main.ts")];
const VALUE_BYTES_MAX = 1 << 20;

/** Sends raw bytes and reads until the answer is complete, the other side closes, or 2 s are over. */
function exchange(url: string, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (/\r\n\r\n.*\n$/s.test(answer) || /^HTTP\/1.1 [23]04/.test(answer)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
}

for (const [runtime, command] of [["dist/halo", [HALO]], ["Deno", DENO]] as const) {
  t.test(`${runtime}: curl waits for 100 Continue, asks for the head alone, and finds what was stored under a new key`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const curl = async (...given: string[]): Promise<string> => {
      const { stdout } = await runProgram("curl", ["-s", ...given], { input: "v".repeat(100_000) });
      return stdout.replaceAll("\r", "");
    };
    const waited = await curl("-D", "-", "-T", "-", "-H", "Expect: 100-continue", "--expect100-timeout", "20", `${url}/kv/b/k`);
    t.match(waited, /^HTTP\/1.1 100 Continue\n\nHTTP\/1.1 204 No Content\n/);
    const head = await curl("-I", `${url}/kv/b/k`);
    t.match(head, /^HTTP\/1.1 200 OK\n/);
    t.match(head, /\ncontent-length: 100000\n/i);
    t.match(head, /\n\n$/, "and no body");
    const made = await curl("-i", "-d", "new", `${url}/kv/b`);
    t.match(made, /^HTTP\/1.1 201 Created\n/);
    const location = /\nlocation: (\/kv\/b\/[\w-]{22})\n/i.exec(made)?.[1] ?? "";
    t.equal(await curl(`${url}${location}`), "new");
  });

  t.test(`${runtime}: any key bytes, values and metadata come back as they were`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const value = Uint8Array.from({ length: VALUE_BYTES_MAX }, (_, index) => (index * 7) & 255);
    const meta = Buffer.from("größe").toString("latin1");
    for (const key of ["plain", "a%2Fb", "%FF%00", "x/y//z", "a+b", "%C3%BC", "k".repeat(4096)]) {
      const headers = { "Content-Type": "image/png", "Halo-Meta-Size": meta };
      const put = await fetch(`${url}/kv/b/${key}`, { method: "PUT", body: value, headers });
      t.equal(put.status, 204, key.slice(0, 20));
      const get = await fetch(`${url}/kv/b/${key}`);
      t.equal(get.status, 200);
      t.equal(get.headers.get("content-type"), "image/png");
      t.equal(get.headers.get("halo-meta-size"), meta);
      t.ok(Buffer.from(await get.arrayBuffer()).equals(value), "the bytes");
      const head = await fetch(`${url}/kv/b/${key}`, { method: "HEAD" });
      t.equal(head.headers.get("content-length"), String(VALUE_BYTES_MAX));
      const etag = get.headers.get("etag") ?? "";
      const same = await fetch(`${url}/kv/b/${key}`, { headers: { "If-None-Match": etag } });
      t.equal(same.status, 304);
      t.equal((await fetch(`${url}/kv/b/${key}`, { method: "DELETE" })).status, 204);
    }
    const dots = `${url}/kv/b?key64=${Buffer.from("../..").toString("base64url")}`;
    t.equal((await fetch(dots, { method: "PUT", body: "dots" })).status, 204);
    t.equal(await (await fetch(dots)).text(), "dots");
    const chunks = new ReadableStream({
      start: (controller) => {
        for (const text of ["one ", "two ", "three"]) controller.enqueue(Buffer.from(text));
        controller.close();
      },
    });
    const init = { method: "PUT", body: chunks, duplex: "half" } as RequestInit;
    t.equal((await fetch(`${url}/kv/b/chunked`, init)).status, 204);
    t.equal(await (await fetch(`${url}/kv/b/chunked`)).text(), "one two three");
  });

  t.test(`${runtime}: the largest request there may be fits`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const target = `${url}/kv/${"%FF".repeat(255)}/${"%FE".repeat(4096)}`;
    const put = await fetch(target, {
      method: "PUT",
      body: "v",
      headers: { "Halo-Meta-A": "m".repeat(2047), "Content-Type": "c".repeat(255) },
    });
    t.equal(put.status, 204);
    t.equal((await fetch(target)).headers.get("halo-meta-a")?.length, 2047);
  });

  t.test(`${runtime}: too large is refused before it is read`, async (t) => {
    const node = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const host = "Host: 127.0.0.1\r\n";
    const huge = `PUT /kv/b/k HTTP/1.1\r\n${host}Content-Length: 10737418240\r\n\r\n`;
    const refused = await exchange(node.url, huge);
    t.equal(statusOf(refused), 413);
    t.match(refused, '"code":"value-too-large"');
    const endless = `PUT /kv/b/k HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    t.equal(statusOf(await exchange(node.url, endless + chunk.repeat(17))), 413);
    t.equal((await fetch(`${node.url}/kv/b/k`)).status, 404, "nothing was written");
  });

  t.test(`${runtime}: who asks before he sends is told at once that it is too large, and what he sends all the same is not read`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const host = "Host: 127.0.0.1\r\nExpect: 100-continue\r\n";
    for (const target of ["PUT /kv/b/k", "POST /batch", "POST /cluster/restore"]) {
      const answer = await exchange(url, `${target} HTTP/1.1\r\n${host}Content-Length: 10737418240\r\n\r\n`);
      t.match(answer, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 413 [^]*\r\nConnection: close\r\n[^]*"code":"value-too-large"/, target);
    }
    // Deno leaves the connection as it is, and drops what comes.
    if (runtime === "Deno") return;
    const { hostname, port } = new URL(url);
    const isEnded = await new Promise((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write(`PUT /kv/b/k HTTP/1.1\r\n${host}Content-Length: 10737418240\r\n\r\n`));
      socket.setTimeout(20_000, () => resolve(false));
      socket.on("end", () => resolve(true)).on("data", () => undefined).on("error", () => resolve(false));
    });
    t.equal(isEnded, true, "the connection is closed, and nothing of the body was sent");
  });

  t.test(`${runtime}: a request that can be read in two ways is read in none`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const host = "Host: 127.0.0.1\r\n";
    const odd = [
      `PUT /kv/b/k HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `PUT /kv/b/k HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
      `PUT /kv/b/k HTTP/1.1\r\n${host}Content-Length: -5\r\n\r\nhello`,
      `PUT /kv/b/k HTTP/1.1\r\n${host}Content-Length: five\r\n\r\nhello`,
      "NONSENSE\r\n\r\n",
      "\x00\x01\x02\x03",
    ];
    for (const bytes of odd) {
      const answer = await exchange(url, bytes);
      const label = JSON.stringify(bytes.slice(0, 90));
      t.ok([0, 400].includes(statusOf(answer)), `${label}: ${answer}`);
    }
    await untilTrue(async () => (await fetch(`${url}/healthz`)).status === 200);
    t.equal((await fetch(`${url}/kv/b/other`)).status, 404, "the next client is served");
  });

  t.test(`${runtime}: a name that was made to mean this machine is refused, its own names are not`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const under = async (host: string): Promise<number> => {
      return statusOf(await exchange(url, `DELETE /kv/b/k HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
    };
    for (const host of ["evil.example", "evil.example:7070", "a_b.example", "xn--bcher-kva.example", "127.0.0.1.example", "EVIL.example."]) {
      t.equal(await under(host), 403, host);
    }
    for (const host of ["localhost", "127.0.0.1", "[::1]:7070", new URL(url).host]) t.equal(await under(host), 204, host);
    const none = await exchange(url, "DELETE /kv/b/k HTTP/1.0\r\n\r\n");
    t.ok([204, 400].includes(statusOf(none)), `without a host: ${none.slice(0, 80)}`);
    const insecure = await serveNode(t, join(temporaryFolder(t), "data"), ["--insecure"], command);
    const answer = await exchange(insecure.url, "DELETE /kv/b/k HTTP/1.1\r\nHost: n1.example\r\n\r\n");
    t.equal(statusOf(answer), 204, "--insecure takes any name");
  });

  t.test(`${runtime}: a body that breaks off writes nothing`, async (t) => {
    const { url } = await serveNode(t, join(temporaryFolder(t), "data"), [], command);
    const { hostname, port } = new URL(url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        const head = "PUT /kv/b/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n";
        socket.write(`${head}only so much`, () => setTimeout(() => socket.destroy(), 50));
      });
      socket.on("close", () => resolve());
    });
    t.equal((await fetch(`${url}/kv/b/k`)).status, 404);
  });
}
