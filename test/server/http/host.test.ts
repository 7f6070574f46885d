/** Requests under another name than this machine's own, where nobody is asked who he is. */

import t from "tap";
import { Face, problemOf } from "./face.ts";

const OWN = ["127.0.0.1:7070", "127.0.0.1", "127.8.9.10:1", "localhost", "LocalHost:7070", "a.b.localhost", "[::1]:7070", "[::1]", "alias:99"];
const OTHERS = ["evil.example", "evil.example:7070", "127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1", "0.0.0.0:7070", "[::2]", "alias.evil", "10.0.0.1:7070", "x@127.0.0.1"];

t.test("its own names pass, others are 403 before anything is read or written", async (t) => {
  const face = new Face({ ownHost: "alias" });
  for (const host of [...OWN, ...OWN]) {
    t.equal((await face.sendRaw("DELETE", `http://${host}/kv/b/k`)).status, 204, host);
    t.equal((await face.sendRaw("DELETE", `http://${host}.evil.example/kv/b/k`)).status, 403, `${host} and more`);
  }
  const { calls } = face.store;
  for (const host of OTHERS) {
    for (const [method, path] of [["GET", "/kv/b/k"], ["DELETE", "/kv/b/k"], ["POST", "/batch"], ["GET", "/healthz"]]) {
      const refused = await face.sendRaw(method, `http://${host}${path}`);
      t.match(await problemOf(refused), { status: 403, code: "forbidden", outcome: "refused" }, `${method} ${host}`);
    }
  }
  t.equal(face.store.calls, calls, "the store was not asked");
  t.equal((await face.sendRaw("GET", `http://${"x".repeat(300)}/kv/b/k`)).status, 403);
});

t.test("a bare target goes by the Host header, and by nothing where there is none", async (t) => {
  const face = new Face({ ownHost: "127.0.0.1" });
  t.equal((await face.sendRaw("DELETE", "/kv/b/k")).status, 204);
  t.equal((await face.sendRaw("DELETE", "/kv/b/k", { Host: "evil.example" })).status, 403);
  t.equal((await face.sendRaw("DELETE", "/kv/b/k", { Host: "localhost:7070" })).status, 204);
});

t.test("a node that may be reached from elsewhere takes any name", async (t) => {
  t.equal((await new Face().sendRaw("DELETE", "http://n1.example/kv/b/k")).status, 204);
});
