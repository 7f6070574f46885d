/** POST /cluster/restore: states arrive whole or not at all, and failures are told. */

import t from "tap";
import type { RestoreAnswer } from "../../../server/http/restore.ts";
import { ANY_ROUND } from "../../../server/http/restore.ts";
import { packState } from "../../../server/http/state-list.ts";
import { concatenate } from "../../../server/http/bytes.ts";
import { payloadOf, setOf, textOf, without } from "../../storage/sets.ts";
import { STREAM_BYTES_MIN, VALUE_BYTES_MAX_LIMIT } from "../../../core/limits.ts";
import type { VersionSet } from "../../../storage/engine.ts";
import { isLarge } from "../../../storage/large-payload.ts";
import { MemoryStage } from "../../../storage/memory/memory-payload.ts";
import { Face, problemOf } from "./face.ts";

const encoder = new TextEncoder();
const SETS = new Map([
  ["b/one", setOf({ counter: 1, payload: payloadOf(1, 300) })],
  ["b/two", setOf({ counter: 2, payload: payloadOf(2, 3) }, { counter: 3, payload: payloadOf(3, 9) })],
  ["b/dead", setOf({ counter: 4, payload: new Uint8Array(0) })],
  ["b/head", without(setOf({ counter: 5, payload: payloadOf(5, 70) }), 0)],
]);

/** A state whose payloads are all in memory, packed in one array. */
function packed(name: string, set: VersionSet, round: number): Uint8Array {
  const pieces = packState(encoder.encode(name), set, round);
  return concatenate(pieces.filter((piece) => piece instanceof Uint8Array));
}

const PACKED = concatenate([...SETS].map(([name, set]) => packed(name, set, 3)));

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
  const states = [...SETS].map(([name, set], index) => packed(name, set, rounds[index] ?? 0));
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
  for (const [name, set] of SETS) ends.add(end += packed(name, set, 3).length);
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
    const answer = await post(face, packed(name, set, 3));
    t.same(await answer.json(), { stored: 1, outdated: 0, failed: 0, detail: "" }, name);
    const restored = face.restored.get(name);
    t.equal(restored === undefined ? "" : textOf(restored), textOf(set), name);
    t.equal(isLarge(restored?.payloads[0] ?? null), set === large, name);
  }
  const bytes = packed("b/wrong", large, 3);
  bytes[bytes.length - 1] ^= 1;
  const answer = (await (await post(face, bytes)).json()) as RestoreAnswer;
  t.match(answer, { stored: 0, failed: 1, detail: "A payload is not what its head says" });
  t.notOk(face.restored.has("b/wrong"), "nobody is given it");
});

t.test("a large payload is never whole in memory, and its stages go whatever comes of the list", async (t) => {
  const face = new Face({ valueBytesMax: VALUE_BYTES_MAX_LIMIT });
  const large = packed("b/large", setOf({ counter: 2, payload: payloadOf(2, 4_000_000) }), 3);
  let open = 0;
  let most = 0;
  face.store.stage = () => {
    const stage = new MemoryStage(256 << 10);
    const append = stage.append.bind(stage);
    open++;
    stage.append = (bytes, start, end) => {
      most = Math.max(most, end - start);
      return append(bytes, start, end);
    };
    stage.drop = () => void open--;
    return stage;
  };
  const sent = (bytes: Uint8Array): Promise<Response> => {
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at += 50_000));
      },
    });
    return face.send("POST", "/cluster/restore", { body, duplex: "half" } as RequestInit);
  };
  const answer = await sent(concatenate([PACKED, large, PACKED, large]));
  t.same(await answer.json(), { stored: 10, outdated: 0, failed: 0, detail: "" });
  t.ok(most <= 50_000, `${most} bytes at a time`);
  t.equal((await sent(concatenate([large, large.slice(0, 3_000_000)]))).status, 400);
  t.equal((await sent(concatenate([large, Uint8Array.of(1)]))).status, 400);
  t.equal(open, 0, "every stage was dropped");
});

t.test("what a list holds in memory has a bound, whatever the size of values", async (t) => {
  const face = new Face({ valueBytesMax: VALUE_BYTES_MAX_LIMIT });
  const one = packed("b/small", setOf({ counter: 1, payload: payloadOf(1, 400_000) }), 3);
  t.equal((await post(face, concatenate([one, one, one]))).status, 200);
  const refused = await post(face, concatenate([one, one, one, one]));
  t.match(await problemOf(refused), { status: 413, code: "value-too-large", outcome: "refused" });
  const names = concatenate(Array.from({ length: 40_000 }, () => packed("b/n", setOf({ counter: 4, payload: new Uint8Array(0) }), 3)));
  t.equal((await post(face, names)).status, 413);
});

t.test("who may not ask so is refused", async (t) => {
  const face = new Face();
  t.equal((await face.send("GET", "/cluster/restore")).status, 405);
  t.equal((await post(face, new Uint8Array(1_400_000))).status, 413);
  t.equal((await face.send("POST", "/cluster/restore?x=1", { body: "" })).status, 400);
  face.isMember = false;
  t.equal((await post(face, PACKED)).status, 503);
});
