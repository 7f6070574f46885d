/** What the library of an application is told over the binary protocol: layout, listings, answers with nothing but what it is shown. */

import t from "tap";
import { KIND_GET, KIND_MESSAGE, KIND_PUT } from "../../../core/frame.ts";
import { encodeMeta } from "../../../core/payload.ts";
import { partitionOfName } from "../../../core/ring.ts";
import {
  decodeResult,
  getLength,
  PUT_DELETE,
  putLength,
  QUORUM_DEFAULT,
  RESULT_CODES,
  type ResultBody,
  writeGet,
  writePut,
} from "../../../core/request-frames.ts";
import { hashOfToken, type TokenRole } from "../../../server/membership/tokens.ts";
import { rootToken } from "../../../server/membership/authorization.ts";
import { decodeMessage, encodeMessage } from "../../../server/wire/messages.ts";
import { SimulatedClock } from "../../simulation/clock.ts";
import { nameOf, SmallCluster, type SmallNode, STREAM_BYTES_MIN } from "../replication/small-cluster.ts";
import { frameOf, helloOf, type RawFrame, RawLink } from "../wire/wire-world.ts";

const NAME = nameOf("cart/user-17");
const OTHER = nameOf("stock/user-17");
const SECRET = new TextEncoder().encode("correct horse battery staple");
const STATUS_REFUSED = 0xff03;
const encoder = new TextEncoder();

/** A client's connection that asks one thing at a time. */
class Asking {
  readonly #cluster: SmallCluster;
  readonly #link = new RawLink();
  #correlation = 0;

  constructor(cluster: SmallCluster, node: SmallNode, token = "") {
    this.#cluster = cluster;
    const clock = new SimulatedClock(cluster.world, "raw");
    this.#link.attach(cluster.network.port("raw", clock).connect(`${node.name}:7071`, this.#link));
    cluster.run(5);
    this.#link.send(helloOf({ cluster: null, ...(token === "" ? {} : { token }) }));
    cluster.run(5);
    this.#link.frames.length = 0;
  }

  ask(kind: number, body: Uint8Array): RawFrame {
    this.#link.frames.length = 0;
    this.#link.send(frameOf(kind, ++this.#correlation, body));
    this.#cluster.until("an answer", () => this.#link.frames.length > 0);
    return this.#link.frames[0];
  }

  message(type: string, body: unknown): { status: number; value: unknown } {
    const { status, body: bytes } = this.ask(KIND_MESSAGE, encodeMessage([type, body]));
    return { status, value: decodeMessage(bytes, 0, bytes.length) };
  }

  get(name = NAME): ResultBody {
    const get = { name: name.bytes, r: QUORUM_DEFAULT, pr: QUORUM_DEFAULT, timeoutMs: 1000, flags: 0 };
    const bytes = new Uint8Array(getLength(get));
    writeGet(get, bytes, 0);
    return resultOf(this.ask(KIND_GET, bytes));
  }

  put(name = NAME, flags = 0): ResultBody {
    const nothing = new Uint8Array(0);
    const put = {
      ...{ name: name.bytes, context: nothing, etags: nothing, body: nothing, requestId: new Uint8Array(16) },
      meta: encodeMeta({ contentType: "text/plain", meta: [] }),
      ...{ timeoutMs: 1000, ttlSeconds: 0, w: QUORUM_DEFAULT, dw: QUORUM_DEFAULT, pw: QUORUM_DEFAULT, flags },
    };
    const bytes = new Uint8Array(putLength(put));
    writePut(put, bytes, 0);
    return resultOf(this.ask(KIND_PUT, bytes));
  }

  list(bucket = "cart"): unknown {
    return this.message("list", listBody(bucket)).value;
  }
}

function listBody(bucket: string): unknown[] {
  return [encoder.encode(bucket), encoder.encode(""), "", 100, QUORUM_DEFAULT, 1000];
}

function resultOf({ status, body }: RawFrame): ResultBody {
  const result = status === 0 ? decodeResult(body, 0, body.length) : null;
  if (result === null) throw new Error(`status ${status}`);
  return result;
}

function codeOf({ code }: ResultBody): string {
  return RESULT_CODES[code];
}

