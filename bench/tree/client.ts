/**
 * The smallest careful client of halo: it keeps the three outcomes apart and retries as one may.
 *
 *   done      2xx
 *   refused   nothing was written (4xx, 503, 507, no connection): another node, or the same, later
 *   unknown   it may have been written (504, a cut connection): again with the same request id,
 *             which the store recognises, so that a retry is never a second version
 *
 * The head of a body beyond a megabyte goes ahead and the body waits a moment: a node that refuses
 * it for its size says so at once, and the answer is not lost in a connection that is cut in the
 * middle of the body. (Expect: 100-continue would be the way, but Bun says "continue" before it
 * looks.)
 */

import { randomBytes } from "node:crypto";
import { Agent, type IncomingHttpHeaders, request } from "node:http";

const OFFER_FIRST_BYTES = 1 << 20;
/** How long a large body waits for a refusal of its head. */
const OFFER_MS = 250;
const REPLY_MS = 15_000;
const RETRY_MS = 50;
const RETRY_MS_MAX = 1_000;
const ATTEMPTS = 30;

const NOT_SENT = "ECONNREFUSED";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type PutOutcome = "acknowledged" | "too large" | "refused" | "unknown";

export interface PutResult {
  readonly outcome: PutOutcome;
  /** The last answer that was not an acknowledgement, for the report. */
  readonly complaint: string;
  readonly retries: number;
}

export class TreeClient {
  readonly #urls: readonly string[];
  readonly #agent: Agent;

  /** @param urls of the nodes, http://127.0.0.1:PORT */
  constructor(urls: readonly string[], connections: number) {
    this.#urls = urls;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * Writes through the node with this number first, and through the next ones if it must be; it
   * waits a little when all were asked in vain.
   */
  async put(path: string, body: Buffer, firstNode: number): Promise<PutResult> {
    const headers = { "Halo-Request-Id": requestId(), "Content-Length": body.length };
    let isUnknown = false;
    let complaint = "";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const url = this.#urls[(firstNode + attempt) % this.#urls.length];
      try {
        const reply = await this.send("PUT", url + path, headers, body);
        if (reply.status < 300) return { outcome: "acknowledged", complaint, retries: attempt };
        complaint = `${reply.status} ${reply.body}`;
        isUnknown ||= reply.status === 504;
        if (!isUnknown && !isWorthRetrying(reply.status)) {
          const outcome = reply.status === 413 ? "too large" : "refused";
          return { outcome, complaint, retries: attempt };
        }
      } catch (error) {
        complaint = String(error);
        isUnknown ||= codeOf(error) !== NOT_SENT;
      }
      const round = Math.floor(attempt / this.#urls.length);
      if (attempt % this.#urls.length === this.#urls.length - 1) await pause(round);
    }
    return { outcome: isUnknown ? "unknown" : "refused", complaint, retries: ATTEMPTS };
  }

  /**
   * Reads through one node, again while the answer is that it cannot be given now.
   * @returns null where there was no answer at all
   */
  async get(url: string): Promise<Reply | null> {
    let reply: Reply | null = null;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        reply = await this.send("GET", url, {}, null);
        if (!isWorthRetrying(reply.status) && reply.status !== 504) return reply;
      } catch {
        reply = null;
      }
      await pause(attempt);
    }
    return reply;
  }

  /** One request. @throws Error where no complete answer came; `code` tells who was not reached */
  send(
    method: string,
    url: string,
    headers: Record<string, string | number>,
    body: Buffer | null,
  ): Promise<Reply> {
    const isOffered = body !== null && body.length > OFFER_FIRST_BYTES;
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const options = { method, headers, agent: this.#agent, timeout: REPLY_MS };
      const sent = request(url, options, (answer) => {
        clearTimeout(timer);
        const pieces: Buffer[] = [];
        answer.on("data", (piece: Buffer) => pieces.push(piece));
        answer.on("error", reject);
        answer.on("end", () => {
          const { statusCode, headers: answered } = answer;
          resolve({ status: statusCode ?? 0, headers: answered, body: Buffer.concat(pieces) });
          if (isOffered) sent.destroy();
        });
      });
      sent.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${REPLY_MS} ms`)));
      if (isOffered) {
        sent.flushHeaders();
        timer = setTimeout(() => sent.end(body), OFFER_MS);
      } else sent.end(body ?? undefined);
    });
  }
}

/** The path of an object: each segment percent-encoded, the slashes kept. */
export function objectPath(bucket: string, key: string): string {
  return `/kv/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
}

function isWorthRetrying(status: number): boolean {
  return status === 503 || status === 429 || status === 507;
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return "";
}

function pause(attempt: number): Promise<void> {
  const waitMs = Math.min(RETRY_MS * 2 ** attempt, RETRY_MS_MAX);
  return new Promise((resume) => setTimeout(resume, waitMs));
}

/** A UUIDv7: 48 bits of milliseconds, then random bits. RFC 9562, section 5.7. */
function requestId(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = bytes.toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return `${parts.join("-")}-${hex.slice(20)}`;
}
