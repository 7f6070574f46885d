/**
 * The least that a load generator must read of an HTTP/1.1 answer: the status, and where it ends.
 *
 *   HTTP/1.1 200 OK\r\n          status: the three digits behind the first space
 *   Content-Length: 100\r\n      looked for by its first letter, without regard to case
 *   Transfer-Encoding: chunked   the same
 *   \r\n
 *   …
 *
 * An answer that is not complete yet is read again from its start when more has come: small answers
 * come in one piece, and nothing has to be remembered between pieces. No allocation on that path.
 *
 * Source: RFC 9112, sections 4, 6.3 and 7.1.
 */

import type { ReplyReader } from "./exchange.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const ZERO = 48;
const LOWER_CASE = 0x20;
/** "HTTP/1.1 " */
const STATUS_AT = 9;
const STATUS_LINE_BYTES_MIN = STATUS_AT + 3;
const SHOWN_BYTES = 160;

const CONTENT_LENGTH = ascii("content-length:");
const TRANSFER_ENCODING = ascii("transfer-encoding:");

export class HttpReply implements ReplyReader {
  readonly #bodyBytesMin: number;
  readonly #bodyStart: Uint8Array;
  #isBodyWanted: boolean;
  status: number;
  bodyLength: number;
  complaint: string;

  /**
   * @param bodyBytesMin a 200 with a shorter body is not the wanted answer
   * @param bodyStart nor is one whose body starts otherwise (looked at in bodies with a length)
   */
  constructor(bodyBytesMin: number, bodyStart: Uint8Array) {
    this.#bodyBytesMin = bodyBytesMin;
    this.#bodyStart = bodyStart;
    this.#isBodyWanted = true;
    this.status = 0;
    this.bodyLength = 0;
    this.complaint = "";
  }

  get ok(): boolean {
    if (this.status === 200) return this.#isBodyWanted && this.bodyLength >= this.#bodyBytesMin;
    return this.status === 204 || this.status === 201;
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < STATUS_LINE_BYTES_MIN) return 0;
    this.status = decimal(bytes, start + STATUS_AT, 3);
    let isChunked = false;
    let contentLength = this.status === 204 || this.status === 304 ? 0 : -1;
    let at = lineEnd(bytes, start, end);
    while (at < end) {
      const next = lineEnd(bytes, at, end);
      if (next > end) return 0;
      if (bytes[at] === CARRIAGE_RETURN) {
        return this.#readBody(bytes, start, next, end, isChunked ? -2 : contentLength);
      }
      const letter = bytes[at] | LOWER_CASE;
      if (letter === CONTENT_LENGTH[0] && isHeader(bytes, at, CONTENT_LENGTH)) {
        contentLength = number(bytes, at + CONTENT_LENGTH.length, next);
      } else if (letter === TRANSFER_ENCODING[0] && isHeader(bytes, at, TRANSFER_ENCODING)) {
        isChunked = true;
      }
      at = next;
    }
    return 0;
  }

  #readBody(bytes: Uint8Array, start: number, body: number, end: number, length: number): number {
    if (length === -1) throw new Error(`answer without a length: ${shown(bytes, start, end)}`);
    const after = length === -2 ? this.#chunksEnd(bytes, body, end) : body + length;
    if (after === 0 || after > end) return 0;
    if (length >= 0) {
      this.bodyLength = length;
      this.#isBodyWanted = startsWith(bytes, body, after, this.#bodyStart);
    }
    if (!this.ok && this.complaint === "") this.complaint = shown(bytes, start, after);
    return after - start;
  }

  /** Where the chunks end, 0 while they do not; trailers are not expected of any system here. */
  #chunksEnd(bytes: Uint8Array, body: number, end: number): number {
    let at = body;
    this.bodyLength = 0;
    for (;;) {
      const data = lineEnd(bytes, at, end);
      if (data > end) return 0;
      const size = hexadecimal(bytes, at, data);
      at = data + size + 2;
      if (at > end) return 0;
      if (size === 0) return at;
      this.bodyLength += size;
    }
  }
}

/** The first byte behind the line that starts at `at`; above `end` if the line is not complete. */
function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index++) if (bytes[index] === LINE_FEED) return index + 1;
  return end + 1;
}

function isHeader(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index++) {
    if ((bytes[at + index] | LOWER_CASE) !== (name[index] | LOWER_CASE)) return false;
  }
  return true;
}

function startsWith(bytes: Uint8Array, at: number, end: number, wanted: Uint8Array): boolean {
  if (end - at < wanted.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

function decimal(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let index = 0; index < digits; index++) value = value * 10 + bytes[at + index] - ZERO;
  return value;
}

/** The decimal number in bytes[at, end), spaces and line end ignored. */
function number(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let index = at; index < end; index++) {
    const digit = bytes[index] - ZERO;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
  }
  return value;
}

/** The hexadecimal number that the line starts with; a chunk extension behind it is ignored. */
function hexadecimal(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let index = at; index < end; index++) {
    const digit = Number.parseInt(String.fromCharCode(bytes[index]), 16);
    if (Number.isNaN(digit)) break;
    value = value * 16 + digit;
  }
  return value;
}

function shown(bytes: Uint8Array, start: number, end: number): string {
  const text = new TextDecoder().decode(bytes.subarray(start, end));
  const body = text.indexOf("\r\n\r\n");
  const line = text.slice(0, text.indexOf("\r\n"));
  return `${line} ${body < 0 ? "" : text.slice(body + 4)}`.slice(0, SHOWN_BYTES).trim();
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
