/** The handshake, live: who gets in, who is told what, and what a bad first frame leads to. */

import {
  KIND_HELLO,
  KIND_PING,
  REPLY_BIT,
  STATUS_NOT_ADMITTED,
  STATUS_OK,
  STATUS_WRONG_CLUSTER,
  STATUS_WRONG_NODE,
  STATUS_WRONG_PROTOCOL,
} from "../../../core/frame.ts";
import { decodeMessage, decodeRefusal, encodeMessage } from "../../../server/wire/messages.ts";
import type { Refusal } from "../../../server/wire/peers.ts";
import type { Case, Check } from "../../suite.ts";
import {
  CLUSTER,
  concat,
  frameOf,
  type HelloFields,
  helloOf,
  KIND_HELLO_REPLY,
  type RawLink,
  WireWorld,
} from "./wire-world.ts";

const NODE = "1".repeat(16);

interface Try {
  readonly name: string;
  readonly hello: HelloFields;
  readonly status: number;
  readonly says: string;
}

const tries: readonly Try[] = [
  { name: "a client", hello: {}, status: STATUS_OK, says: "" },
  { name: "a client that names no cluster", hello: { cluster: null }, status: STATUS_OK, says: "" },
  { name: "a member", hello: { role: "peer", node: NODE }, status: STATUS_OK, says: "" },
  {
    name: "a joining node without a cluster",
    hello: { role: "joining", node: NODE, cluster: null },
    status: STATUS_OK,
    says: "",
  },
  {
    name: "a member with fields of a later version",
    hello: { role: "peer", node: NODE, later: Uint8Array.of(1), features: ["x"] },
    status: STATUS_OK,
    says: "",
  },
  {
    name: "another protocol",
    hello: { protocol: 2 },
    status: STATUS_WRONG_PROTOCOL,
    says: "Got protocol 2, this node speaks 1",
  },
  {
    name: "another protocol with fields that nobody knows",
    hello: { protocol: 9, cluster: 7, role: [] },
    status: STATUS_WRONG_PROTOCOL,
    says: "Got protocol 9, this node speaks 1",
  },
  {
    name: "a member of another cluster",
    hello: { role: "peer", node: NODE, cluster: "other" },
    status: STATUS_WRONG_CLUSTER,
    says: "Got cluster other, this node is in c0ffee",
  },
  {
    name: "a member of no cluster",
    hello: { role: "peer", node: NODE, cluster: null },
    status: STATUS_WRONG_CLUSTER,
    says: "Got cluster none, this node is in c0ffee",
  },
  {
    name: "a joining node of another cluster",
    hello: { role: "joining", node: NODE, cluster: "other" },
    status: STATUS_WRONG_CLUSTER,
    says: "Got cluster other, this node is in c0ffee",
  },
  {
    name: "a node that was removed",
    hello: { role: "peer", node: "9".repeat(16) },
    status: STATUS_NOT_ADMITTED,
    says: "This node was removed",
  },
];

function connected(world: WireWorld, ...first: readonly Uint8Array[]): RawLink {
  const link = world.raw("n1:7071");
  world.world.run(10);
  for (const bytes of first) link.send(bytes);
  world.world.run(50);
  return link;
}

function checkTry(check: Check, one: Try): void {
  const world = new WireWorld(1);
  const removed = "9".repeat(16);
  world.node("n1", "a", {
    admit: (identity) => (identity.nodeId === removed ? "This node was removed" : ""),
  });
  const link = connected(world, helloOf(one.hello));
  check.equal(link.frames.length, 1, `${one.name}: one answer`);
  const { kind, status, body } = link.frames[0];
  check.same([kind, status], [KIND_HELLO_REPLY, one.status], `${one.name}: status`);
  if (one.status === STATUS_OK) {
    const welcome = { protocol: 1, cluster: CLUSTER, node: "a".repeat(16), name: "n1" };
    check.same(decodeMessage(body, 0, body.length), welcome, `${one.name}: welcome`);
    check.ok(link.isOpen, `${one.name}: stays open`);
    return;
  }
  check.equal(decodeRefusal(body, 0, body.length), one.says, `${one.name}: says why`);
  check.equal(link.isOpen, false, `${one.name}: is closed`);
}

