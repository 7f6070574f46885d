/** The room's door: who may ask for what, and what it makes of any bytes. */

import t from "tap";
import {
  KIND_FETCH,
  KIND_GET,
  KIND_MESSAGE,
  KIND_PUT,
  KIND_REPLICATE,
  REPLY_BIT,
} from "../../../core/frame.ts";
import {
  fetchLength,
  PURPOSE_REPAIR,
  PURPOSE_WRITE,
  REPLICATE_DURABLE,
  REPLICATE_HINTED,
  replicateLength,
  STATUS_DONE,
  STATUS_MALFORMED,
  WANT_SET,
  writeFetch,
  writeReplicate,
} from "../../../core/replica-frames.ts";
import { getLength, putLength, writeGet, writePut } from "../../../core/request-frames.ts";
import { encodeMessage } from "../../../server/wire/messages.ts";
import type { VersionSet } from "../../../storage/engine.ts";
import { NO_REQUESTS } from "../../../server/replication/request-list.ts";
import { onWire } from "../../../server/replication/wire-set.ts";
import { randomSet } from "../../core/wire-sets.ts";
import { SeededRandom, seedFrom } from "../../random.ts";
import { SimulatedClock } from "../../simulation/clock.ts";
import { concat, frameOf, helloOf, RawLink } from "../wire/wire-world.ts";
import { setOfOne } from "./one-version.ts";
import { nameOf, SmallCluster, type SmallNode } from "./small-cluster.ts";

const NAME = nameOf("cart/user-17");
const SET = setOfOne({ actor: "a", counter: 1, body: "alpha" });

/**
 * A connection to a node that speaks any bytes, as `role`; a peer pretends to be another member.
 */
function dial(cluster: SmallCluster, node: SmallNode, role: "peer" | "client"): RawLink {
  const other = cluster.nodes.find((one) => one !== node);
  const link = new RawLink();
  const clock = new SimulatedClock(cluster.world, "raw");
  link.attach(cluster.network.port("raw", clock).connect(`${node.name}:7071`, link));
  cluster.run(5);
  const id = role === "peer" ? (other?.member.id ?? null) : null;
  link.send(helloOf({ cluster: node.membership.clusterId, node: id, name: "raw", role }));
  cluster.run(5);
  return link;
}

function replicateBytes(
  set: VersionSet,
  name = NAME.bytes,
  flags = REPLICATE_DURABLE,
  purpose = PURPOSE_WRITE,
  target: Uint8Array = new Uint8Array(8),
): Uint8Array {
  const bytes = new Uint8Array(replicateLength(name, NO_REQUESTS, onWire(set)));
  const requests = NO_REQUESTS;
  writeReplicate({ purpose, flags, round: 0, target, name, requests, set: onWire(set) }, bytes, 0);
  return bytes;
}

function fetchBytes(name = NAME.bytes, want = WANT_SET, flags = 0): Uint8Array {
  const bytes = new Uint8Array(fetchLength(name));
  writeFetch({ want, flags, checksum: 0, about: new Uint8Array(14), name }, bytes, 0);
  return bytes;
}

/** Messages by which members compare what they hold. */
const COMPARING = ["compare-roots", "compare-nodes", "compare-range", "fetch-entry"];

/** The frame with a layout number that is not retired. */
function framed(
  cluster: SmallCluster,
  kind: number,
  correlation: number,
  body: Uint8Array,
): Uint8Array {
  const frame = frameOf(kind, correlation, body);
  frame[12] = cluster.nodes[0].membership.layouts.current.number;
  return frame;
}

t.test("members replicate, fetch and compare; a client may do none of it", (tt) => {
  const cluster = new SmallCluster(2);
  const [node] = cluster.nodes;
  const asked = (role: "peer" | "client"): number[] => {
    const link = dial(cluster, node, role);
    link.frames.length = 0;
    link.send(framed(cluster, KIND_REPLICATE, 1, replicateBytes(SET)));
    link.send(framed(cluster, KIND_FETCH, 2, fetchBytes()));
    COMPARING.forEach((type, index) => {
      const question = new Uint8Array(4);
      const body = [[[0], [0, 0]], [0, question], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]][index];
      link.send(frameOf(KIND_MESSAGE, 3 + index, encodeMessage([type, body])));
    });
    cluster.run(20);
    return link.frames.map(({ status }) => status);
  };
  const refused = 0xff03;
  tt.same(
    asked("client"),
    [STATUS_MALFORMED, STATUS_MALFORMED, refused, refused, refused, refused],
    "a client",
  );
  tt.equal(node.held(NAME), null, "nothing was written");
  tt.same(asked("peer"), [STATUS_DONE, STATUS_DONE, 0, 0, 0, 0], "a member");
  tt.equal(node.held(NAME)?.payloads.length, 1, "it was written");
  tt.end();
});

