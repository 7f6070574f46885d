/** Several versions at once, in each form that a client may ask for. */

import { decode } from "cbor-x";
import t from "tap";
import { chooseForm } from "../../../server/http/siblings.ts";
import { Face } from "./face.ts";

async function withSiblings(...bodies: (string | Uint8Array<ArrayBuffer>)[]): Promise<Face> {
  const face = new Face();
  for (const body of bodies) {
    const headers = { "Content-Type": "text/plain", "Halo-Meta-Of": String(body.length) };
    await face.send("PUT", "/kv/b/k", { body, headers });
  }
  return face;
}

t.test("multipart/mixed is the default: every sibling a part, bytes unchanged", async (t) => {
  const odd = new Uint8Array([0, 13, 10, 45, 45, 255]);
  const face = await withSiblings("one", odd, "");
  const response = await face.send("GET", "/kv/b/k");
  t.equal(response.status, 300);
  t.equal(response.headers.get("halo-context"), "seen-1-2-3");
  t.equal(response.headers.get("vary"), "Accept");
  const type = response.headers.get("content-type") ?? "";
  const boundary = /^multipart\/mixed; boundary=([A-Za-z0-9-]{1,70})$/.exec(type)?.[1] ?? "";
  t.not(boundary, "");
  const text = Buffer.from(await response.arrayBuffer()).toString("latin1");
  const parts = text.split(`\r\n--${boundary}`);
  t.equal(parts.length, 5, "preamble, three parts, epilogue");
  t.equal(parts[0], "");
  t.equal(parts[4], "--\r\n");
  const bodies = [Buffer.from("one"), Buffer.from(odd), Buffer.from("")];
  for (const [index, body] of bodies.entries()) {
    const [head, ...rest] = (parts[index + 1] ?? "").split("\r\n\r\n");
    t.equal(rest.join("\r\n\r\n"), body.toString("latin1"));
    t.match(head, /^\r\nContent-Type: text\/plain\r\n/);
    t.match(head, `Content-Length: ${body.length}\r\n`);
    t.match(head, `Last-Modified: Fri, 20 Nov 2026 12:00:0${index + 1} GMT`);
    t.match(head, `Halo-Meta-of: ${body.length}`);
  }
});

t.test("a body that holds the boundary gets another boundary", async (t) => {
  const face = await withSiblings("one", "two");
  const first = (await face.send("GET", "/kv/b/k")).headers.get("content-type") ?? "";
  const boundary = first.slice(first.indexOf("=") + 1);
  const other = new Face();
  for (const body of [`x\r\n--${boundary}--\r\n`, "two"]) {
    await other.send("PUT", "/kv/b/k", { body });
  }
  const second = (await other.send("GET", "/kv/b/k")).headers.get("content-type") ?? "";
  t.not(second, first);
});

t.test("JSON and CBOR carry the same siblings and one context", async (t) => {
  const face = await withSiblings("one", new Uint8Array([0, 255]));
  const json = await face.send("GET", "/kv/b/k", { headers: { Accept: "application/json" } });
  t.equal(json.status, 300);
  t.equal(json.headers.get("content-type"), "application/json");
  const wanted = (value: (bytes: Buffer) => unknown) => ({
    context: "seen-1-2",
    siblings: [
      {
        value: value(Buffer.from("one")),
        contentType: "text/plain",
        time: "2026-11-20T12:00:01.000Z",
        meta: { of: "3" },
      },
      {
        value: value(Buffer.from([0, 255])),
        contentType: "text/plain",
        time: "2026-11-20T12:00:02.000Z",
        meta: { of: "2" },
      },
    ],
  });
  t.same(await json.json(), wanted((bytes) => bytes.toString("base64")));
  const cbor = await face.send("GET", "/kv/b/k", { headers: { Accept: "application/cbor" } });
  t.equal(cbor.headers.get("content-type"), "application/cbor");
  t.same(decode(Buffer.from(await cbor.arrayBuffer())), wanted((bytes) => bytes));
});

t.test("metadata named __proto__ is a name like any other", async (t) => {
  const face = new Face();
  for (const body of ["1", "2"]) {
    await face.send("PUT", "/kv/b/k", { body, headers: { "Halo-Meta-__proto__": "x" } });
  }
  const json = await face.send("GET", "/kv/b/k", { headers: { Accept: "application/json" } });
  t.match(await json.text(), '"meta":{"__proto__":"x"}');
});

t.test("a single version is its own bytes, whatever Accept says", async (t) => {
  const face = await withSiblings("one");
  for (const accept of ["application/json", "application/cbor", "multipart/mixed", "image/png"]) {
    const response = await face.send("GET", "/kv/b/k", { headers: { Accept: accept } });
    t.equal(response.status, 200);
    t.equal(response.headers.get("content-type"), "text/plain");
    t.equal(await response.text(), "one");
  }
});

t.test("chooseForm() takes the best quality, multipart for what it does not know", async (t) => {
  const cases: [string | null, string][] = [
    [null, "multipart/mixed"],
    ["", "multipart/mixed"],
    ["*/*", "multipart/mixed"],
    ["text/html", "multipart/mixed"],
    ["application/json", "application/json"],
    ["Application/JSON; charset=utf-8", "application/json"],
    ["text/html, application/cbor;q=0.1", "application/cbor"],
    ["application/json;q=0.5, application/cbor;q=0.6", "application/cbor"],
    ["application/json, multipart/mixed", "application/json"],
    ["application/json;q=0", "multipart/mixed"],
    ["application/json;q=7", "multipart/mixed"],
  ];
  for (const [accept, form] of cases) t.equal(chooseForm(accept), form, String(accept));
});
