/**
 * The bounds of large payloads between nodes: how many wait at a node, how many go to one at a time, and
 * what becomes of those beyond.
 */

import t from "tap";
import { crc32c } from "../../../core/crc32c.ts";
import { LANES_MAX, STAGED_MAX, STAGED_MS_MAX } from "../../../core/limits.ts";
import { STATUS_DONE, STATUS_MALFORMED, STATUS_NOT_READY } from "../../../core/replica-frames.ts";
import { BodyPushes } from "../../../server/replication/body-push.ts";
import { type BodyId, StagedBodies } from "../../../server/replication/staged-bodies.ts";
import { openMemoryEngine } from "../../../storage/memory/memory-engine.ts";
import { wholeBytes } from "../../../storage/large-payload.ts";
import { MemoryStage } from "../../../storage/memory/memory-payload.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { OPTIONS } from "../../storage/engine-beds.ts";
import { payloadOf } from "../../storage/sets.ts";
import { nameOf, SLICE_BYTES, SmallCluster } from "./small-cluster.ts";

const BYTES = payloadOf(1, 10);
const SIZE = { length: BYTES.length, checksum: crc32c(BYTES, 0, BYTES.length) };

class Staging {
  readonly world = new World();
  readonly bodies = new StagedBodies(new SimulatedClock(this.world, "n0"));
  readonly #engine = openMemoryEngine({ ...OPTIONS, streamBytesMin: 8, sliceBytes: 4 });

  id(index: number): BodyId {
    return { engine: this.#engine, name: nameOf(`b/${index}`), about: new Uint8Array(16) };
  }

  /** Hands over BYTES[from, to) of one. */
  take(index: number, from: number, to: number, size = SIZE): { status: number; next: number } {
    return this.bodies.take(this.id(index), size, from, BYTES, from, to);
  }
}

t.test("as many payloads as may are staged, the next one is told to wait", (tt) => {
  const staging = new Staging();
  for (let index = 0; index < STAGED_MAX; index++) {
    const { status } = staging.take(index, 0, index % 2 === 0 ? 4 : 10);
    if (status !== STATUS_DONE) tt.fail(`${index} is refused`);
  }
  tt.same(staging.take(STAGED_MAX, 0, 4), { status: STATUS_NOT_READY, next: 0 }, "one more");
  tt.equal(staging.bodies.count, STAGED_MAX, "is not begun");
  tt.same(staging.take(0, 4, 10), { status: STATUS_DONE, next: 10 }, "those that are here go on");
  staging.bodies.drop(staging.id(0));
  tt.same(staging.take(STAGED_MAX, 0, 4), { status: STATUS_DONE, next: 4 }, "and where one has gone");
  staging.bodies.stop();
  tt.end();
});

t.test("what nobody goes on with is given up, and nothing else", (tt) => {
  const staging = new Staging();
  for (const index of [0, 1]) staging.take(index, 0, 4);
  staging.world.run(STAGED_MS_MAX - 1);
  staging.take(1, 4, 8);
  tt.equal(staging.bodies.progress(staging.id(0)), 4, "within its time it stays");
  staging.world.run(10_000);
  tt.equal(staging.bodies.progress(staging.id(0)), 0, "then it is gone");
  tt.equal(staging.bodies.progress(staging.id(1)), 8, "the other one goes on");
  staging.bodies.stop();
  tt.end();
});

t.test("slices twice, too early, too long, or wrong: never a wrong payload", (tt) => {
  const one = new Staging();
  tt.same(one.take(0, 0, 4), { status: STATUS_DONE, next: 4 }, "the first");
  tt.same(one.take(0, 0, 4), { status: STATUS_DONE, next: 4 }, "the same once more");
  tt.same(one.take(0, 8, 10), { status: STATUS_DONE, next: 4 }, "one before its turn");
  const other = { length: 9, checksum: SIZE.checksum };
  tt.equal(one.take(0, 4, 8, other).status, STATUS_MALFORMED, "of another payload");
  tt.same(one.take(0, 4, 10), { status: STATUS_DONE, next: 10 }, "the rest");
  const found = one.bodies.find(one.id(0), SIZE);
  tt.same(found === null ? null : wholeBytes(found), BYTES, "is whole");
  tt.equal(one.bodies.find(one.id(0), other), null, "and is no other one's");
  const wrong = { length: SIZE.length, checksum: SIZE.checksum ^ 1 };
  tt.equal(one.take(1, 0, 10, wrong).status, STATUS_MALFORMED, "bytes that are not those announced");
  tt.equal(one.bodies.find(one.id(1), null), null, "are nowhere");
  tt.end();
});

/** Pushes payloads of four slices each from one node to another; what became of them. */
function pushMany(cluster: SmallCluster, count: number): string[] {
  const [from, to] = cluster.nodes;
  const pushes = new BodyPushes(SLICE_BYTES);
  const ends: string[] = [];
  for (let index = 0; index < count; index++) {
    const bytes = payloadOf(index, 4 * SLICE_BYTES);
    const stage = new MemoryStage(SLICE_BYTES);
    stage.append(bytes, 0, bytes.length);
    pushes.push({
      member: to.seenBy(from),
      name: nameOf(`b/${index}`).bytes,
      about: new Uint8Array(16),
      payload: stage.finish().payload,
      hintFor: null,
      layout: from.membership.layouts.current.number,
      timeoutMs: 1_000,
      moved: () => {},
      done: (status, failure) => void ends.push(failure === "" ? String(status) : failure),
    });
  }
  return ends;
}

t.test("eight payloads go to one node at a time, the others when a lane is free", (tt) => {
  const cluster = new SmallCluster(2);
  const { bodies } = cluster.nodes[1].replication;
  const count = 2 * LANES_MAX + 1;
  const ends = pushMany(cluster, count);
  let most = 0;
  cluster.until("all have come", () => {
    most = Math.max(most, bodies.count - ends.length);
    return ends.length === count;
  });
  tt.equal(most, LANES_MAX, "begun and not ended");
  tt.same(new Set(ends), new Set([String(STATUS_DONE)]), "all are there");
  tt.equal(bodies.count, count, "and wait for their sets");
  tt.end();
});

t.test("a node that falls silent ends those in the lanes and those that wait", (tt) => {
  const cluster = new SmallCluster(2);
  const { bodies } = cluster.nodes[1].replication;
  const ends = pushMany(cluster, LANES_MAX + 3);
  cluster.until("they are under way", () => bodies.count > 0);
  cluster.isolate(cluster.nodes[1]);
  // The time of one slice, not of one for each that waits.
  cluster.until("all have ended", () => ends.length === LANES_MAX + 3, 1_500);
  tt.ok(ends.every((end) => end !== String(STATUS_DONE)), `${new Set(ends).size} reasons`);
  tt.ok(bodies.count <= LANES_MAX, "no further one was begun");
  tt.end();
});
