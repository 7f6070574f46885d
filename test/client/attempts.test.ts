/** What attempts at several nodes come to together, told by nodes that say what the test wants. */

import t from "tap";
import { type Bucket, type HaloError, text } from "../../client/client.ts";
import { ClientWorld } from "./client-world.ts";
import { DONE, type Line, ScriptedNode } from "./scripted-node.ts";

interface Stage {
  readonly world: ClientWorld;
  readonly notes: Bucket<string>;
  readonly cast: readonly ScriptedNode[];
}

function stage(scripts: readonly Line[][], timeoutMs = 5_000): Stage {
  const world = new ClientWorld(0);
  const { world: time, network } = world.cluster;
  const cast = scripts.map((script, index) => {
    const node = new ScriptedNode(time, network, `s${index}`, String(index + 1));
    node.script = [...script];
    return node;
  });
  for (const node of cast) node.cast = cast;
  return { world, cast, notes: world.client({ seeds: "s0:7071", timeoutMs }).bucket("notes", { codec: text }) };
}

async function endOf({ world }: Stage, promise: Promise<unknown>): Promise<Pick<HaloError, "code" | "outcome"> | "done"> {
  return await world.until(promise.then(() => "done" as const, (error: HaloError) => error));
}

const refused = (code: string, retryAfterMs = 0): Line => ({ outcome: "refused", code, retryAfterMs });

t.test("all attempts of a write bear one request id; another write bears another one", async (tt) => {
  const { world, cast, notes } = stage([["close"], ["close"], ["silence"], [DONE]]);
  await world.until(notes.put("k", "v"));
  await world.until(notes.put("k", "v"));
  const ids = cast.map(({ puts }) => puts[0]?.id);
  tt.same(ids, [ids[0], ids[0], ids[0], ids[0]]);
  tt.match(ids[0], /^[0-9a-f]{12}7/, "a UUID of version 7");
  const all = new Set(cast.flatMap(({ puts }) => puts.map(({ id }) => id)));
  tt.equal(all.size, 2);
});

t.test("a write that went unanswered once is never said to be refused", async (tt) => {
  for (const code of ["precondition-failed", "quorum-unreachable", "bad-context", "stale-request", "disk-full"]) {
    const unanswered = stage([["close"], [refused(code)]], 300);
    tt.match(await endOf(unanswered, unanswered.notes.put("k", "v")), { code: "write-unknown", outcome: "unknown" }, code);
    const answered = stage([[refused(code)], [refused(code)]], 300);
    tt.match(await endOf(answered, answered.notes.put("k", "v")), { code, outcome: "refused" }, code);
    const silent = stage([["silence"], [refused(code)]], 2_000);
    tt.match(await endOf(silent, silent.notes.put("k", "v")), { outcome: "unknown" }, `${code} after silence`);
  }
  const done = stage([["close"], [DONE]]);
  tt.equal(await endOf(done, done.notes.put("k", "v")), "done");
});

t.test("refusals that say something of the node go on to the next one, others end the request", async (tt) => {
  const passing = ["disk-full", "memory-full", "files-full", "hints-full", "not-ready", "overloaded", "clock-skew"];
  for (const code of [...passing, "quorum-unreachable", "stale-layout", "rate-limited"]) {
    const play = stage([[refused(code)], [DONE]]);
    tt.equal(await endOf(play, play.notes.put("k", "v")), "done", code);
    const read = stage([[refused(code)], [DONE]]);
    tt.equal(await endOf(read, read.notes.get("k")), "done", code);
  }
  const final = ["bad-parameter", "bad-context", "wrong-type", "precondition-failed", "value-too-large", "too-many-siblings", "forbidden"];
  for (const code of final) {
    const play = stage([[refused(code)], [DONE]]);
    tt.match(await endOf(play, play.notes.put("k", "v")), { code, outcome: "refused" }, code);
    tt.equal(play.cast[1].puts.length, 0, "nobody else is asked");
  }
});

