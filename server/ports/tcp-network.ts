/**
 * The real network: TCP through node:net, which serves Bun, Deno and Node alike.
 *
 * Nagle's delay is off (frames are batched once a turn above). A connection whose other side has
 * finished is closed: a half-open stream has no use here. A machine that vanished is found by the
 * pings above; keep-alive probes find the client that did so.
 *
 * A write's buffer is released when the runtime reports that the kernel took it. Writes end in the
 * order in which they began, so one callback and a queue serve all of them.
 */

import net from "node:net";
import type { Listener, Network, Socket, SocketHandler } from "./network.ts";

/** After this much silence the kernel asks whether the other machine is still there. */
const KEEP_ALIVE_MS = 60_000;
const BACKLOG = 1024;

/** Where to listen or dial, or null: "127.0.0.1:7071", "[::1]:7071", "node-1.example:7071". */
export function parseAddress(address: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(address);
  if (match === null) return null;
  const port = Number(match[3]);
  return port > 65_535 ? null : { host: match[1] ?? match[2] ?? "", port };
}

/** The inverse of parseAddress. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether an address to listen on stands for all addresses of the machine: nobody can be sent there. */
export function isEverywhere(address: string): boolean {
  const host = parseAddress(address)?.host ?? "";
  return host === "0.0.0.0" || /^[0:]+$/.test(host);
}

/** The network of the machine. */
export const tcpNetwork: Network = { listen, connect };

function listen(
  address: string,
  accept: (socket: Socket) => SocketHandler,
  done: (listener: Listener | null, error: string) => void,
): void {
  listenTcp(address, (stream) => {
    const socket = new TcpSocket(stream, "");
    const handler = accept(socket);
    socket.serve(handler);
    handler.opened();
  }, done);
}

/**
 * Listens on host:port for streams; calls back with the listener or with a sentence that says why not.
 * @param allowHalfOpen whether a stream whose other side has finished may still be written to
 */
export function listenTcp(
  address: string,
  accept: (stream: net.Socket) => void,
  done: (listener: Listener | null, error: string) => void,
  allowHalfOpen = false,
): void {
  const place = parseAddress(address);
  if (place === null) {
    setImmediate(() => done(null, notAnAddress("listen on", address)));
    return;
  }
  const server = net.createServer({ noDelay: true, allowHalfOpen }, accept);
  let told = false;
  server.on("error", (error) => {
    if (told) return;
    told = true;
    done(null, `Cannot listen on ${address}: ${explain(error)}`);
  });
  server.listen({ host: place.host, port: place.port, backlog: BACKLOG }, () => {
    told = true;
    const bound = server.address();
    const port = bound === null || typeof bound === "string" ? place.port : bound.port;
    done({ address: formatAddress(place.host, port), close: () => server.close() }, "");
  });
}

function connect(address: string, handler: SocketHandler): Socket {
  const place = parseAddress(address);
  if (place === null) return noSocket(address, handler);
  const stream = net.connect({ host: place.host, port: place.port, noDelay: true });
  const socket = new TcpSocket(stream, address);
  socket.serve(handler);
  stream.once("connect", () => handler.opened());
  return socket;
}

interface PendingWrite {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly release: (bytes: Uint8Array) => void;
}

/** A stream that stands. */
export class TcpSocket implements Socket {
  readonly channel = null;
  readonly remote: string;
  readonly #stream: net.Socket;
  readonly #writes: PendingWrite[] = [];
  #pendingBytes = 0;
  #handler: SocketHandler | null = null;
  #reason = "";
  #closed = false;
  readonly #onTaken = (error?: Error | null): void => {
    if (!error) this.#taken();
  };

  /** @param dialled the address that was dialled; "" for an accepted stream */
  constructor(stream: net.Socket, dialled: string) {
    this.#stream = stream;
    const { remoteAddress, remotePort } = stream;
    this.remote = dialled || formatAddress(remoteAddress ?? "unknown", remotePort ?? 0);
    stream.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  /** Names who is told of what happens here; once. */
  serve(handler: SocketHandler): void {
    this.#handler = handler;
    const stream = this.#stream;
    // A view that is a plain Uint8Array: Buffer's slice() would share bytes that are reused.
    stream.on("data", (chunk: Uint8Array) => {
      if (this.#closed || this.#reason !== "") return;
      handler.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    });
    stream.on("end", () => this.close("closed by the other side"));
    stream.on("error", (error) => {
      if (this.#reason === "") this.#reason = explain(error);
      stream.destroy();
    });
    stream.on("close", () => this.#end());
  }

  write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void {
    if (this.#closed || this.#reason !== "") return;
    this.#writes.push({ bytes, length, release });
    this.#pendingBytes += length;
    this.#stream.write(bytes.subarray(0, length), this.#onTaken);
  }

  pendingBytes(): number {
    return this.#pendingBytes;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(reason: string): void {
    if (this.#closed || this.#reason !== "") return;
    this.#reason = reason;
    this.#stream.destroy();
  }

  #taken(): void {
    if (this.#closed || this.#reason !== "") return;
    const write = this.#writes.shift();
    if (write === undefined) return;
    this.#pendingBytes -= write.length;
    write.release(write.bytes);
    if (this.#writes.length === 0) this.#handler?.drained();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Buffers that the kernel never took are dropped: the runtime may still hold them.
    this.#writes.length = 0;
    this.#pendingBytes = 0;
    this.#handler?.closed(this.#reason || "closed");
  }
}

/** What dialling something that is no address gives: a socket that closes. */
export function noSocket(address: string, handler: SocketHandler): Socket {
  return new NoSocket(address, handler);
}

class NoSocket implements Socket {
  readonly channel = null;
  readonly remote: string;
  constructor(address: string, handler: SocketHandler) {
    this.remote = address;
    setImmediate(() => handler.closed(notAnAddress("dial", address)));
  }
  write(): void {}
  pendingBytes(): number {
    return 0;
  }
  pause(): void {}
  resume(): void {}
  close(): void {}
}

function notAnAddress(action: string, address: string): string {
  return `Cannot ${action} "${address}": host:port is wanted, with a port up to 65535`;
}

/** An error of the runtime in the operator's words; runtimes differ in everything but the code. */
export function explain(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  const known: Readonly<Record<string, string>> = {
    EADDRINUSE: "another process listens there",
    EADDRNOTAVAIL: "this machine has no such address",
    EACCES: "that needs more rights",
    ECONNREFUSED: "nothing listens there",
    ECONNRESET: "the other side broke the connection",
    EPIPE: "the other side broke the connection",
    ETIMEDOUT: "no answer in time",
    EHOSTUNREACH: "no way to that machine",
    ENETUNREACH: "no way to that network",
    ENOTFOUND: "the name is not known",
  };
  const words = known[code];
  return words === undefined ? error.message || code : `${words} (${code})`;
}
