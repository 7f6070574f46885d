/** POST /cluster/restore: states arrive whole or not at all, and failures are told. */

import t from "tap";
import type { RestoreAnswer } from "../../../server/http/restore.ts";
import { ANY_ROUND, packState } from "../../../server/http/restore.ts";
import { concatenate } from "../../../server/http/bytes.ts";
import { payloadOf, setOf, textOf, without } from "../../storage/sets.ts";
import { STREAM_BYTES_MIN, VALUE_BYTES_MAX_LIMIT } from "../../../core/limits.ts";
import { isLarge } from "../../../storage/large-payload.ts";
import { Face, problemOf } from "./face.ts";

const encoder = new TextEncoder();
const SETS = new Map([
  ["b/one", setOf({ counter: 1, payload: payloadOf(1, 300) })],
  ["b/two", setOf({ counter: 2, payload: payloadOf(2, 3) }, { counter: 3, payload: payloadOf(3, 9) })],
  ["b/dead", setOf({ counter: 4, payload: new Uint8Array(0) })],
  ["b/head", without(setOf({ counter: 5, payload: payloadOf(5, 70) }), 0)],
]);
const PACKED = concatenate([...SETS].map(([name, set]) => packState(encoder.encode(name), set, 3)));

const post = (face: Face, bytes: Uint8Array): Promise<Response> => {
  return face.send("POST", "/cluster/restore", { body: new Uint8Array(bytes) });
};

t.test("states are handed on as they were packed", async (t) => {
  const face = new Face();
  const response = await post(face, PACKED);
  t.equal(response.status, 200);
  t.same(await response.json(), { stored: 4, outdated: 0, failed: 0, detail: "" });
  for (const [name, set] of SETS) {
    const restored = face.restored.get(name);
    t.equal(restored === undefined ? "" : textOf(restored), textOf(set), name);
  }
  t.same(await (await post(face, new Uint8Array(0))).json(), { stored: 0, outdated: 0, failed: 0, detail: "" });
});

t.test("a state of a round that has closed is left out and counted, unless it comes without a round", async (t) => {
  const face = new Face();
  const rounds = [2, 3, ANY_ROUND, 0];
  const states = [...SETS].map(([name, set], index) => packState(encoder.encode(name), set, rounds[index] ?? 0));
  const answer = await (await post(face, concatenate(states))).json();
  t.same(answer, { stored: 2, outdated: 2, failed: 0, detail: "" });
  t.same([...face.restored.keys()], ["b/two", "b/dead"]);
});

t.test("a state that an owner does not take is counted and told", async (t) => {
  const face = new Face();
  face.isDiskFine = false;
  const answer = (await (await post(face, PACKED)).json()) as RestoreAnswer;
  t.match(answer, { stored: 0, failed: 4, detail: /its disk is full/ });
});

t.test("a body that is cut off anywhere is refused whole, or is a list of fewer states", async (t) => {
  const face = new Face();
  const ends = new Set<number>([0]);
  let end = 0;
  for (const [name, set] of SETS) ends.add(end += packState(encoder.encode(name), set, 3).length);
  for (let length = 0; length < PACKED.length; length++) {
    const response = await post(face, PACKED.slice(0, length));
    if (ends.has(length)) t.equal(response.status, 200, `${length} bytes`);
    else if ((await problemOf(response))["code"] !== "bad-parameter") t.fail(`${length} bytes`);
  }
});

t.test("a large payload goes to the owners as one that is staged, and only as its head says it", async (t) => {
  const face = new Face({ valueBytesMax: VALUE_BYTES_MAX_LIMIT });
  const small = setOf({ counter: 1, payload: payloadOf(1, STREAM_BYTES_MIN) });
  const large = setOf({ counter: 2, payload: payloadOf(2, STREAM_BYTES_MIN + 1) });
  for (const [name, set] of [["b/small", small], ["b/large", large]] as const) {
    const answer = await post(face, packState(encoder.encode(name), set, 3));
    t.same(await answer.json(), { stored: 1, outdated: 0, failed: 0, detail: "" }, name);
    const restored = face.restored.get(name);
    t.equal(restored === undefined ? "" : textOf(restored), textOf(set), name);
    t.equal(isLarge(restored?.payloads[0] ?? null), set === large, name);
  }
  const bytes = packState(encoder.encode("b/wrong"), large, 3);
  bytes[bytes.length - 1] ^= 1;
  const answer = (await (await post(face, bytes)).json()) as RestoreAnswer;
  t.match(answer, { stored: 0, failed: 1, detail: "A payload is not what its head says" });
  t.notOk(face.restored.has("b/wrong"), "nobody is given it");
});

t.test("who may not ask so is refused", async (t) => {
  const face = new Face();
  t.equal((await face.send("GET", "/cluster/restore")).status, 405);
  t.equal((await post(face, new Uint8Array(1_400_000))).status, 413);
  t.equal((await face.send("POST", "/cluster/restore?x=1", { body: "" })).status, 400);
  face.isMember = false;
  t.equal((await post(face, PACKED)).status, 503);
});
