/**
 * Limits of a connection: what waits is bounded, who does not read is cut off, who reads is not.
 */

import { KIND_FETCH, KIND_PING, REPLY_BIT } from "../../../core/frame.ts";
import { BufferPool } from "../../../server/wire/buffer-pool.ts";
import type { Case } from "../../suite.ts";
import {
  concat,
  Ends,
  frameOf,
  helloOf,
  type RawLink,
  type WireNode,
  WireWorld,
} from "./wire-world.ts";

const NOTHING = new Uint8Array(0);

/** Answers each FETCH with so many bytes. */
function serveBytes(node: WireNode, length: number): void {
  node.peers.onRequest(KIND_FETCH, (frame, connection) => {
    const kind = KIND_FETCH | REPLY_BIT;
    const offset = connection.reserve(kind, 0, 0, frame.correlation, 0, length);
    if (offset >= 0) connection.buffer.fill(7, offset, offset + length);
  });
}

function client(world: WireWorld): RawLink {
  const link = world.raw("n1:7071");
  world.world.run(10);
  link.send(helloOf());
  world.world.run(10);
  return link;
}

/** Requests with the correlations after `before`. */
function requests(count: number, before = 0): Uint8Array {
  const frames = Array.from({ length: count }, (_none, index) => {
    return frameOf(KIND_FETCH, before + index + 1, NOTHING);
  });
  return concat(...frames);
}

