/** The cluster's secret: who proves it comes in, and nothing that was overheard helps anybody else. */

import {
  KIND_GET,
  KIND_PING,
  STATUS_CHALLENGE,
  STATUS_NOT_PROVED,
  STATUS_OK,
} from "../../../core/frame.ts";
import { greetingOf, proved } from "../../../server/wire/handshake.ts";
import { decodeMessage, decodeRefusal } from "../../../server/wire/messages.ts";
import type { Permission } from "../../../server/wire/peers.ts";
import { isEqualInConstantTime, NONCE_BYTES } from "../../../server/wire/secret.ts";
import type { Case, Check } from "../../suite.ts";
import { CLUSTER, frameOf, type HelloFields, helloOf, type RawLink, WireWorld } from "./wire-world.ts";

const SECRET = new TextEncoder().encode("correct horse battery staple");
const OTHER = new TextEncoder().encode("incorrect horse battery staple");
const NODE = "1".repeat(16);
const NONCE = new Uint8Array(NONCE_BYTES).fill(7);

type Fields = Readonly<Record<string, unknown>>;

/** What a call between two nodes ends with: the answer, or the sentence. */
function callBetween(dialler: Uint8Array | null, listener: Uint8Array | null): string {
  const world = new WireWorld(1);
  const n1 = world.node("n1", "a", dialler === null ? {} : { secret: dialler });
  world.node("n2", "b", listener === null ? {} : { secret: listener });
  let end = "nothing";
  n1.peers.peer("b".repeat(16), "n2:7071").call("echo", "an answer", 3_000, (reply, error) => {
    end = error === "" ? String(reply) : error;
  });
  world.world.run(1_000);
  return end;
}

function link(world: WireWorld): RawLink {
  const raw = world.raw("n1:7071");
  world.world.run(10);
  return raw;
}

function say(world: WireWorld, raw: RawLink, bytes: Uint8Array): { status: number; fields: Fields; why: string } {
  const before = raw.frames.length;
  raw.send(bytes);
  world.world.run(50);
  const frame = raw.frames[before];
  const fields = frame.status === STATUS_OK || frame.status === STATUS_CHALLENGE
    ? (decodeMessage(frame.body, 0, frame.body.length) as Fields)
    : {};
  return { status: frame.status, fields, why: decodeRefusal(frame.body, 0, frame.body.length) };
}

const member: HelloFields = { role: "peer", node: NODE, name: "raw", nonce: NONCE };

/** The proof that a raw member owes for a challenge. */
function proofFor(challenge: Fields, secret: Uint8Array): Uint8Array {
  const own = { clusterId: () => CLUSTER, nodeId: NODE, name: "raw", secret };
  const theirs = { ...own, nodeId: "a".repeat(16), name: "n1" };
  const dialler = greetingOf(own, "peer", NONCE);
  const listener = greetingOf(theirs, "peer", challenge.nonce as Uint8Array);
  return proved(secret, "dialler", dialler, listener, null).proof;
}

function checkRefused(check: Check, what: string, end: { status: number; why: string }): void {
  check.equal(end.status, STATUS_NOT_PROVED, `${what}: ${end.why}`);
}

