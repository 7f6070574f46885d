/**
 * Large values at the HTTP face of a simulated cluster, whose disks can be harmed while an answer is on its
 * way: it goes on from another replica at the same byte, or breaks off, and is never complete and wrong.
 * And a client that sends nothing more.
 */

import { decode } from "cbor-x";
import t from "tap";
import {
  STALL_MS_MAX,
  STREAM_BYTES_MIN,
  VALUE_BYTES_MAX_LIMIT,
} from "../../../core/limits.ts";
import type { Clock } from "../../../server/ports/clock.ts";
import { Face, problemOf } from "./face.ts";
import { SimulatedFace } from "./simulated-face.ts";

/** Through which it is read, and whose disk is harmed. */
const HERE = 2;
/** More than two slices; the third one is harmed. */
const VALUE = Array.from({ length: 110_000 }, (_, index) => `${index}.`).join("");
const HARM_AT = 540_000;

/** A cluster that holds values, with the HTTP face of one node. */
class Cluster extends SimulatedFace {
  constructor(...values: string[]) {
    super(HERE);
    for (const value of values) this.stage.put(HERE, "sib/large", value);
    this.stage.settle();
    this.stage.run(1_000);
  }

  /** Turns a bit over in the middle of the value, on the disk of one machine. */
  harm(machine: number): void {
    const sought = VALUE.slice(HARM_AT, HARM_AT + 64);
    const disk = this.stage.cluster.disk(machine);
    for (const path of disk.files().filter((one) => one.startsWith("objects/"))) {
      const at = Buffer.from(disk.contents(path)).indexOf(sought);
      if (at >= 0) return disk.flip(path, at * 8);
    }
    throw new Error(`machine ${machine} does not hold it in one piece`);
  }

  get(accept = "*/*"): Promise<Response> {
    return this.send("GET", "/kv/sib/large?r=1", { headers: { Accept: accept } });
  }

  get damagedReads(): number {
    return this.stage.cluster.node(HERE)?.statistics()["damagedReads"] ?? 0;
  }
}

/** Reads an answer slice by slice, with something happening after the first. */
async function readSlices(
  cluster: Cluster,
  response: Response,
  afterFirst: () => void,
): Promise<{ text: string; error: string }> {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("There is no body");
  const slices: Uint8Array[] = [];
  let error = "";
  for (;;) {
    try {
      const { done, value } = await cluster.finish(reader.read());
      if (done) break;
      slices.push(value);
      if (slices.length === 1) afterFirst();
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
      break;
    }
  }
  return { text: Buffer.concat(slices).toString("latin1"), error };
}

t.test("damage met in mid-answer: it goes on from another replica, at the same byte", async (t) => {
  const cluster = new Cluster(VALUE);
  const response = await cluster.get();
  t.equal(response.status, 200);
  const { text, error } = await readSlices(cluster, response, () => cluster.harm(HERE));
  t.equal(error, "");
  t.ok(text === VALUE, `${text.length} bytes, all as they were put`);
  t.ok(cluster.damagedReads > 0, "and the damage was met");
  const again = await readSlices(cluster, await cluster.get(), () => {});
  t.ok(again.text === VALUE, "the copy here is whole again");
});

t.test("so it does in the middle of base64", async (t) => {
  const cluster = new Cluster(VALUE, "small");
  const response = await cluster.get("application/json");
  t.equal(response.status, 300);
  const { text, error } = await readSlices(cluster, response, () => cluster.harm(HERE));
  t.equal(error, "");
  const { siblings } = JSON.parse(text) as { siblings: { value: string }[] };
  const values = siblings.map(({ value }) => Buffer.from(value, "base64").toString("latin1"));
  t.ok(values.includes(VALUE) && values.includes("small"), "both values are as they were put");
  t.ok(cluster.damagedReads > 0, "and the damage was met");
});

t.test("damage that is everywhere breaks the answer off before a wrong byte", async (t) => {
  const cluster = new Cluster(VALUE);
  const response = await cluster.get();
  const { text, error } = await readSlices(cluster, response, () => {
    for (const machine of [0, 1, HERE]) cluster.harm(machine);
  });
  t.not(error, "", "it is no complete answer");
  t.ok(text.length < VALUE.length && VALUE.startsWith(text), `${text.length} bytes, none of them wrong`);
  const { status } = await cluster.get();
  t.ok(status >= 500, `from then on there is no answer at all: ${status}`);
});

t.test("CBOR carries large siblings as the small ones", async (t) => {
  const values = [VALUE, "small", "x".repeat(70_000)];
  const cluster = new Cluster(...values);
  const response = await cluster.get("application/cbor");
  t.equal(response.status, 300);
  t.equal(response.headers.get("content-type"), "application/cbor");
  const shown = decode(new Uint8Array(await cluster.finish(response.arrayBuffer()))) as {
    context: string;
    siblings: { value: Uint8Array; contentType: string; time: string; meta: object }[];
  };
  t.equal(shown.context, response.headers.get("halo-context"));
  t.ok(shown.siblings.every(({ value }) => value instanceof Uint8Array), "values are byte strings");
  const texts = shown.siblings.map(({ value }) => Buffer.from(value).toString("latin1"));
  t.ok(values.every((value) => texts.includes(value)) && texts.length === 3, "all three, byte for byte");
  for (const { contentType, time, meta } of shown.siblings) {
    t.equal(contentType, "text/plain");
    t.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
    t.same(meta, {});
  }
});

/** Time that a test lets pass; what is due then is called. */
class HandClock implements Clock {
  #nowMs = 0;
  #timers: { dueMs: number; callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  elapsedMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) };
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  pass(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      const [next] = this.#timers.sort((one, other) => one.dueMs - other.dueMs);
      if (next === undefined || next.dueMs > endMs) break;
      this.#timers.shift();
      this.#nowMs = next.dueMs;
      next.callback();
    }
    this.#nowMs = endMs;
  }
}

/** A put of unknown length whose client sends what a test tells it to. */
class SlowPut {
  readonly clock = new HandClock();
  readonly face = new Face({ clock: this.clock, valueBytesMax: VALUE_BYTES_MAX_LIMIT });
  readonly answer: Promise<Response>;
  isAnswered = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  constructor() {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
    });
    const init = { body, duplex: "half" } as RequestInit;
    this.answer = this.face.send("PUT", "/kv/b/k", init).finally(() => {
      this.isAnswered = true;
    });
  }

  async send(length: number): Promise<void> {
    this.#controller?.enqueue(new Uint8Array(length));
    await settled();
  }

  async pass(durationMs: number): Promise<void> {
    this.clock.pass(durationMs);
    await settled();
  }

  end(): void {
    this.#controller?.close();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

t.test("a large value may take its time as long as something comes", async (t) => {
  const put = new SlowPut();
  await put.send(STREAM_BYTES_MIN + 1);
  for (let round = 0; round < 4; round++) {
    await put.pass(STALL_MS_MAX - 1);
    t.notOk(put.isAnswered, `after ${round + 1} breaks just within the limit`);
    await put.send(1);
  }
  put.end();
  t.equal((await put.answer).status, 204);
});

t.test("a large value of which nothing comes any more is 408, and nothing is written", async (t) => {
  const put = new SlowPut();
  await put.send(STREAM_BYTES_MIN + 1);
  await put.pass(STALL_MS_MAX - 1);
  t.notOk(put.isAnswered, "within the limit it may go on");
  await put.pass(1);
  t.ok(put.isAnswered, "then it is over");
  t.match(await problemOf(await put.answer), { status: 408, code: "slow-request", outcome: "refused" });
  t.equal(put.face.store.puts, 0, "nothing is written");
});