export const suite: Case[] = [
  {
    name:
      "requests are refused while too much waits for a link that is being made, and when it is not",
    run(check) {
      const world = new WireWorld(1);
      const n1 = world.node("n1", "a", { limits: { waitBytesMax: 100_000 } });
      const peer = n1.peers.peer("b".repeat(16), "n2:7071");
      world.network.cut("n1", "n2");
      const ends = new Ends();
      let accepted = 0;
      for (let tag = 0; tag < 200; tag++) {
        if (ends.request(peer, KIND_FETCH, tag, new Uint8Array(1_000), 300)) accepted++;
      }
      check.equal(accepted, 99, "up to the limit, and the one that reaches it");
      world.world.run(500);
      check.equal(ends.count("timeout"), 99, "they time out");
      world.world.run(5_000);
      check.ok(ends.request(peer, KIND_FETCH, 999, NOTHING), "there is room again");
    },
  },
  {
    name: "a request beyond the frame limit is refused, one at the limit is carried",
    run(check) {
      const world = new WireWorld(2);
      const limits = { frameBytesMax: 300_000 };
      const n1 = world.node("n1", "a", { limits });
      const n2 = world.node("n2", "b", { limits });
      serveBytes(n2, 1);
      const peer = n1.peers.peer(n2.id, n2.address);
      const ends = new Ends();
      for (const round of [1, 2]) {
        check.equal(ends.request(peer, KIND_FETCH, 9, new Uint8Array(299_985)), false, "beyond");
        check.ok(ends.request(peer, KIND_FETCH, round, new Uint8Array(299_984)), "at the limit");
        world.world.run(100);
        check.equal(ends.of(round), "replied", `round ${round}: connecting, then connected`);
      }
    },
  },
  {
    name: "an answer leaves only once what it tells of is kept; where that fails nothing leaves",
    run(check) {
      const world = new WireWorld(11);
      const n1 = world.node("n1", "a");
      const n2 = world.node("n2", "b");
      let kept = 0;
      let told = 0;
      n2.peers.onRequest(KIND_FETCH, (frame, connection) => {
        connection.reserve(KIND_FETCH | REPLY_BIT, 0, 0, frame.correlation, 0, 0);
        told++;
      });
      n2.peers.wiring.maySend = () => {
        kept = told;
        return told < 3;
      };
      const ends = new Ends();
      const peer = n1.peers.peer(n2.id, n2.address);
      for (let tag = 1; tag <= 2; tag++) ends.request(peer, KIND_FETCH, tag, NOTHING);
      world.world.run(100);
      check.same([ends.count("replied"), kept], [2, 2], "asked before both answers leave");
      ends.request(peer, KIND_FETCH, 3, NOTHING);
      world.world.run(20);
      check.same([ends.of(3), told], ["closed", 3], "what is not kept is not told");
    },
  },
  {
    name: "requests are refused beyond the limit of what is in flight, until answers come",
    run(check) {
      const world = new WireWorld(3);
      const n1 = world.node("n1", "a", { limits: { inFlightMax: 100 } });
      const n2 = world.node("n2", "b");
      serveBytes(n2, 1);
      const peer = n1.peers.peer(n2.id, n2.address);
      const ends = new Ends();
      let accepted = 0;
      for (let tag = 0; tag < 150; tag++) {
        if (ends.request(peer, KIND_FETCH, tag, NOTHING)) accepted++;
      }
      check.same([accepted, peer.inFlight], [100, 100], "a hundred");
      world.world.run(100);
      check.ok(ends.request(peer, KIND_FETCH, 500, NOTHING), "and again");
    },
  },
  {
    name:
      "requests to a node that stands still are refused when the queue is full, and flow after it",
    run(check) {
      const world = new WireWorld(4);
      const n1 = world.node("n1", "a", { limits: { outBytesMax: 2 << 20 } });
      const n2 = world.node("n2", "b");
      serveBytes(n2, 1);
      const peer = n1.peers.peer(n2.id, n2.address);
      const ends = new Ends();
      ends.request(peer, KIND_FETCH, 0, NOTHING);
      world.world.run(50);
      n2.clock.pause(10_000);
      let accepted = 0;
      for (let tag = 1; tag <= 1_000; tag++) {
        if (ends.request(peer, KIND_FETCH, tag, new Uint8Array(10_000), 30_000)) accepted++;
        world.world.run(1);
      }
      // 2 MiB wait here, 256 KiB and what was under way are in the kernel.
      check.ok(accepted > 200 && accepted < 260, `${accepted} accepted`);
      world.world.run(20_000);
      check.equal(ends.count("replied"), accepted + 1, "all of them are answered in the end");
      check.ok(ends.request(peer, KIND_FETCH, 5_000, NOTHING), "and there is room again");
      const { heldBytes } = n1.peers.wiring.pool;
      check.ok(heldBytes <= 4 << 20, `${heldBytes} in buffers: what waited was packed`);
    },
  },
  {
    name: "a reader that does not read is cut off after its time; what it holds is bounded",
    run(check) {
      const world = new WireWorld(5);
      const limits = { replyBytesPause: 1 << 20, replyBytesMax: 32 << 20, stallMs: 5_000 };
      const n1 = world.node("n1", "a", { limits });
      serveBytes(n1, 10_000);
      const slow = client(world);
      slow.pause();
      for (let round = 0; round < 100; round++) {
        slow.send(requests(100, 100 * round));
        world.world.run(10);
      }
      const held = n1.peers.counters.framesIn;
      check.ok(held < 1_000, `${held} of 10,000 requests were read before reading stopped`);
      const quick = client(world);
      quick.send(requests(1));
      world.world.run(10);
      check.equal(quick.frames.length, 2, "another client is served meanwhile");
      world.world.run(3_000);
      check.equal(n1.peers.acceptedCount, 2, "it has its time");
      world.world.run(4_000);
      check.same([n1.peers.acceptedCount, n1.peers.counters.stalled], [1, 1], "it is cut off");
    },
  },
  {
    name: "a reader that lets more pile up than the limit is cut off at once",
    run(check) {
      const world = new WireWorld(6);
      const limits = { replyBytesPause: 1 << 20, replyBytesMax: 8 << 20 };
      const n1 = world.node("n1", "a", { limits });
      serveBytes(n1, 1_000_000);
      const slow = client(world);
      slow.pause();
      // One chunk: all of it is read before reading can stop.
      slow.send(requests(100));
      world.world.run(100);
      check.equal(n1.peers.counters.stalled, 1, "cut off");
      check.equal(n1.peers.acceptedCount, 0, "gone");
    },
  },
  {
    name: "a slow reader that reads is served to the end, however much it asks for",
    run(check) {
      const world = new WireWorld(7);
      const limits = { replyBytesPause: 1 << 20, replyBytesMax: 8 << 20, stallMs: 800 };
      const n1 = world.node("n1", "a", { limits });
      serveBytes(n1, 100_000);
      const slow = client(world);
      for (let round = 0; round < 60; round++) slow.send(requests(10, 10 * round));
      for (let round = 0; round < 400; round++) {
        slow.pause();
        world.world.run(400);
        slow.resume();
        world.world.run(2);
      }
      check.equal(slow.frames.length, 601, "every answer came");
      check.equal(n1.peers.counters.stalled, 0, "it was never cut off");
    },
  },
  {
    name: "a request that comes again on its connection is not served again",
    run(check) {
      const world = new WireWorld(12);
      const n1 = world.node("n1", "a");
      serveBytes(n1, 10);
      const link = client(world);
      link.send(requests(5));
      link.send(requests(5));
      link.send(requests(1, 3));
      link.send(requests(1, 5));
      world.world.run(50);
      check.equal(link.frames.length, 1 + 6, "a welcome and six answers");
      check.equal(n1.peers.counters.repeated, 6, "and six that were not served");
    },
  },
  {
    name: "nothing is served after close(), also not what came in the same chunk",
    run(check) {
      const world = new WireWorld(10);
      const n1 = world.node("n1", "a");
      let served = 0;
      n1.peers.onRequest(KIND_FETCH, (_frame, connection) => {
        served++;
        connection.close("enough");
      });
      const link = client(world);
      link.send(requests(5));
      world.world.run(50);
      check.same([served, link.isOpen, n1.peers.acceptedCount], [1, false, 0], "one of five");
    },
  },
  {
    name: "BufferPool gives what fits, takes back what it can use, and holds 32 MiB at most",
    run(check) {
      const pool = new BufferPool();
      const sizes = [1, 65_536, 65_537, 200_000, 4 << 20];
      check.same(
        sizes.map((size) => pool.take(size).length),
        [65_536, 65_536, 131_072, 262_144, 4 << 20],
        "powers of two",
      );
      check.equal(pool.take((4 << 20) + 1).length, (4 << 20) + 1, "beyond: as asked for");
      const buffer = pool.take(100_000);
      pool.give(buffer);
      check.equal(pool.take(70_000), buffer, "used again");
      for (let count = 0; count < 20; count++) pool.give(new Uint8Array(4 << 20));
      check.equal(pool.heldBytes, 32 << 20, "bounded");
      pool.give(new Uint8Array(5 << 20));
      check.equal(pool.heldBytes, 32 << 20, "large ones are let go");
    },
  },
  {
    name: "connections beyond the limit are turned away, and let in when there is room",
    run(check) {
      const world = new WireWorld(8);
      const n1 = world.node("n1", "a", { limits: { connectionsMax: 3 } });
      const links = [1, 2, 3, 4, 5].map(() => client(world));
      world.world.run(50);
      const open = links.map((link) => link.isOpen);
      check.same(open, [true, true, true, false, false], "three of five");
      check.equal(n1.peers.counters.turnedAway, 2, "counted");
      const told = (): number => world.warnings.filter((line) => line.includes("turned away")).length;
      check.equal(told(), 1, "told once");
      world.world.run(10_000);
      client(world);
      world.world.run(50);
      check.equal(told(), 2, "and again when some time has passed");
      links[0].close();
      world.world.run(50);
      check.ok(client(world).isOpen, "room again");
    },
  },
  {
    name: "the buffers of large frames come back to the pool, and the pool is bounded",
    run(check) {
      const world = new WireWorld(9);
      const n1 = world.node("n1", "a");
      const n2 = world.node("n2", "b");
      serveBytes(n2, 3_000_000);
      const peer = n1.peers.peer(n2.id, n2.address);
      const ends = new Ends();
      for (let tag = 0; tag < 30; tag++) {
        ends.request(peer, KIND_FETCH, tag, new Uint8Array(100_000), 60_000);
        ends.request(peer, KIND_PING, 1_000 + tag, NOTHING, 60_000);
        world.world.run(60);
      }
      world.world.run(2_000);
      check.equal(ends.count("replied"), 60, "all answered");
      for (const node of [n1, n2]) {
        const { heldBytes } = node.peers.wiring.pool;
        check.ok(heldBytes > 0 && heldBytes <= 32 << 20, `${node.name} holds ${heldBytes}`);
      }
    },
  },
];
