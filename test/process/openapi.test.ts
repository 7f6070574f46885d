/** What a real node answers is what its OpenAPI document says: each operation by its example, and with something wrong. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { initOf, targetOf, WalkedDocument, type WalkedOperation } from "../server/http/openapi-walk.ts";
import { halo, serveNode, temporaryFolder } from "./program.ts";

t.setTimeout(120_000);

/** What one node alone cannot be asked for: nobody is there to join, to go or to be replaced. */
const REFUSED = ["stageChanges", "revertChanges", "commitChanges", "joinNode", "leaveNode", "removeNode", "replaceNode"];

t.test("a node with a secret answers every operation as its document says", async (t) => {
  const folder = temporaryFolder(t);
  const secret = join(folder, "secret");
  writeFileSync(secret, (await halo(["token", "secret"])).stdout);
  const { url } = await serveNode(t, join(folder, "data"), ["--secret-file", secret]);
  const root = (await halo(["token", "root", "--secret-file", secret])).stdout.trim();
  const document = new WalkedDocument((await (await fetch(`${url}/openapi.json`)).json()) as Record<string, unknown>);
  const ask = async (operation: WalkedOperation, more: Record<string, string> = {}, token = root): Promise<number> => {
    const { headers, ...init } = initOf(operation, { Authorization: `Bearer ${token}` });
    const { "Content-Length": _, ...others } = headers as Record<string, string>;
    const response = await fetch(url + targetOf(operation, more), { method: operation.method, headers: others, ...init });
    const label = `${operation.method} ${targetOf(operation, more)}: ${response.status}`;
    t.equal(await document.check(operation, response.clone()), "", label);
    await response.body?.cancel();
    return response.status;
  };
  await ask(document.operation("putObject"));
  for (const operation of document.operations) {
    const isRefused = REFUSED.includes(operation.id);
    // What was deleted by an operation before is not found by the next.
    const { id } = operation;
    if (["getObject", "headGetObject", "listKeys", "headListKeys", "removeToken"].includes(id) || operation.method !== "DELETE") {
      const status = await ask(operation);
      t.equal(status < 400, !isRefused, `${id}: ${status}`);
    } else await ask(operation);
    t.equal(await ask(operation, { colour: "blue" }), 400, `${id}: a parameter that is none`);
    if (operation.role !== null) t.equal(await ask(operation, {}, "halo_0"), 401, `${id}: a token that is none`);
  }
  const list = document.operation("listKeys");
  t.equal(await ask(list, { cursor: "none%20of%20ours" }), 400, "a cursor is one of a listing's");
  t.equal(await ask(document.operation("getObject"), { r: "4" }), 400, "no more replicas than there are");
});
