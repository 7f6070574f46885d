/**
 * Puts and gets over HTTP/1.1 as small as they can be: request line, Host, and a length for a put.
 *
 * The first 16 of a value's bytes are its key: a get checks that it was given the value of the key
 * it asked for, so that a fast wrong answer cannot win.
 */

import { type Call, type Exchange, RequestTemplate } from "./exchange.ts";
import { HttpReply } from "./http-reply.ts";
import { FIRST_KEY, KEY_BYTES, writeKey } from "./key.ts";

export const VALUE_BYTES = 100;
/** The value of key number 0. */
export const FIRST_VALUE = FIRST_KEY + "x".repeat(VALUE_BYTES - KEY_BYTES);

const ANY_BODY = new Uint8Array(0);

export interface HttpExchangeOptions {
  /** The path before the key, for example "/kv/bench/". */
  readonly path: string;
  /** Behind the key of a put, for example "?dw=0", or "". */
  readonly putQuery: string;
  /** Whether a get must answer the value of its key (the empty server has none). */
  readonly isValueChecked: boolean;
}

export function httpExchange(options: HttpExchangeOptions): Exchange {
  return { put: () => httpPut(options), get: () => httpGet(options) };
}

function httpPut(options: HttpExchangeOptions): Call {
  const request = new RequestTemplate(
    `PUT ${options.path}${FIRST_KEY}${options.putQuery} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Content-Length: ${VALUE_BYTES}\r\n\r\n${FIRST_VALUE}`,
    FIRST_KEY,
    writeKey,
  );
  return { request, reply: new HttpReply(0, ANY_BODY) };
}

function httpGet(options: HttpExchangeOptions): Call {
  const request = new RequestTemplate(
    `GET ${options.path}${FIRST_KEY} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
    FIRST_KEY,
    writeKey,
  );
  const bodyStart = options.isValueChecked ? request.key(KEY_BYTES) : ANY_BODY;
  return { request, reply: new HttpReply(VALUE_BYTES, bodyStart) };
}
