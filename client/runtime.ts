/**
 * What the library asks of the runtime: sockets, time, chance. The one file of it that may; Node, Bun and Deno
 * all have what it imports. Tests hand over a simulated one.
 */

import net from "node:net";
import { setTimeout as startTimer, clearTimeout as stopTimer } from "node:timers";
import tls from "node:tls";

export interface SocketHandler {
  /** The connection stands; writing may begin. */
  opened(): void;
  /** Bytes arrived; they are the handler's only until it returns. */
  received(bytes: Uint8Array): void;
  /** All that was written has been handed to the kernel. */
  drained(): void;
  /** The connection is gone, by whatever cause; called exactly once and last. */
  closed(reason: string): void;
}

export interface Socket {
  /** Sends bytes[0, length). The array is the socket's until it calls `release` (never before return). */
  write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void;
  /** Closes at once; `closed` follows, never before this returns. */
  close(reason: string): void;
}

export interface Timer {
  cancel(): void;
}

export interface Runtime {
  /** Connects to host:port; `opened` or `closed` follows, never before this returns. */
  connect(address: string, handler: SocketHandler): Socket;
  /** Milliseconds since 1970, whole. */
  nowMs(): number;
  /** Milliseconds since some start; never goes back. */
  elapsedMs(): number;
  /** Calls back once. @param isIdle the process may end before */
  after(delayMs: number, callback: () => void, isIdle?: boolean): Timer;
  /** Random bytes. */
  fill(bytes: Uint8Array): void;
}

/** How to speak TLS with the nodes. */
export interface TlsOptions {
  /** Certificates (PEM) of the authorities that sign those of the nodes; default: the runtime's own. */
  readonly ca?: string;
  /** The name that the nodes' certificates have to bear; default: the host that was dialled. `null`: any. */
  readonly serverName?: string | null;
}

const KEEP_ALIVE_MS = 60_000;

/** The runtime that this process has. @param options of TLS; null: plain TCP */
export function runtimeOf(options: TlsOptions | null): Runtime {
  return {
    connect: (address, handler) => {
      try {
        return new StreamSocket(dial(address, options), options !== null, handler);
      } catch (error) {
        return noSocket(error, handler);
      }
    },
    nowMs: () => Date.now(),
    elapsedMs: () => performance.now(),
    after: (delayMs, callback, isIdle = false) => {
      const handle = startTimer(callback, delayMs);
      if (isIdle) handle.unref();
      return { cancel: () => stopTimer(handle) };
    },
    fill: (bytes) => {
      // Safe: the library's arrays are never shared between threads.
      crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
    },
  };
}

/** Where to dial: "10.0.0.1:7071", "[::1]:7071", "node-1.example:7071"; null where it is no such place. */
export function parseAddress(address: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(address);
  if (match === null) return null;
  const port = Number(match[3]);
  return port > 65_535 ? null : { host: match[1] ?? match[2] ?? "", port };
}

function dial(address: string, options: TlsOptions | null): net.Socket {
  const place = parseAddress(address);
  if (place === null) throw new RangeError(`The address is "${address}", wanted is host:port`);
  if (options === null) return net.connect({ ...place, noDelay: true });
  const { ca, serverName } = options;
  const name = serverName ?? place.host;
  return tls.connect({
    ...place,
    ...(ca === undefined ? {} : { ca }),
    ...(net.isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host: string, certificate: tls.PeerCertificate) =>
      serverName === null ? undefined : tls.checkServerIdentity(name, certificate),
  }).setNoDelay(true);
}

/** What dialling gives where the runtime does not even try (Bun: authorities that it cannot read). */
function noSocket(error: unknown, handler: SocketHandler): Socket {
  const reason = error instanceof Error ? error.message : String(error);
  startTimer(() => handler.closed(reason), 0);
  return { write: () => {}, close: () => {} };
}

interface PendingWrite {
  readonly bytes: Uint8Array;
  readonly release: (bytes: Uint8Array) => void;
}

/** Writes end in the order in which they began, so one callback and a queue serve all of them. */
class StreamSocket implements Socket {
  readonly #stream: net.Socket;
  readonly #handler: SocketHandler;
  readonly #writes: PendingWrite[] = [];
  #reason = "";
  readonly #onTaken = (error?: Error | null): void => {
    if (!error) this.#taken();
  };

  constructor(stream: net.Socket, isTls: boolean, handler: SocketHandler) {
    this.#stream = stream;
    this.#handler = handler;
    stream.setKeepAlive(true, KEEP_ALIVE_MS);
    stream.once(isTls ? "secureConnect" : "connect", () => handler.opened());
    stream.on("data", (chunk: Uint8Array) => {
      // A view that is a plain Uint8Array: Buffer's slice() would share bytes that are reused.
      if (this.#reason === "") handler.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    });
    stream.on("end", () => this.close("the node closed the connection"));
    stream.on("error", (error) => {
      if (this.#reason === "") this.#reason = error.message || String(error);
      stream.destroy();
    });
    stream.on("close", () => handler.closed(this.#reason || "closed"));
  }

  write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void {
    if (this.#reason !== "") return;
    this.#writes.push({ bytes, release });
    this.#stream.write(bytes.subarray(0, length), this.#onTaken);
  }

  close(reason: string): void {
    if (this.#reason !== "") return;
    this.#reason = reason;
    this.#stream.destroy();
  }

  #taken(): void {
    const write = this.#writes.shift();
    if (write === undefined || this.#reason !== "") return;
    write.release(write.bytes);
    if (this.#writes.length === 0) this.#handler.drained();
  }
}