t.test("nodes are asked again no sooner than they say, and not at all where that is too late", async (tt) => {
  const waits = stage([[refused("rate-limited", 700), DONE]]);
  tt.equal(await endOf(waits, waits.notes.put("k", "v")), "done");
  const [first, second] = waits.cast[0].puts;
  tt.ok(second.atMs - first.atMs >= 700 && second.atMs - first.atMs < 800, `${second.atMs - first.atMs} ms`);
  const late = stage([[refused("absence-unknown", 5_000)]], 4_000);
  const beganMs = late.world.cluster.world.now / 1_000;
  tt.match(await endOf(late, late.notes.get("k")), { code: "absence-unknown", outcome: "refused" });
  tt.ok(late.world.cluster.world.now / 1_000 - beganMs < 100, "at once");
});

t.test("pauses between rounds grow, and are half random", async (tt) => {
  const play = stage([[refused("overloaded")]], 5_000);
  tt.match(await endOf(play, play.notes.put("k", "v")), { code: "overloaded" });
  const times = play.cast[0].puts.map(({ atMs }) => atMs);
  const pauses = times.slice(1).map((atMs, index) => atMs - times[index]);
  tt.ok(pauses.length >= 5 && pauses.length <= 12, `${pauses.map(Math.round)}`);
  tt.ok(pauses[0] >= 25 && pauses[0] < 55, `${pauses[0]}`);
  tt.ok(Math.max(...pauses) >= 500 && Math.max(...pauses) < 1_005);
});

t.test("a write that reads first is not asked of two nodes at once; one that does not is", async (tt) => {
  const careful = stage([["silence"], [DONE]], 3_000);
  tt.match(await endOf(careful, careful.notes.put("k", "v", { ifAbsent: true })), { outcome: "unknown" });
  tt.equal(careful.cast[1].puts.length, 0);
  const blind = stage([["silence"], [DONE]], 3_000);
  tt.match(await endOf(blind, blind.notes.delete("k")), { outcome: "unknown" });
  const plain = stage([["silence"], [DONE]], 3_000);
  tt.equal(await endOf(plain, plain.notes.put("k", "v")), "done");
});

t.test("a node that breaks what it is asked is left alone for a while, longer each time, and then tried again", async (tt) => {
  const play = stage([["close"], [DONE]]);
  const [first] = play.cast;
  const asked = async (requests: number): Promise<number> => {
    const before = first.puts.length;
    for (let count = 0; count < requests; count++) await play.world.until(play.notes.put("k", "v"));
    return first.puts.length - before;
  };
  tt.equal(await asked(10), 1);
  await play.world.pass(60);
  tt.equal(await asked(10), 1);
  await play.world.pass(60);
  tt.equal(await asked(10), 0, "twice as long");
  first.script = [DONE];
  await play.world.pass(100);
  tt.equal(await asked(10), 10, "it is back");
});

t.test("the stack of an error names who asked", async (tt) => {
  const play = stage([[refused("forbidden")]]);
  async function theApplication(): Promise<void> {
    await play.notes.put("k", "v");
  }
  const error = await play.world.until(theApplication().catch((thrown: HaloError) => thrown));
  tt.match(error?.stack, /theApplication/);
  tt.match(error, { code: "forbidden", outcome: "refused", message: "forbidden", name: "HaloError" });
});

t.test("what cannot be read closes the connection, and the next node is asked", async (tt) => {
  const play = stage([["nonsense"], [DONE]]);
  tt.equal(await endOf(play, play.notes.get("k")), "done");
  tt.equal(await endOf(play, play.notes.put("k", "v")), "done");
  await play.world.pass(5);
  tt.equal(play.world.cluster.network.openSockets("s0"), 0);
});

t.test("a node that is silent with everything is let go, and dialled anew", async (tt) => {
  const play = stage([["silence"]], 400);
  tt.match(await endOf(play, play.notes.get("k")), { code: "read-timeout", outcome: "unknown" });
  await play.world.pass(5);
  tt.equal(play.world.cluster.network.openSockets("client"), 0);
  play.cast[0].script = [DONE];
  tt.equal(await endOf(play, play.notes.get("k")), "done");
});
