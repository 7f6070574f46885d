/** The OpenAPI document and its page: valid, whole, open to everybody, and loading nothing. */

import { Validator } from "@seriousme/openapi-schema-validator";
import t from "tap";
import { OPERATIONS } from "../../../server/http/operations.ts";
import { rootToken } from "../../../server/membership/authorization.ts";
import { Face, problemOf } from "./face.ts";

const SECRET = new TextEncoder().encode("correct horse battery staple");

t.test("the document is valid OpenAPI 3.1, asks nobody for a token, and has every operation", async (t) => {
  const response = await new Face({ secret: SECRET }).send("GET", "/openapi.json");
  t.equal(response.status, 200);
  t.equal(response.headers.get("content-type"), "application/json");
  const document = (await response.json()) as { openapi: string; paths: Record<string, Record<string, { operationId: string }>> };
  t.match(document.openapi, /^3\.1\./);
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  t.ok(valid, JSON.stringify(errors)?.slice(0, 2_000));
  const told = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  t.equal(new Set(told).size, told.length, "each has a name of its own");
  t.same(told.filter((id) => !id.startsWith("head")).sort(), OPERATIONS.map(({ id }) => id).sort());
});

t.test("the page shows every operation, and may load nothing but its own style", async (t) => {
  const response = await new Face({ secret: SECRET }).send("GET", "/docs");
  t.equal(response.status, 200);
  t.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy") ?? "";
  t.match(policy, /^default-src 'none'; .*style-src 'sha256-[A-Za-z0-9+/]{43}='$/);
  const html = await response.text();
  const style = /<style>([^]*)<\/style>/.exec(html)?.[1] ?? "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
  t.ok(policy.includes(Buffer.from(digest).toString("base64")), "the policy lets its style through");
  for (const { id, path } of OPERATIONS) {
    t.ok(html.includes(`<section id="${id}">`), id);
    t.ok(html.includes(path), path);
  }
  t.notMatch(html, /<script|<link|<img|\b(src|action)=|https?:/, "nothing is loaded from anywhere");
  const anchors = new Set(Array.from(html.matchAll(/id="([^"]*)"/g), ([, id]) => id));
  for (const [, target] of html.matchAll(/href="#([^"]*)"/g)) t.ok(anchors.has(target), `#${target} is there`);
});

t.test("a route that is none is told all that there are", async (t) => {
  const { detail } = await problemOf(await new Face().send("GET", "/nowhere"));
  for (const { path } of OPERATIONS) t.ok(String(detail).includes(path), path);
});

t.test("JSON under another name is 415 wherever JSON is wanted, and nothing is done", async (t) => {
  const routes = OPERATIONS.filter(({ body }) => body?.type === "application/json");
  t.ok(routes.length > 10);
  for (const { method, path, body } of routes) {
    const face = new Face({ secret: SECRET });

    const headers = { Authorization: `Bearer ${rootToken(SECRET)}`, "Content-Type": "application/x-www-form-urlencoded" };
    const response = await face.send(method, path.replace("{bucket}", "b"), { headers, body: JSON.stringify(body?.example) });
    t.match(await problemOf(response), { status: 415, code: "unsupported-media-type" }, path);
    t.equal(face.store.calls + face.cluster.orders.length + face.buckets.list().length, 0);
  }
});
