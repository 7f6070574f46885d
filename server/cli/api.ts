/**
 * A node as the client commands reach it: HTTP requests, and what went wrong as an exit code.
 *
 *   no connection       1, nothing was sent
 *   broken or too late  a write: 5, it may have happened; else 1
 *   problem+json        404: 3, outcome unknown: 5, else 1
 */

import { encodeBase64Url } from "../http/bytes.ts";
import { CertificateError } from "../ports/certificates.ts";
import { systemClock } from "../ports/clock.ts";
import { type Fetch, fetchTrusting } from "../ports/http-client.ts";
import { type CommandLine, setting, UsageError } from "./command-line.ts";
import { CommandFailure, FAILED, NOT_FOUND, UNKNOWN } from "./exit-code.ts";
import { readSecretText } from "./secret-file.ts";

export const NODE_OPTION = setting(
  "node",
  "URL",
  "the node to ask, by its HTTP address",
  "http://127.0.0.1:7070",
);

/** How a command reaches a node. A token is no flag: what stands in a command line is seen by others. */
export const TOKEN_OPTION = setting(
  "token-file",
  "FILE",
  "where the token stands, for a cluster that has a secret",
);

export const CA_OPTION = setting(
  "ca",
  "FILE",
  "for https://: the authority of the node's certificate, in PEM (default: the public ones)",
);

export const NODE_OPTIONS = [NODE_OPTION, TOKEN_OPTION, CA_OPTION];

/** The node that a command is told to ask. @throws UsageError */
export function apiOf(line: CommandLine, nodeUrl = line.text("node")): Api {
  return new Api(nodeUrl, tokenOf(line), fetchOf(line));
}

/** @throws UsageError */
function fetchOf(line: CommandLine): Fetch {
  const path = line.text("ca");
  if (path === "") return (url, request) => fetch(url, request);
  try {
    return fetchTrusting({ place: line.place("ca"), path }, systemClock.nowMs());
  } catch (error) {
    if (error instanceof CertificateError) throw new UsageError(error.message);
    throw error;
  }
}

/** The token in the file that a command is told of; "": none. @throws UsageError */
function tokenOf(line: CommandLine): string {
  const path = line.text("token-file");
  return path === "" ? "" : readSecretText(path, line.place("token-file"));
}

/** The node answers within its own timeout, at most a minute; then the connection is given up. */
const ANSWER_MS_MAX = 75_000;

export interface ApiRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | string | ReadableStream<Uint8Array>;
  /** What ends the request where it is not a deadline. */
  readonly signal?: AbortSignal;
}

export class Api {
  readonly #base: string;
  readonly #token: string;
  readonly #fetch: Fetch;

  /** @param token "" where there is none @throws UsageError */
  constructor(nodeUrl: string, token: string, fetch: Fetch) {
    if (!/^https?:\/\/[^/?#]+\/?$/.test(nodeUrl)) {
      throw new UsageError(`The node is '${nodeUrl}', want a URL as in http://127.0.0.1:7070`);
    }
    this.#base = nodeUrl.replace(/\/$/, "");
    this.#token = token;
    this.#fetch = fetch;
  }

  /** Sends a request; answers of every status come back. @throws CommandFailure */
  async send(request: ApiRequest): Promise<Response> {
    const { method, target, headers = {}, body = null } = request;
    const { signal = AbortSignal.timeout(ANSWER_MS_MAX) } = request;
    // What a stream is sent with; the type of RequestInit does not know it.
    const streamed = body instanceof ReadableStream ? { duplex: "half" } : {};
    // Most nodes are near, and what this prints is what they have: no work for either end.
    const all: Record<string, string> = { "Accept-Encoding": "identity", ...headers };
    if (this.#token !== "") all["Authorization"] = `Bearer ${this.#token}`;
    try {
      return await this.#fetch(`${this.#base}${target}`, {
        method,
        headers: all,
        // Safe: no body of ours lives in shared memory.
        body: body as Uint8Array<ArrayBuffer> | string | ReadableStream | null,
        redirect: "manual",
        // A value that was stored compressed is what it is. Deno goes by the Accept-Encoding above.
        ...{ decompress: false },
        signal,
        ...streamed,
      });
    } catch (error) {
      throw this.#unreachable(method, error);
    }
  }

