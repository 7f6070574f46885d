/**
 * One connection to a node, one request at a time. Unlike fetch() it never sends anything twice, and
 * tells an answer from a connection that was cut: what was under way then has an unknown outcome.
 *
 * Source: RFC 9112, as far as a node's answers need it (a length, or no body).
 */

import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface Asking {
  readonly method: string;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: Uint8Array;
}

/** The connection was cut before the answer was complete. */
export class Cut extends Error {}

const HEAD_END = Buffer.from("\r\n\r\n");
const decoder = new TextDecoder("latin1");

export class HttpLine {
  readonly #socket: Socket;
  readonly #opened: Promise<void>;
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the whole answer; 0: its head is not complete. */
  #wanted = 0;
  #isCut = false;

  /** @param address host:port */
  constructor(address: string) {
    const colon = address.lastIndexOf(":");
    this.#socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon));
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (piece: Buffer) => this.#take(piece));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => this.#cut());
    this.#opened = new Promise((resolve, reject) => {
      this.#socket.on("connect", () => resolve());
      this.#socket.on("close", () => reject(new Cut("never connected")));
    });
    // Whoever asks is told; nobody need ask.
    this.#opened.catch(() => undefined);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Resolves once it is connected. @throws Cut */
  get opened(): Promise<void> {
    return this.#opened;
  }

  /** @throws Cut: whether the request arrived is unknown */
  ask({ method, path, headers = [], body }: Asking): Promise<Answer> {
    if (this.#isCut) return Promise.reject(new Cut("cut before it was asked"));
    const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
    const lines = [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1", ...headers, ...length];
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
      this.#socket.write(body === undefined ? head : Buffer.concat([head, body]));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#wanted === 0) this.#readHead();
    if (this.#wanted === 0 || this.#bytes < this.#wanted) return;
    const answer = parsed(Buffer.concat(this.#pieces));
    this.#pieces = [];
    this.#bytes = 0;
    this.#wanted = 0;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(answer);
  }

  #readHead(): void {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [bytes];
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return;
    const { status, headers } = headOf(bytes, end);
    const length = headers.get("content-length");
    if (length === undefined && status !== 204 && status !== 304) {
      this.#socket.destroy(new Error(`an answer ${status} without a length`));
      return;
    }
    this.#wanted = end + HEAD_END.length + Number(length ?? 0);
  }

  #cut(): void {
    this.#isCut = true;
    this.#waiting?.reject(new Cut("cut"));
    this.#waiting = null;
  }
}

function parsed(bytes: Buffer): Answer {
  const end = bytes.indexOf(HEAD_END);
  return { ...headOf(bytes, end), body: bytes.subarray(end + HEAD_END.length) };
}

function headOf(bytes: Buffer, end: number): Omit<Answer, "body"> {
  const [first = "", ...lines] = decoder.decode(bytes.subarray(0, end)).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(first.split(" ")[1]), headers };
}
