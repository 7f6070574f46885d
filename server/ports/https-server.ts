/**
 * Serving HTTP over TLS: the server of http-server.ts, on a socket that only this process knows, behind
 * a door that speaks TLS.
 *
 *   client ──TLS──► door ──bytes──► Bun.serve or Deno.serve
 *
 * The runtimes' own HTTPS keeps the certificate that it started with, and a second listener beside it
 * would cut connections at rest. The door shows a new certificate from one connection to the next, and
 * where TLS is optional it hands on what comes without. Each connection costs three descriptors so.
 */

import { mkdtempSync } from "node:fs";
import net from "node:net";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type HttpHandler, type HttpServer, serveHttpOnSocket } from "./http-server.ts";
import { systemRandom } from "./random.ts";
import { listenTcp } from "./tcp-network.ts";
import type { Tls } from "./tls.ts";
import { TlsDoor } from "./tls-door.ts";

/** Descriptors of one connection: the client's, and both ends of the way to the server. */
export const HTTPS_DESCRIPTORS = 3;

/** What is left when one side has closed may take so long to leave: a client that reads nothing is cut off. */
const REST_MS_MAX = 75_000;

const PLAIN_DETAIL = JSON.stringify({
  type: "urn:halo:error:tls-required",
  title: "TLS required",
  status: 400,
  detail: "This port speaks TLS, want https:// instead of http://",
  code: "tls-required",
  outcome: "refused",
});
const PLAIN_ANSWER = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: application/problem+json",
  `Content-Length: ${PLAIN_DETAIL.length}`,
  "Connection: close",
  "",
  PLAIN_DETAIL,
].join("\r\n");

export class HttpsFront {
  readonly #door: TlsDoor;
  readonly #handler: HttpHandler;
  readonly #connections = new Set<net.Socket>();
  /** Of these, those in their handshake. */
  readonly #entering = new Set<net.Socket>();

  /** The handler must neither throw nor reject. */
  constructor(owner: Tls, handler: HttpHandler) {
    this.#door = new TlsDoor(owner, { plainAnswer: PLAIN_ANSWER, allowHalfOpen: true, isForNodes: false });
    this.#handler = handler;
  }

  /** Those of clients, in their handshake or later. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Listens on host:port (port 0: a free one); calls back with the server, or with a sentence that says why not. */
  listen(address: string, done: (server: HttpServer | null, error: string) => void): void {
    const path = newSocketPath();
    let inner: Pick<HttpServer, "stop">;
    try {
      inner = serveHttpOnSocket(path, this.#handler);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      done(null, `Cannot serve HTTPS: there is no way from its door inside: ${reason}`);
      return;
    }
    listenTcp(address, (raw) => this.#accept(raw, path), (listener, error) => {
      if (listener === null) return inner.stop(0, () => done(null, error));
      return done({
        address: listener.address,
        stop: (graceMs, stopped) => {
          listener.close();
          // They have asked for nothing yet.
          for (const raw of this.#entering) raw.destroy();
          inner.stop(graceMs, stopped);
        },
      }, "");
    }, true);
  }

  #accept(raw: net.Socket, path: string): void {
    this.#connections.add(raw);
    this.#entering.add(raw);
    raw.once("close", () => this.#connections.delete(raw));
    this.#door.enter(raw, {
      stands: (stream) => {
        this.#entering.delete(raw);
        joined(stream, net.connect({ path, allowHalfOpen: true }));
      },
      failed: () => this.#entering.delete(raw),
    });
  }
}

/** Hands on what either side sends, at the pace of the other, and its end. */
function joined(client: net.Socket, server: net.Socket): void {
  pass(client, server);
  pass(server, client);
}

function pass(from: net.Socket, to: net.Socket): void {
  from.on("data", (chunk: Uint8Array) => {
    if (to.write(chunk)) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
  from.on("close", () => {
    to.destroySoon();
    const timer = setTimeout(() => to.destroy(), REST_MS_MAX);
    to.once("close", () => clearTimeout(timer));
  });
}

/** In Linux's abstract names: nothing of it is left behind. Elsewhere a file in a folder of this user's own. */
function newSocketPath(): string {
  const bytes = new Uint8Array(16);
  systemRandom.fill(bytes);
  const name = `halo-${process.pid}-${Buffer.from(bytes).toString("hex")}`;
  return platform() === "linux" ? `\0${name}` : join(mkdtempSync(join(tmpdir(), "halo-")), "http");
}
