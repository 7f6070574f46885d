/**
 * Probe: how many replicated puts and gets a second can three Bun processes do if storage is free?
 *
 * Each process is Hono in front, a Map behind, and one TCP connection to each of the two others. A
 * put writes the Map, sends the value to both peers and answers after the first acknowledgement
 * (W=2 of 3); a get asks both peers and answers after the first value that comes (R=2). No
 * versions, no checksums, no disk, no failures: what a store of this shape on this machine cannot
 * beat, and what halo's rows 1 and 2 are printed as a share of.
 *
 * Frames, little-endian; those of one turn of the event loop go out in one write:
 *
 *   0        4      5        9        11
 *   ├────────┼──────┼────────┼────────┼─────┬───────┐
 *   │ length │ kind │ number │ key    │ key │ value │      length: of all behind this field
 *   │  u32   │  u8  │  u32   │ bytes  │     │       │      kind: 0 put, 1 get, 2 answer
 *   └────────┴──────┴────────┴────────┴─────┴───────┘      number: of the request, for its answer
 *
 *   bun bench/probes/empty-cluster.ts HTTP-PORT TCP-PORT PEER-TCP-PORT PEER-TCP-PORT
 */

import { connect, createServer, type Socket } from "node:net";
import { Hono } from "hono";

const LENGTH_BYTES = 4;
const HEAD_BYTES = 11;
const PUT = 0;
const GET = 1;
const ANSWER = 2;
const OUT_BYTES = 1 << 20;
const RECONNECT_MS = 20;
const EMPTY = new Uint8Array(0);

type Answered = (value: Uint8Array) => void;

const [httpPort, tcpPort, ...peerPorts] = process.argv.slice(2).map(Number);
const values = new Map<string, Uint8Array>();
const waiting = new Map<number, Answered>();
let lastNumber = 0;

/** Frames that leave together at the end of the turn. */
class Outgoing {
  readonly #socket: Socket;
  #bytes: Buffer;
  #length: number;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#bytes = Buffer.allocUnsafe(OUT_BYTES);
    this.#length = 0;
  }

  /** Appends a frame and sees to it that it leaves. */
  push(kind: number, number: number, key: string, value: Uint8Array): void {
    if (this.#length === 0) setImmediate(() => this.flush());
    const length = HEAD_BYTES + key.length + value.length;
    if (this.#length + length > OUT_BYTES) this.flush();
    const at = this.#length;
    this.#bytes.writeUInt32LE(length - LENGTH_BYTES, at);
    this.#bytes[at + 4] = kind;
    this.#bytes.writeUInt32LE(number, at + 5);
    this.#bytes.writeUInt16LE(key.length, at + 9);
    this.#bytes.write(key, at + HEAD_BYTES, "latin1");
    this.#bytes.set(value, at + HEAD_BYTES + key.length);
    this.#length = at + length;
  }

  /** Writes what was gathered; where the kernel did not take it all, the buffer is the socket's. */
  flush(): void {
    if (this.#length === 0) return;
    const isSent = this.#socket.write(this.#bytes.subarray(0, this.#length));
    if (!isSent) this.#bytes = Buffer.allocUnsafe(OUT_BYTES);
    this.#length = 0;
  }
}

/** Calls `onFrame` for each whole frame that comes; its bytes are valid during the call. */
function readFrames(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let rest: Buffer | null = null;
  socket.on("data", (piece: Buffer) => {
    const bytes = rest === null ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      onFrame(bytes.subarray(at, end));
      at = end;
    }
    rest = at === bytes.length ? null : Buffer.from(bytes.subarray(at));
  });
}

/** A peer's request: do it on the Map, answer at the end of the turn. */
function serve(frame: Buffer, out: Outgoing): void {
  const number = frame.readUInt32LE(5);
  const keyEnd = HEAD_BYTES + frame.readUInt16LE(9);
  const key = frame.toString("latin1", HEAD_BYTES, keyEnd);
  if (frame[4] === GET) {
    out.push(ANSWER, number, "", values.get(key) ?? EMPTY);
    return;
  }
  values.set(key, Uint8Array.prototype.slice.call(frame, keyEnd));
  out.push(ANSWER, number, "", EMPTY);
}

/** A peer's answer: the first one of a request ends it, the second finds nobody waiting. */
function settle(frame: Buffer): void {
  const number = frame.readUInt32LE(5);
  const answered = waiting.get(number);
  if (answered === undefined) return;
  waiting.delete(number);
  answered(Uint8Array.prototype.slice.call(frame, HEAD_BYTES));
}

function dial(port: number): Promise<Outgoing> {
  return new Promise((dialled) => {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.on("connect", () => dialled(new Outgoing(socket)));
    socket.on("error", () => setTimeout(() => dial(port).then(dialled), RECONNECT_MS));
    readFrames(socket, settle);
  });
}

function ask(kind: number, key: string, value: Uint8Array): Promise<Uint8Array> {
  return new Promise((answered) => {
    lastNumber = (lastNumber + 1) >>> 0;
    waiting.set(lastNumber, answered);
    for (const peer of peers) peer.push(kind, lastNumber, key, value);
  });
}

createServer((socket) => {
  const out = new Outgoing(socket);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  readFrames(socket, (frame) => serve(frame, out));
}).listen(tcpPort, "127.0.0.1");

const peers = await Promise.all(peerPorts.map(dial));
const app = new Hono();
app.put("/kv/:bucket/:key", async (context) => {
  const key = context.req.param("key");
  const value = new Uint8Array(await context.req.arrayBuffer());
  values.set(key, value);
  await ask(PUT, key, value);
  return context.body(null, 204);
});
app.get("/kv/:bucket/:key", async (context) => {
  const key = context.req.param("key");
  const theirs = await ask(GET, key, EMPTY);
  const value = values.get(key) ?? theirs;
  return value.length === 0 ? context.notFound() : context.body(new Uint8Array(value));
});
app.get("/ready", (context) => context.text("ready"));

Bun.serve({ hostname: "127.0.0.1", port: httpPort, fetch: app.fetch });
