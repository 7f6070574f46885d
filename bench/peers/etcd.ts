/**
 * Peer: etcd, three nodes on loopback, through its JSON gateway; what three nodes are compared
 * with.
 *
 * Its writes are linearizable and synced by a majority, its reads here serializable (answered by
 * the node that was asked): more than a quorum with DW=1 promises on writes, less on reads.
 */

import { type Children, findProgram, fetchText, freePorts, waitUntil } from "../children.ts";
import type { Contestant } from "../contestant.ts";
import { type Call, type Exchange, RequestTemplate } from "../load/exchange.ts";
import { HttpReply } from "../load/http-reply.ts";
import { FIRST_VALUE, VALUE_BYTES } from "../load/http-exchange.ts";
import { FIRST_KEY_BASE64, writeKeyBase64 } from "../load/key.ts";

const START_MS = 20_000;
const NODES = 3;
/** As much of the key in base64 as does not depend on what follows it. */
const KEY_MARK = FIRST_KEY_BASE64.slice(0, 20);

/** Null where etcd is not installed. */
export async function startEtcd(children: Children): Promise<Contestant | null> {
  const program = findProgram("etcd");
  if (program === "") return null;
  const ports = await freePorts(2 * NODES);
  const clients = ports.slice(0, NODES);
  const peers = ports.slice(NODES).map((port) => `http://127.0.0.1:${port}`);
  const cluster = peers.map((peer, index) => `etcd-${index + 1}=${peer}`).join(",");
  const started = clients.map((port, index) => {
    const client = `http://127.0.0.1:${port}`;
    const name = `etcd-${index + 1}`;
    const listen = ["--listen-client-urls", client, "--listen-peer-urls", peers[index]];
    const advertise = ["--advertise-client-urls", client];
    const found = ["--initial-advertise-peer-urls", peers[index], "--initial-cluster", cluster];
    const own = ["--name", name, "--data-dir", `${children.folder}/${name}`];
    const quiet = ["--logger", "zap", "--log-level", "error"];
    return children.start(name, program, [...own, ...listen, ...advertise, ...found, ...quiet]);
  });
  for (const port of clients) await waitUntil(() => isHealthy(port), "etcd", started, START_MS);
  return { name: "etcd", ports: clients, exchange: etcdExchange, children: started };
}

async function isHealthy(port: number): Promise<boolean> {
  const text = await fetchText(`http://127.0.0.1:${port}/health`);
  return text !== null && text.includes("true");
}

const etcdExchange: Exchange = {
  put: () => call("put", { key: FIRST_KEY_BASE64, value: btoa(FIRST_VALUE) }, 0),
  get: () => call("range", { key: FIRST_KEY_BASE64, serializable: true }, VALUE_BYTES * 1.5),
};

/** @param bodyBytesMin an answer without the value is shorter than this */
function call(operation: string, body: object, bodyBytesMin: number): Call {
  const json = JSON.stringify(body);
  const request = new RequestTemplate(
    `POST /v3/kv/${operation} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    KEY_MARK,
    writeKeyBase64,
  );
  return { request, reply: new HttpReply(bodyBytesMin, new Uint8Array(0)) };
}