t.test("a name that a peer hands over in a comparison has to be one", (tt) => {
  const cluster = new SmallCluster(2);
  const [node, peer] = cluster.nodes;
  const bad = nameOf("no-slash");
  peer.objects.write(bad, SET, { layout: 1, round: 0 });
  node.replication.completeness.partialAll();
  node.replication.recovered();
  cluster.run(15_000);
  tt.equal(node.held(bad), null, "it is not taken over");
  tt.end();
});

/** A few bytes of a valid body changed, cut or added. */
function mutated(random: SeededRandom, valid: Uint8Array): Uint8Array {
  const length = random.chance(1, 6) ? random.below(valid.length + 10) : valid.length;
  const body = new Uint8Array(length);
  body.set(valid.subarray(0, length));
  for (let changes = random.below(4); changes > 0 && length > 0; changes--) {
    const place = random.below(random.chance(1, 2) ? Math.min(48, length) : length);
    body[place] = random.chance(1, 3) ? 255 : random.uint32();
  }
  return body;
}

function randomRequest(
  random: SeededRandom,
  member: Uint8Array,
): { kind: number; body: Uint8Array } {
  const name = nameOf(`b/${random.below(20)}`).bytes;
  const any = (length: number): Uint8Array => {
    const bytes = new Uint8Array(random.below(length));
    random.fill(bytes);
    return bytes;
  };
  const numbers = {
    timeoutMs: 50,
    ttlSeconds: 0,
    w: 1,
    dw: 0,
    pw: 0,
    r: 1,
    pr: 0,
    flags: random.below(16),
  };
  const put = {
    ...numbers,
    name,
    context: any(3),
    etags: any(3),
    meta: any(20),
    body: any(50),
    requestId: any(1),
  };
  const get = { ...numbers, name };
  switch (random.below(5)) {
    case 0: {
      const flags = random.chance(1, 3) ? REPLICATE_HINTED : REPLICATE_DURABLE;
      const purpose = random.chance(1, 2) ? PURPOSE_REPAIR : PURPOSE_WRITE;
      return {
        kind: KIND_REPLICATE,
        body: replicateBytes(randomSet(random), name, flags, purpose, member),
      };
    }
    case 1:
      return { kind: KIND_FETCH, body: fetchBytes(name, random.below(3), random.below(2)) };
    case 2: {
      const body = new Uint8Array(putLength(put));
      writePut(put, body, 0);
      return { kind: KIND_PUT, body };
    }
    case 3: {
      const body = new Uint8Array(getLength(get));
      writeGet(get, body, 0);
      return { kind: KIND_GET, body };
    }
    default: {
      const word = (): number => (random.chance(1, 3) ? random.below(20) : random.uint32());
      const type = COMPARING[random.below(COMPARING.length)];
      const words = Array.from({ length: random.below(7) }, word);
      const bytes = Uint8Array.from(words.flatMap((one) => [one, 0, random.below(2), 0]));
      const pairs = [[words, words], [[word()], [word(), word()]], [word(), bytes]];
      const body = [words, ...pairs, null, "text"][random.below(6)];
      return { kind: KIND_MESSAGE, body: encodeMessage([type, body]) };
    }
  }
}

t.test("4,000 mutated frames of all kinds are answered or refused, nothing is thrown", (tt) => {
  const seed = seedFrom(process.env.SEED, 99);
  const random = new SeededRandom(seed);
  const cluster = new SmallCluster(2);
  const [node, other] = cluster.nodes;
  let link = dial(cluster, node, "peer");
  let answered = 0;
  for (let round = 1; round <= 4_000; round++) {
    if (!link.isOpen) {
      answered += link.frames.length;
      link = dial(cluster, node, "peer");
    }
    const { kind, body } = randomRequest(random, other.member.idBytes);
    try {
      link.send(framed(cluster, kind, round, mutated(random, body)));
      if (round % 20 === 0) cluster.run(5);
    } catch (error) {
      tt.fail(`round ${round}, SEED=${seed}: ${String(error)}`);
      break;
    }
  }
  cluster.run(10_000);
  answered += link.frames.length;
  tt.ok(answered > 1_000, `${answered} answers`);
  const last = dial(cluster, node, "peer");
  last.frames.length = 0;
  last.send(concat(framed(cluster, KIND_FETCH, 9_999, fetchBytes())));
  cluster.run(20);
  tt.equal(last.frames[0]?.kind, KIND_FETCH | REPLY_BIT, "the node goes on");
  tt.end();
});