t.test("a client is told the layout that reads use, and without owners where it has it", (tt) => {
  const cluster = new SmallCluster(4);
  const [node] = cluster.nodes;
  const asking = new Asking(cluster, node);
  const { value } = asking.message("layout", [0]);
  const [number, bits, width, places, owners] = value as [number, number, number, string[][], Uint8Array];
  const { current } = node.membership.layouts;
  tt.same([number, bits, width], [current.number, current.partitionBits, 3]);
  tt.same(places.map(([id]) => id), current.nodes.map(({ id }) => id));
  tt.same(places.map(([, name, address]) => address === `${name}:7071`), [true, true, true, true]);
  const row = 2 * 3 * partitionOfName(NAME.bytes, 0, NAME.bytes.length, bits);
  const first = places[owners[row]][1];
  tt.equal(first, cluster.preference(NAME)[0].name, "the first owner of a name, by what the client knows");
  const again = asking.message("layout", [number]).value as unknown[];
  tt.same(again.slice(0, 4), [number, bits, width, places]);
  tt.equal(again[4], null);
  const bucket = encoder.encode("single");
  node.membership.buckets.set(bucket, { policy: "siblings", n: 1 }, 3);
  node.membership.buckets.set(encoder.encode("triple"), { policy: "lww", n: 3 }, 3);
  tt.same((asking.message("layout", [number]).value as unknown[])[5], [[bucket, 1]], "buckets with fewer copies");
  tt.equal(asking.message("layout", "x").status, STATUS_REFUSED);
  tt.end();
});

t.test("answers carry the number of the layout that their node reads by", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.nodes;
  const asking = new Asking(cluster, node);
  const get = { name: NAME.bytes, r: 1, pr: 0, timeoutMs: 1000, flags: 0 };
  const bytes = new Uint8Array(getLength(get));
  writeGet(get, bytes, 0);
  const before = asking.ask(KIND_GET, bytes).layout;
  tt.equal(before, node.membership.layouts.reading.number);
  cluster.add();
  cluster.until("the newcomer owns its part", () => cluster.isSettled);
  tt.ok(asking.ask(KIND_GET, bytes).layout > before, "a newer one once it is read by");
  tt.end();
});

t.test("what has expired, twins and tombstones are not in a client's answer; its clock decides nothing", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.preference(NAME);
  const asking = new Asking(cluster, node);
  node.put(NAME, "gone soon", { ttlSeconds: 1 });
  node.put(NAME, "stays");
  tt.equal(asking.get().set?.payloads.length, 2);
  cluster.run(1_500);
  const left = asking.get();
  tt.equal(left.set?.payloads.length, 1);
  const shown = new TextDecoder().decode(left.set?.payloads[0] ?? new Uint8Array(0));
  tt.match(shown, /stays$/);
  node.put(NAME, "deleted", { isDelete: true });
  const gone = asking.get();
  tt.equal(gone.set, null);
  tt.equal(codeOf(gone), "not-found");
  tt.not(gone.context, "", "and yet it says what a put would go on from");
  tt.end();
});

t.test("a value that is streamed is refused to a client in a sentence, not left out", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.preference(NAME);
  node.put(NAME, "x".repeat(STREAM_BYTES_MIN + 1));
  const answer = new Asking(cluster, node).get();
  tt.equal(codeOf(answer), "value-too-large");
  tt.equal(answer.outcome, 1);
  tt.match(answer.detail, /over HTTP/);
  tt.end();
});

t.test("a refusal says when another try has a chance", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second, third] = cluster.preference(NAME);
  cluster.lose(second);
  cluster.lose(third);
  const asking = new Asking(cluster, first);
  const answer = asking.get();
  tt.equal(codeOf(answer), "quorum-unreachable");
  tt.equal(answer.retryAfterMs, 1_000);
  tt.equal((asking.list() as unknown[])[3], 1_000, "of a listing, too");
  tt.end();
});

t.test("keys in pages, as over HTTP", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.nodes;
  const wanted = Array.from({ length: 40 }, (_, index) => `k${index}`);
  for (const key of wanted) node.put(nameOf(`cart/${key}`), "v");
  const asking = new Asking(cluster, node);
  const found: string[] = [];
  let cursor = "";
  do {
    const body = [encoder.encode("cart"), encoder.encode("k"), cursor, 7, QUORUM_DEFAULT, 1000];
    const [outcome, , , , keys, next] = asking.message("list", body).value as [string, string, string, number, Uint8Array[], string];
    tt.equal(outcome, "done");
    tt.ok(keys.length <= 7);
    found.push(...keys.map((key) => new TextDecoder().decode(key)));
    cursor = next;
  } while (cursor !== "");
  tt.same(found.sort(), wanted.sort());
  tt.match(asking.message("list", [encoder.encode("cart"), encoder.encode("k"), "nonsense", 7, QUORUM_DEFAULT, 1000]).value, {
    0: "refused",
    1: "bad-parameter",
  });
  const wrong: unknown[] = [null, [], ["cart", "", "", 7, 255, 1000], listBody("a/b"), listBody(""), listBody("x".repeat(256))];
  for (const [place, value] of [[3, "7"], [4, 256], [5, 0], [5, 60_001]] as const) {
    const body = listBody("cart");
    body[place] = value;
    wrong.push(body);
  }
  for (const body of wrong) tt.equal(asking.message("list", body).status, STATUS_REFUSED, JSON.stringify(body));
  tt.end();
});

