import t from "tap";
import { advertisedHttp } from "../../../server/cli/settings.ts";

t.test("clients are sent to an address that one machine has", (tt) => {
  const node = { tcp: "127.0.0.1:7071", advertise: "" };
  const elsewhere = { tcp: "0.0.0.0:7071", advertise: "10.0.0.1:7071" };
  tt.equal(advertisedHttp({ advertiseHttp: "", node }, "127.0.0.1:7070"), "127.0.0.1:7070", "as bound");
  for (const all of ["0.0.0.0", "[::]", "[0:0:0:0:0:0:0:0]"]) {
    tt.equal(advertisedHttp({ advertiseHttp: "", node: elsewhere }, `${all}:7070`), "10.0.0.1:7070", `not to ${all}`);
  }
  tt.equal(advertisedHttp({ advertiseHttp: "", node }, "0.0.0.0:7070"), "127.0.0.1:7070", "where other nodes are");
  const given = { advertiseHttp: "kv.example:80", node: elsewhere };
  tt.equal(advertisedHttp(given, "0.0.0.0:7070"), "kv.example:80", "what was given");
  tt.end();
});