export const suite: Case[] = [
  {
    name: "two nodes with one secret talk; with two, or with one between them, both say why not",
    run(check) {
      check.equal(callBetween(SECRET, SECRET), "an answer", "one secret");
      check.ok(/The cluster there has another secret/.test(callBetween(SECRET, OTHER)), "two secrets");
      check.ok(/has a secret, and the node that dialled has none/.test(callBetween(null, SECRET)), "listener's");
      check.ok(/did not prove the cluster's secret/.test(callBetween(SECRET, null)), "dialler's");
    },
  },
  {
    name: "who proves the secret comes in, also where the network repeats what is said",
    run(check) {
      const world = new WireWorld(2, { duplicatePermille: 500, lossPermille: 200 });
      const n1 = world.node("n1", "a", { secret: SECRET });
      world.node("n2", "b", { secret: SECRET });
      let answers = 0;
      const peer = n1.peers.peer("b".repeat(16), "n2:7071");
      for (let count = 0; count < 40; count++) {
        peer.call("echo", count, 4_000, (_reply, error) => void (answers += error === "" ? 1 : 0));
        world.world.run(200);
      }
      check.ok(answers > 0, `${answers} answers`);
    },
  },
  {
    name: "a proof is worth nothing on another connection, for another name, or as the other side's",
    run(check) {
      const world = new WireWorld(3);
      const node = world.node("n1", "a", { secret: SECRET });
      const first = link(world);
      const challenge = say(world, first, helloOf(member));
      check.equal(challenge.status, STATUS_CHALLENGE, "challenged");
      const proof = proofFor(challenge.fields, SECRET);
      check.equal(say(world, first, helloOf({ ...member, proof })).status, STATUS_OK, "welcome");
      const replayed = link(world);
      say(world, replayed, helloOf(member));
      checkRefused(check, "replayed", say(world, replayed, helloOf({ ...member, proof })));
      const unasked = link(world);
      checkRefused(check, "without a challenge", say(world, unasked, helloOf({ ...member, proof })));
      const reflected = link(world);
      const { fields } = say(world, reflected, helloOf(member));
      checkRefused(check, "sent back", say(world, reflected, helloOf({ ...member, proof: fields.proof })));
      for (const changed of [{ name: "other" }, { role: "joining" }, { node: "2".repeat(16) }]) {
        const forged = link(world);
        const asked = say(world, forged, helloOf(member));
        const hello = helloOf({ ...member, ...changed, proof: proofFor(asked.fields, SECRET) });
        checkRefused(check, JSON.stringify(changed), say(world, forged, hello));
      }
      check.equal(node.peers.counters.handshakesRefused, 6, "all counted");
    },
  },
  {
    name: "until the proof has come nothing is served",
    run(check) {
      const world = new WireWorld(4);
      const node = world.node("n1", "a", { secret: SECRET });
      const raw = link(world);
      say(world, raw, helloOf(member));
      raw.send(frameOf(KIND_PING, 1, new Uint8Array(0)));
      world.world.run(50);
      check.equal(raw.isOpen, false, "closed");
      check.equal(node.peers.counters.malformed, 1, "as malformed");
    },
  },
  {
    name: "a client brings a token, and what it allows goes with its requests",
    run(check) {
      const world = new WireWorld(5);
      const permission: Permission = { refusal: () => "", takeTurn: () => 0 };
      const seen: (Permission | null)[] = [];
      const node = world.node("n1", "a", {
        secret: SECRET,
        permit: (token) => (token === "right" ? permission : null),
      });
      node.peers.onRequest(KIND_GET, (_frame, _connection, from) => void seen.push(from.permission));
      checkRefused(check, "none", say(world, link(world), helloOf()));
      checkRefused(check, "a wrong one", say(world, link(world), helloOf({ token: "wrong" })));
      const raw = link(world);
      check.equal(say(world, raw, helloOf({ token: "right" })).status, STATUS_OK, "the right one");
      raw.send(frameOf(KIND_GET, 1, new Uint8Array(0)));
      world.world.run(50);
      check.same(seen, [permission], "it goes with the request");
      check.ok(!world.warnings.some((line) => line.includes("wrong")), "tokens are not logged");
    },
  },
  {
    name: "bytes are compared to their end",
    run(check) {
      const bytes = Uint8Array.of(1, 2, 3);
      check.ok(isEqualInConstantTime(bytes, Uint8Array.of(1, 2, 3)), "equal");
      for (const other of [[1, 2, 4], [0, 2, 3], [1, 2], [1, 2, 3, 0], []]) {
        check.ok(!isEqualInConstantTime(bytes, Uint8Array.from(other)), String(other));
      }
    },
  },
];