t.test("a page of long keys fits a frame", (tt) => {
  const cluster = new SmallCluster(1, { setBytesMax: (1 << 20) - 8_192 });
  const [node] = cluster.nodes;
  const long = "x".repeat(4_000);
  for (let index = 0; index < 300; index++) node.put(nameOf(`cart/${long}${index}`), "v", { w: 1 });
  const asking = new Asking(cluster, node);
  const body = [encoder.encode("cart"), encoder.encode(""), "", 10_000, QUORUM_DEFAULT, 10_000];
  const [outcome, , , , keys, cursor] = asking.message("list", body).value as [string, string, string, number, Uint8Array[], string];
  tt.equal(outcome, "done");
  tt.ok(keys.length < 300 && cursor !== "", `${keys.length} keys, and more to come`);
  tt.end();
});

t.test("with a secret each request of a client needs a token that allows it, and nothing is touched before", (tt) => {
  const cluster = new SmallCluster(3, { secret: SECRET });
  const [node] = cluster.nodes;
  const { tokens } = node.membership;
  const give = (name: string, role: TokenRole, expiresMs = 0, requestsPerSecond = 0): string => {
    tokens.give(name, { hash: hashOfToken(name), role, buckets: ["cart"], expiresMs, requestsPerSecond });
    return name;
  };
  const reader = new Asking(cluster, node, give("reader", "read"));
  for (const name of ["cart", "stock"]) node.membership.buckets.set(encoder.encode(name), { policy: "siblings", n: 2 }, 3);
  const told = (reader.message("layout", [0]).value as unknown[])[5];
  tt.same(told, [[encoder.encode("cart"), 2]], "of its own buckets");
  const writer = new Asking(cluster, node, give("writer", "write"));
  const root = new Asking(cluster, node, rootToken(SECRET));
  const numbers = (asking: Asking): string[] => [
    codeOf(asking.get(NAME)),
    codeOf(asking.put(NAME)),
    codeOf(asking.put(NAME, PUT_DELETE)),
    (asking.list("cart") as string[])[1],
    codeOf(asking.get(OTHER)),
    codeOf(asking.put(OTHER)),
    (asking.list("stock") as string[])[1],
    String(asking.message("layout", [0]).status),
  ];
  const no = "forbidden";
  tt.same(numbers(reader), ["not-found", no, no, "", no, no, no, "0"]);
  tt.equal(node.held(NAME), null, "nothing was written");
  tt.same(numbers(writer), ["not-found", "", "", "", no, no, no, "0"]);
  tt.equal(node.held(OTHER), null, "nothing was written");
  tt.same(numbers(root), ["not-found", "", "", "", "not-found", "", "", "0"]);

  const brief = new Asking(cluster, node, give("brief", "write", node.clock.nowMs() + 500));
  tt.equal(codeOf(brief.put(NAME)), "");
  cluster.run(1_000);
  tt.same(numbers(brief), [no, no, no, no, no, no, no, String(STATUS_REFUSED)], "it has expired");
  tokens.takeBack("writer");
  tt.same(numbers(writer), [no, no, no, no, no, no, no, String(STATUS_REFUSED)], "it was taken back");

  const slow = new Asking(cluster, node, give("slow", "write", 0, 1));
  tt.equal(codeOf(slow.put(NAME)), "");
  const refused = slow.get(NAME);
  tt.equal(codeOf(refused), "rate-limited");
  tt.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 1_000, `${refused.retryAfterMs} ms`);
  const page = slow.list() as [string, string, string, number];
  tt.equal(page[1], "rate-limited");
  tt.ok(page[3] > 0 && page[3] <= 1_000);
  tt.end();
});