/** First bytes that make a node hang up without a word. */
const rude: Readonly<Record<string, Uint8Array>> = {
  "a ping": frameOf(KIND_PING, 1, new Uint8Array(0)),
  "a reply": frameOf(KIND_HELLO_REPLY, 0, encodeMessage({ protocol: 1 })),
  "an unknown kind": frameOf(99, 1, new Uint8Array(0)),
  "an HTTP request": new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  "a HELLO without CBOR": frameOf(KIND_HELLO, 0, Uint8Array.of(0xff, 0xff)),
  "an empty HELLO": frameOf(KIND_HELLO, 0, new Uint8Array(0)),
  "a HELLO without a protocol": frameOf(KIND_HELLO, 0, encodeMessage({ role: "client" })),
  "a HELLO beyond 4 KiB": helloOf({ name: "n".repeat(4096) }),
  "a long name": helloOf({ name: "n".repeat(256) }),
  "a node id in capitals": helloOf({ role: "peer", node: "A".repeat(16) }),
  "a member without a node": helloOf({ role: "peer", node: null }),
  "a client with a node": helloOf({ node: NODE }),
  "an unknown role": helloOf({ role: "king", node: NODE }),
  "a nonce of one byte": helloOf({ role: "peer", node: NODE, nonce: Uint8Array.of(1) }),
  "a proof of 33 bytes": helloOf({ role: "peer", node: NODE, proof: new Uint8Array(33) }),
  "a token that is no text": helloOf({ token: 7 }),
};