  /** Sends a request and wants it to succeed, with 300 as a success. @throws CommandFailure */
  async expect(request: ApiRequest): Promise<Response> {
    const response = await this.send(request);
    if (response.status < 400) return response;
    throw await failureOf(response);
  }

  async json<Shape>(request: ApiRequest): Promise<Shape> {
    const response = await this.expect(request);
    // Safe as far as the node at the other end is one of ours.
    return (await response.json()) as Shape;
  }

  #unreachable(method: string, error: unknown): CommandFailure {
    const reason = error instanceof Error ? error.message : String(error);
    if (isRefusedConnection(error)) {
      const advice = "want a node there (halo serve, halo dev) or another --node";
      return new CommandFailure(FAILED, `Nothing answers at ${this.#base}, ${advice}`);
    }
    const why = reasonOf(error);
    if (NOT_TRUSTED.test(why)) {
      const advice = "want --ca with the authority that signed it, or a --node by a name that stands in it";
      return new CommandFailure(FAILED, `The certificate of ${this.#base} is not trusted (${why}), ${advice}`);
    }
    if (NO_TLS.test(why)) return new CommandFailure(FAILED, `There is no TLS at ${this.#base}, want http:// there`);
    const isWrite = method !== "GET";
    const outcome = isWrite ? ", so whether it was written is unknown" : "";
    const message = `The connection to ${this.#base} broke (${reason})${outcome}`;
    return new CommandFailure(isWrite ? UNKNOWN : FAILED, message);
  }
}

const NOT_CONNECTED =
  /ConnectionRefused|ECONNREFUSED|ENOTFOUND|FailedToOpenSocket|tcp connect error|dns error/;

/** Bun names the error itself, Deno and Node its cause. */
function isRefusedConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const text = `${"code" in error ? String(error.code) : ""} ${error.message} ${
    String(error.cause)
  }`;
  return NOT_CONNECTED.test(text);
}

// Handshakes that failed: nothing was sent.
const NO_TLS = /EPROTO|InvalidContentType/;
const NOT_TRUSTED = /self.signed certificate|CERT_|unable to (verify|get)|UNABLE_TO|ERR_TLS_|invalid peer certificate/i;

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? `${String(error.code)} ` : "";
  const cause = error.cause === undefined ? "" : `: ${String(error.cause)}`;
  return `${code}${error.message}${cause}`;
}

/** The answer to a failed request as what the command ends with. */
export async function failureOf(response: Response): Promise<CommandFailure> {
  const { status } = response;
  const text = await response.text();
  const { detail, outcome, code } = parseProblem(text);
  const exitCode = status === 404 ? NOT_FOUND : outcome === "unknown" ? UNKNOWN : FAILED;
  const message = detail === "" ? `The node answered ${status} without a reason` : detail;
  return new CommandFailure(exitCode, message.replace(/\.$/, ""), code);
}

function parseProblem(text: string): { detail: string; outcome: string; code: string } {
  try {
    const { detail = "", outcome = "", code = "" } = JSON.parse(text) as Record<string, string>;
    return { detail, outcome, code };
  } catch {
    // Whatever answered, it was no node of ours; its text says more than we could.
    return { detail: text.trim().slice(0, 200), outcome: "", code: "" };
  }
}

/** How a write ended, whatever became of the connection. */
export async function outcomeOf(
  api: Api,
  request: ApiRequest,
): Promise<{ readonly outcome: "done" | "refused" | "unknown"; readonly detail: string }> {
  try {
    const response = await api.expect(request);
    await response.body?.cancel();
    return { outcome: "done", detail: "" };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { outcome: error.exitCode === UNKNOWN ? "unknown" : "refused", detail: error.message };
  }
}

const encoder = new TextEncoder();

/** "cart/user-17" as a path below `route`; the key travels as base64url: it can be anything. */
export function nameTarget(route: string, name: string): string {
  const slash = name.indexOf("/");
  if (slash < 1 || slash === name.length - 1) {
    throw new UsageError(`The name is '${name}', want BUCKET/KEY`);
  }
  const key64 = encodeBase64Url(encoder.encode(name.slice(slash + 1)));
  return `${route}/${encodeURIComponent(name.slice(0, slash))}?key64=${key64}`;
}
