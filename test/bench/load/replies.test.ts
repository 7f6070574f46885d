/**
 * The reply readers of the load generator: where an answer ends, however it is cut into pieces, and
 * which answers do not count.
 */

import t, { type Test } from "tap";
import { HttpReply } from "../../../bench/load/http-reply.ts";
import { httpExchange, VALUE_BYTES } from "../../../bench/load/http-exchange.ts";
import { respExchange } from "../../../bench/load/resp-exchange.ts";
import type { ReplyReader } from "../../../bench/load/exchange.ts";

const NOTHING = new Uint8Array(0);

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The length that is read once all bytes are there; no prefix may be taken for an answer. */
function readInPieces(t: Test, reply: ReplyReader, text: string): number {
  const bytes = bytesOf(`??${text}`);
  for (let end = 2; end < bytes.length; end++) {
    if (reply.read(bytes, 2, end) !== 0) t.fail(`${end - 2} bytes were taken for an answer`);
  }
  return reply.read(bytes, 2, bytes.length);
}

t.test("HttpReply ends an answer at its length, in any letter case", (t) => {
  for (const name of ["Content-Length", "content-length", "CONTENT-LENGTH"]) {
    const text = `HTTP/1.1 200 OK\r\nDate: now\r\n${name}: 12\r\nETag: "x"\r\n\r\nhello\r\nworld`;
    const reply = new HttpReply(12, bytesOf("hello"));
    t.equal(readInPieces(t, reply, text), text.length);
    t.equal(reply.status, 200);
    t.equal(reply.bodyLength, 12);
    t.ok(reply.ok);
    t.equal(reply.read(bytesOf(text + text), 0, 2 * text.length), text.length);
  }
  t.end();
});

t.test("HttpReply ends a chunked answer behind its last chunk", (t) => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const whole = `${head}5;x=1\r\nhello\r\nc\r\n another one\r\n0\r\n\r\n`;
  const reply = new HttpReply(17, NOTHING);
  t.equal(readInPieces(t, reply, whole), whole.length);
  t.equal(reply.bodyLength, 17);
  t.ok(reply.ok);
  t.end();
});

t.test("HttpReply takes 204 without a length, and refuses an answer without an end", (t) => {
  const text = "HTTP/1.1 204 No Content\r\nHalo-Context: abc\r\n\r\n";
  const reply = new HttpReply(0, NOTHING);
  t.equal(readInPieces(t, reply, text), text.length);
  t.ok(reply.ok);
  const endless = bytesOf("HTTP/1.1 200 OK\r\n\r\n");
  t.throws(() => reply.read(endless, 0, endless.length), /without a length/);
  t.end();
});

t.test("HttpReply does not count refusals, short bodies and other values, and says why", (t) => {
  const answers = [
    "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHELLO",
  ];
  for (const text of answers) {
    const reply = new HttpReply(5, bytesOf("hello"));
    t.equal(reply.read(bytesOf(text), 0, text.length), text.length);
    t.notOk(reply.ok, text);
    t.equal(reply.complaint, oneLine(text));
  }
  t.end();
});

function oneLine(text: string): string {
  const [head, body] = text.split("\r\n\r\n");
  return `${head.split("\r\n")[0]} ${body}`;
}

t.test("a get counts only the value of the key that was asked for", (t) => {
  const options = { path: "/kv/bench/", putQuery: "", isValueChecked: true };
  const { request, reply } = httpExchange(options).get();
  const value = `key000000123456k${"x".repeat(VALUE_BYTES - 16)}`;
  const bytes = bytesOf(`HTTP/1.1 200 OK\r\nContent-Length: ${VALUE_BYTES}\r\n\r\n${value}`);
  request.setKey(123_456);
  t.equal(reply.read(bytes, 0, bytes.length), bytes.length);
  t.ok(reply.ok);
  request.setKey(123_457);
  t.equal(reply.read(bytes, 0, bytes.length), bytes.length);
  t.notOk(reply.ok);
  t.end();
});

t.test("a put names the key in its path and in its value, and gives the right length", (t) => {
  const options = { path: "/kv/bench/", putQuery: "?dw=0", isValueChecked: true };
  const { request } = httpExchange(options).put();
  request.setKey(987_654_321_012);
  const text = new TextDecoder().decode(request.bytes);
  t.match(text, /^PUT \/kv\/bench\/key987654321012k\?dw=0 HTTP\/1\.1\r\n/);
  const [, body] = text.split("\r\n\r\n");
  t.match(body, /^key987654321012kx+$/);
  t.equal(body.length, VALUE_BYTES);
  t.end();
});

t.test("Redis' answers: OK, a value, nothing, an error", (t) => {
  const put = respExchange.put();
  t.equal(readInPieces(t, put.reply, "+OK\r\n"), 5);
  t.ok(put.reply.ok);
  t.equal(readInPieces(t, put.reply, "-ERR full\r\n"), 11);
  t.notOk(put.reply.ok);
  t.equal(put.reply.complaint, "-ERR full");
  const get = respExchange.get();
  get.request.setKey(5);
  const right = `$100\r\nkey000000000005k${"x".repeat(84)}\r\n`;
  t.equal(readInPieces(t, get.reply, right), right.length);
  t.ok(get.reply.ok);
  t.equal(readInPieces(t, get.reply, right.replace("5k", "6k")), right.length);
  t.notOk(get.reply.ok);
  t.equal(readInPieces(t, get.reply, "$-1\r\n"), 5);
  t.notOk(get.reply.ok);
  t.end();
});
