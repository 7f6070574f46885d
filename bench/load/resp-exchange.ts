/**
 * Puts and gets in Redis' protocol: SET and GET, answered by "+OK" or by a string with its length.
 *
 *   *2\r\n$3\r\nGET\r\n$16\r\nkey000000000000k\r\n      $100\r\nkey000000000000kxx…\r\n
 *
 * Source: the RESP2 specification.
 */

import { type Call, type Exchange, type ReplyReader, RequestTemplate } from "./exchange.ts";
import { FIRST_VALUE, VALUE_BYTES } from "./http-exchange.ts";
import { FIRST_KEY, KEY_BYTES, writeKey } from "./key.ts";

const LINE_FEED = 10;
const PLUS = 43;
const DOLLAR = 36;

export const respExchange: Exchange = {
  put: () => call(`*3\r\n${bulk("SET")}${bulk(FIRST_KEY)}${bulk(FIRST_VALUE)}`, PLUS),
  get: () => call(`*2\r\n${bulk("GET")}${bulk(FIRST_KEY)}`, DOLLAR),
};

function call(text: string, wanted: number): Call {
  const request = new RequestTemplate(text, FIRST_KEY, writeKey);
  return { request, reply: new RespReply(wanted, request.key(KEY_BYTES)) };
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

class RespReply implements ReplyReader {
  readonly #wanted: number;
  readonly #key: Uint8Array;
  ok: boolean;
  complaint: string;

  /** @param wanted first byte of the wanted answer */
  constructor(wanted: number, key: Uint8Array) {
    this.#wanted = wanted;
    this.#key = key;
    this.ok = false;
    this.complaint = "";
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    const data = bytes.indexOf(LINE_FEED, start) + 1;
    if (data === 0 || data > end) return 0;
    this.ok = bytes[start] === this.#wanted;
    if (bytes[start] !== DOLLAR || !this.ok) return this.#answer(bytes, start, data);
    const line = new TextDecoder().decode(bytes.subarray(start + 1, data - 2));
    const length = Number(line);
    if (length < 0) return this.#refuse(bytes, start, data);
    const after = data + length + 2;
    if (after > end) return 0;
    this.ok = length === VALUE_BYTES && this.#startsWithKey(bytes, data);
    return this.#answer(bytes, start, after);
  }

  #answer(bytes: Uint8Array, start: number, after: number): number {
    return this.ok ? after - start : this.#refuse(bytes, start, after);
  }

  #refuse(bytes: Uint8Array, start: number, after: number): number {
    this.ok = false;
    if (this.complaint === "") {
      this.complaint = new TextDecoder().decode(bytes.subarray(start, after)).trim();
    }
    return after - start;
  }

  #startsWithKey(bytes: Uint8Array, at: number): boolean {
    for (let index = 0; index < this.#key.length; index++) {
      if (bytes[at + index] !== this.#key[index]) return false;
    }
    return true;
  }
}
