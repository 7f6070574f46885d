/**
 * The question: what does TLS cost?
 *
 *   node_modules/.bin/bun bench/tls.ts [--seconds 3] [--rounds 5] [--smoke]      after make build
 *
 * Two clusters of three on this machine, one plain, one with TLS everywhere and certificates between its
 * nodes. The same load goes to a node of either in turn: 32 connections with one request in flight each,
 * gets of one object and puts of many, 100 bytes each. Printed are the medians of the rounds, requests a
 * second, and their ratio. The load runs here as well, and has its share of the work of TLS.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { parseArgs } from "node:util";
import { Authority } from "../test/certificates.ts";
import { Children, ROOT } from "./children.ts";
import { HALO, makeLwwBucket, startHalo } from "./halo.ts";
import { medianOf } from "./median.ts";

const CONNECTIONS = 32;
const VALUE = "x".repeat(100);
const END_OF_HEAD = "\r\n\r\n";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    smoke: { type: "boolean", default: false },
  },
});
const roundMs = values.smoke ? 100 : 1000 * Number(values.seconds);
const rounds = values.smoke ? 1 : Number(values.rounds);

type Connect = () => net.Socket;

/** Requests a second, by one connection after the other's answer. @throws Error where one was not done */
async function rateOf(connect: Connect, request: (number: number) => string): Promise<number> {
  let count = 0;
  let number = 0;
  const began = performance.now();
  const clients = Array.from({ length: CONNECTIONS }, () => {
    return new Promise<void>((resolve, reject) => {
      const client = connect();
      let text = "";
      client.on("error", reject);
      client.on("data", (chunk: Uint8Array) => {
        text += new TextDecoder().decode(chunk);
        if (!isWhole(text)) return;
        if (!/^HTTP\/1.1 20[04] /.test(text)) reject(new Error(text.slice(0, 300)));
        text = "";
        count++;
        if (performance.now() - began < roundMs) client.write(request(number++));
        else client.end(resolve);
      });
      client.write(request(number++));
    });
  });
  await Promise.all(clients);
  return (1000 * count) / (performance.now() - began);
}

function isWhole(text: string): boolean {
  const end = text.indexOf(END_OF_HEAD);
  if (end < 0) return false;
  const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
  return text.length >= end + END_OF_HEAD.length + length;
}

const get = (): string => "GET /kv/tls/one HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
const putOf = (key: string): string => `PUT /kv/tls/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${VALUE.length}\r\n\r\n${VALUE}`;

/** What a node is told for TLS, for all nodes alike. Plain connections are taken too, by which it is seen to be ready. */
function flagsOf(authority: Authority, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, authority.pem);
  return [...authority.issueFiles(folder, { name: "node" }), "--tls-ca", ca, "--tls", "optional"];
}

const children = new Children(join(ROOT, "build/bench"));
try {
  const authority = new Authority("bench");
  const flags = flagsOf(authority, join(ROOT, "build/bench/certificates"));
  const plain = await startHalo(children, { binary: HALO, prefix: "plain", count: 3 });
  const secured = await startHalo(children, { binary: HALO, prefix: "tls", count: 3, flags });
  for (const { nodes } of [plain, secured]) await makeLwwBucket(nodes[0], "tls");
  const place = { host: "127.0.0.1", port: plain.nodes[0].httpPort };
  const securedPlace = { host: "127.0.0.1", port: secured.nodes[0].httpPort, ca: authority.pem };
  const ways: readonly Connect[] = [() => net.connect(place), () => tls.connect(securedPlace)];
  for (const way of ways) await rateOf(way, () => putOf("one"));
  for (const [what, request] of [["get", get], ["put", (number: number) => putOf(`k${number}`)]] as const) {
    const rates: number[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [index, way] of ways.entries()) rates[index].push(await rateOf(way, request));
    }
    const [without, over] = rates.map(medianOf);
    const ratio = (over / without).toFixed(2);
    console.log(`${what}  plain ${without.toFixed(0)}/s  TLS ${over.toFixed(0)}/s  ratio ${ratio}`);
  }
} finally {
  await children.end();
}