export const suite: Case[] = [
  {
    name: "HELLO is answered by a welcome, or refused with a status and a sentence",
    run(check) {
      for (const one of tries) checkTry(check, one);
    },
  },
  {
    name: "anything but a good HELLO closes the connection, counted, and the next client is served",
    run(check) {
      const world = new WireWorld(2);
      const node = world.node("n1", "a");
      for (const [name, bytes] of Object.entries(rude)) {
        const before = node.peers.counters.malformed;
        const link = connected(world, bytes);
        check.same([link.isOpen, link.frames.length], [false, 0], `${name}: closed`);
        check.equal(link.closedTimes, 1, `${name}: once`);
        check.equal(node.peers.counters.malformed, before + 1, `${name}: counted`);
        const next = connected(world, helloOf(), frameOf(KIND_PING, 5, new Uint8Array(0)));
        check.equal(next.frames[1]?.correlation, 5, `${name}: the next is served`);
        next.close();
      }
      world.world.run(100);
      check.equal(node.peers.acceptedCount, 0, "no link is kept");
    },
  },
  {
    name: "a HELLO that is cut off anywhere is waited for, five seconds, no longer",
    run(check) {
      const hello = helloOf();
      for (let length = 0; length < hello.length; length += 7) {
        const world = new WireWorld(3);
        const node = world.node("n1", "a");
        const link = connected(world, hello.slice(0, length));
        world.world.run(4_800);
        check.ok(link.isOpen, `${length} bytes: open`);
        world.world.run(400);
        check.equal(link.isOpen, false, `${length} bytes: closed after five seconds`);
        check.equal(node.peers.acceptedCount, 0, `${length} bytes: forgotten`);
      }
    },
  },
  {
    name:
      "a HELLO that comes in two halves, or twice, is answered; one that changes its mind is not",
    run(check) {
      const world = new WireWorld(4);
      world.node("n1", "a");
      const hello = helloOf({ role: "peer", node: NODE });
      const halves = connected(world, hello.slice(0, 20), hello.slice(20));
      check.equal(halves.frames.length, 1, "halves");
      const twice = connected(world, concat(hello, hello));
      check.equal(twice.frames.length, 2, "twice: two welcomes");
      const other = connected(world, hello, helloOf({ role: "peer", node: "2".repeat(16) }));
      check.equal(other.isOpen, false, "another node in the second");
    },
  },
  {
    name: "a dialler refuses another node than the one it wants, and calls say so",
    run(check) {
      const world = new WireWorld(5);
      const n1 = world.node("n1", "a");
      world.node("n2", "b");
      const refusals: Refusal[] = [];
      n1.peers.onRefused = (_peer, refusal) => void refusals.push(refusal);
      const wrong = n1.peers.peer("c".repeat(16), "n2:7071");
      let error = "";
      wrong.call("echo", 1, 3_000, (_reply, sentence) => (error = sentence));
      world.world.run(1_000);
      check.equal(refusals[0]?.status, STATUS_WRONG_NODE, "status");
      check.ok(error.includes("Found node bbbbbbbbbbbbbbbb (n2)"), error);
      const right = n1.peers.peer("b".repeat(16), "n2:7071");
      let reply: unknown = null;
      right.call("echo", 42, 3_000, (value) => (reply = value));
      world.world.run(1_000);
      check.equal(reply, 42, "the right node answers");
    },
  },
  {
    name: "a dialler learns the sentence of a node that does not admit it",
    run(check) {
      const world = new WireWorld(6);
      const n1 = world.node("n1", "a");
      world.node("n2", "b", { admit: () => "Node n1 was removed on Tuesday" });
      const refusals: Refusal[] = [];
      n1.peers.onRefused = (_peer, refusal) => void refusals.push(refusal);
      let error = "";
      n1.peers
        .peer("b".repeat(16), "n2:7071")
        .call("echo", 1, 3_000, (_reply, sentence) => (error = sentence));
      world.world.run(1_000);
      check.equal(refusals[0]?.status, STATUS_NOT_ADMITTED, "status");
      check.ok(error.endsWith("Node n1 was removed on Tuesday"), error);
    },
  },
  {
    name: "a joining node reaches a member, a member's link to a node without a cluster is refused",
    run(check) {
      const world = new WireWorld(7);
      const member = world.node("n1", "a");
      const joiner = world.node("n2", "b", { cluster: null });
      const seed = joiner.peers.connectTo("n1:7071");
      let reply: unknown = null;
      seed.call("echo", "let me in", 3_000, (value) => (reply = value));
      world.world.run(100);
      check.equal(reply, "let me in", "answered");
      check.equal(seed.remote?.nodeId, "a".repeat(16), "and knows who it was");
      let error = "";
      member.peers
        .peer("b".repeat(16), "n2:7071")
        .call("echo", 1, 3_000, (_reply, sentence) => (error = sentence));
      world.world.run(1_000);
      check.ok(error.includes("this node is in none yet"), error);
    },
  },
  {
    name: "a refused dialler backs off to two seconds, and gets in when it may",
    run(check) {
      const world = new WireWorld(8);
      const n1 = world.node("n1", "a");
      let closed = true;
      const n2 = world.node("n2", "b", { admit: () => (closed ? "Not yet" : "") });
      const peer = n1.peers.peer("b".repeat(16), "n2:7071");
      let answered = 0;
      const call = (): void =>
        peer.call("echo", 1, 1_000, (_reply, error) => {
          if (error === "") answered++;
        });
      for (let step = 0; step < 200; step++) {
        call();
        world.world.run(50);
        const { handshakesRefused } = n2.peers.counters;
        if (step === 18) check.equal(handshakesRefused, 1, "once in the first second");
      }
      check.ok(
        n2.peers.counters.handshakesRefused < 12,
        `${n2.peers.counters.handshakesRefused} tries`,
      );
      check.ok(n2.peers.counters.handshakesRefused > 3, "and it went on trying");
      closed = false;
      for (let step = 0; step < 50; step++) {
        call();
        world.world.run(50);
      }
      check.ok(answered > 0, "in at last");
      check.equal(peer.connected, true, "the link stands");
    },
  },
  {
    name: "a lost HELLO or welcome is made good by repeating it",
    run(check) {
      for (const lost of ["n1>n2", "n2>n1"]) {
        const world = new WireWorld(9);
        const n1 = world.node("n1", "a");
        world.node("n2", "b");
        const [source, target] = lost.split(">");
        let reply: unknown = null;
        n1.peers.peer("b".repeat(16), "n2:7071").call("echo", 7, 4_000, (value) => (reply = value));
        // The connection is made; then everything in one direction is lost for a second.
        world.world.runUntil(() => world.network.openSockets("n2") > 0, 100);
        const link = world.network.link(source, target);
        link.lossPermille = 1_000;
        world.world.run(1_000);
        check.equal(reply, null, `${lost}: nothing yet`);
        link.lossPermille = 0;
        world.world.run(700);
        check.equal(reply, 7, `${lost}: answered`);
        check.equal(n1.peers.counters.dialled, 1, `${lost}: on the same connection`);
      }
    },
  },
  {
    name:
      "a reply before the welcome, or a request from the node that was dialled, closes the link",
    run(check) {
      const kinds = [KIND_PING, KIND_PING | REPLY_BIT];
      for (const kind of kinds) {
        const world = new WireWorld(10);
        const n1 = world.node("n1", "a");
        const network = world.network.port("rogue", n1.clock);
        network.listen(
          "rogue:1",
          (socket) => ({
            opened: () => {
              const bytes = frameOf(kind, 1, new Uint8Array(0));
              socket.write(bytes, bytes.length, () => {});
            },
            received: () => {},
            drained: () => {},
            closed: () => {},
          }),
          () => {},
        );
        world.world.run(1);
        let failed = "";
        n1.peers.connectTo("rogue:1").call("echo", 1, 3_000, (_reply, error) => (failed = error));
        world.world.run(100);
        check.ok(failed.startsWith("Cannot reach rogue:1"), `kind ${kind}: ${failed}`);
        check.equal(n1.peers.counters.malformed, 1, `kind ${kind}: counted`);
      }
    },
  },
];
