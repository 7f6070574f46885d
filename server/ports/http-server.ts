/**
 * Serving HTTP, the one thing that differs between the runtimes: Bun.serve or Deno.serve,
 * whichever is here, behind one function from a Request to a Response.
 *
 * Limits that a runtime sets are set out of the way: bodies are bounded by the face itself, which
 * refuses a declared length before it reads a byte; a connection may be silent for longer than the
 * longest request may take. All request headers together: 64 KiB (a build flag of the binary).
 */

import { TIMEOUT_MS_MAX } from "../../core/limits.ts";
import { explain, formatAddress, parseAddress } from "./tcp-network.ts";

export type HttpHandler = (request: Request) => Response | Promise<Response>;

export interface HttpServer {
  /** host:port as bound: with port 0 the one that was found free. */
  readonly address: string;
  /** Takes no new connection, lets requests end, cuts what is left after `graceMs`. */
  stop(graceMs: number, done: () => void): void;
}

/** A connection may say nothing for this long; longer than any request may take. */
const IDLE_SECONDS_MAX = TIMEOUT_MS_MAX / 1000 + 15;

/** How often a server that stops asks whether a request is left. */
const QUIET_CHECK_MS = 50;

/**
 * Listens on host:port (port 0: a free one); calls back with the server, or with a sentence that
 * says why not. The handler must neither throw nor reject.
 */
export function serveHttp(
  address: string,
  handler: HttpHandler,
  done: (server: HttpServer | null, error: string) => void,
): void {
  const place = parseAddress(address);
  if (place === null) {
    done(null, `Cannot serve HTTP on '${address}', want host:port as in 127.0.0.1:7070`);
    return;
  }
  let server: HttpServer;
  try {
    server = serve({ hostname: place.host, port: place.port }, handler);
  } catch (error) {
    const reason = error instanceof Error ? explain(error) : String(error);
    done(null, `Cannot serve HTTP on ${address}: ${reason}`);
    return;
  }
  done(server, "");
}

/** Serves whoever reaches a socket of this machine (https-server.ts). @throws Error as the system says it */
export function serveHttpOnSocket(path: string, handler: HttpHandler): Pick<HttpServer, "stop"> {
  return serve({ path }, handler);
}

type Place = { readonly hostname: string; readonly port: number } | { readonly path: string };

function serve(place: Place, handler: HttpHandler): HttpServer {
  return typeof Bun === "undefined" ? serveOnDeno(place, handler) : serveOnBun(place, handler);
}

function serveOnBun(place: Place, fetch: HttpHandler): HttpServer {
  const options = {
    fetch,
    development: false,
    idleTimeout: IDLE_SECONDS_MAX,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  } as const;
  // Said aloud: without development mode Bun would share a taken port instead of refusing it.
  const server = "path" in place
    ? Bun.serve(unixOptions(place.path, options))
    : Bun.serve({ ...options, ...place, reusePort: false });
  return {
    address: "path" in place ? place.path : formatAddress(place.hostname, server.port ?? place.port),
    stop: (graceMs, done) => {
      const force = setTimeout(() => void server.stop(true), graceMs);
      // Who has not said a whole request yet is not waited for, however slowly the rest may come.
      const look = setInterval(() => {
        if (server.pendingRequests === 0) void server.stop(true);
      }, QUIET_CHECK_MS);
      finish(server.stop(false), force, () => {
        clearInterval(look);
        done();
      });
    },
  };
}

/** The types of Bun know no idle timeout of such a socket; Bun has it there as well. */
function unixOptions(path: string, options: object & { fetch: HttpHandler }): { unix: string; fetch: HttpHandler } {
  return { ...options, unix: path };
}

/** What is used of Deno; its types are not among those of this project. */
interface DenoServer {
  readonly addr: { readonly hostname: string; readonly port: number };
  shutdown(): Promise<void>;
}
interface DenoRuntime {
  serve(
    options: Place & { signal: AbortSignal; onListen: () => void },
    handler: HttpHandler,
  ): DenoServer;
}

function serveOnDeno(place: Place, handler: HttpHandler): HttpServer {
  // Safe: the global is declared here as far as it is used, and checked before it is.
  const { Deno: runtime } = globalThis as { Deno?: DenoRuntime };
  if (runtime === undefined) throw new Error("neither Bun nor Deno runs this");
  const abort = new AbortController();
  const options = { ...place, signal: abort.signal, onListen: () => undefined };
  const server = runtime.serve(options, handler);
  return {
    address: "path" in place ? place.path : formatAddress(place.hostname, server.addr.port),
    stop: (graceMs, done) => {
      const force = setTimeout(() => abort.abort(), graceMs);
      finish(server.shutdown(), force, done);
    },
  };
}

function finish(
  stopped: Promise<void>,
  force: ReturnType<typeof setTimeout>,
  done: () => void,
): void {
  const end = (): void => {
    clearTimeout(force);
    done();
  };
  stopped.then(end, end);
}
