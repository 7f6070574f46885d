/**
 * Requests over links: each accepted one ends exactly once, whatever the network and the others do.
 *
 * Repeat a seed of the campaign with SEED=<seed> bun test/runtimes.ts wire/peers.
 */

import process from "node:process";
import {
  type FrameView,
  KIND_FETCH,
  KIND_PING,
  KIND_REPLICATE,
  REPLY_BIT,
  STATUS_UNKNOWN_KIND,
} from "../../../core/frame.ts";
import type { Connection, Peer } from "../../../server/wire/peers.ts";
import { roundsHere, seedFrom } from "../../random.ts";
import type { Case, Check } from "../../suite.ts";
import { Ends, frameOf, RogueNode, type WireNode, WireWorld } from "./wire-world.ts";

const NOTHING = new Uint8Array(0);

/** Answers a FETCH with its own body, as a hot handler does: read in place, written in place. */
function serveFetch(node: WireNode): { served: number } {
  const count = { served: 0 };
  node.peers.onRequest(KIND_FETCH, (frame: FrameView, connection: Connection) => {
    count.served++;
    const length = frame.end - frame.start;
    const kind = KIND_FETCH | REPLY_BIT;
    const offset = connection.reserve(kind, 0, 7, frame.correlation, 3, length);
    for (let index = 0; offset >= 0 && index < length; index++) {
      connection.buffer[offset + index] = frame.bytes[frame.start + index];
    }
  });
  return count;
}

function pair(
  world: WireWorld,
): { n1: WireNode; n2: WireNode; peer: Peer; served: { served: number } } {
  const n1 = world.node("n1", "a");
  const n2 = world.node("n2", "b");
  return { n1, n2, peer: n1.peers.peer(n2.id, n2.address), served: serveFetch(n2) };
}

function bodyOf(tag: number, length: number): Uint8Array {
  return new Uint8Array(length).map((_zero, index) => tag + index * 7);
}

/** One seed of the campaign: a bad network, kills, cuts, pauses; returns how requests ended. */
function campaign(check: Check, seed: number): { asked: number; answered: number } {
  const links = { lossPermille: 300, duplicatePermille: 500, splitPermille: 300, delayMsMean: 20 };
  const world = new WireWorld(seed, links);
  const { n1, peer } = pair(world);
  const ends = new Ends();
  let outcomes = 0;
  n1.peers.onOutcome = () => void outcomes++;
  let accepted = 0;
  for (let tag = 0; tag < 600; tag++) {
    const length = world.random.below(world.random.chance(1, 20) ? 100_000 : 300);
    if (ends.request(peer, KIND_FETCH, tag, bodyOf(tag, length), 200 + world.random.below(400))) {
      accepted++;
    }
    if (world.random.chance(1, 2)) world.world.run(world.random.below(120));
    if (world.random.chance(1, 60)) world.network.clog("n2", "n1", world.random.below(1_000));
    if (world.random.chance(1, 150)) world.network.cutOneWay("n1", "n2");
    if (world.random.chance(1, 20)) world.network.heal();
    if (world.random.chance(1, 100)) n1.clock.pause(world.random.below(800));
    if (world.random.chance(1, 300)) restart(world, world.random.chance(1, 2));
  }
  world.network.heal();
  world.world.run(10_000);
  check.equal(ends.byTag.size, accepted, `seed ${seed}: every accepted request ended`);
  const twice = [...ends.byTag.values()].filter((how) => how.length !== 1);
  check.same(twice, [], `seed ${seed}: and only once`);
  check.equal(ends.tooEarly, 0, `seed ${seed}: never before request() returned`);
  check.equal(outcomes, accepted, `seed ${seed}: each was told to the failure detector`);
  check.equal(peer.inFlight, 0, `seed ${seed}: none is in flight`);
  checkBodies(check, ends, seed);
  n1.peers.close();
  world.world.run(60_000);
  check.equal(world.network.openSockets("n1"), 0, `seed ${seed}: no socket is left`);
  return { asked: accepted, answered: ends.count("replied") };
}

function restart(world: WireWorld, silent: boolean): void {
  world.network.kill("n2", { silent });
  world.world.run(world.random.below(100));
  serveFetch(world.node("n2", "b"));
}

/** A reply must carry the body of its own request: the first byte is the tag's. */
function checkBodies(check: Check, ends: Ends, seed: number): void {
  const tags = [...ends.byTag].filter(([, how]) => how[0] === "replied").map(([tag]) => tag);
  const mixed = ends.frames.filter((frame, index) => {
    return frame.body.some((byte, at) => byte !== ((tags[index] + at * 7) & 255));
  });
  check.equal(mixed.length, 0, `seed ${seed}: every answer belongs to its request`);
}

export const suite: Case[] = [
  {
    name: "request() carries a body there and another back, with status and layout",
    run(check) {
      const world = new WireWorld(1);
      const { n1, peer } = pair(world);
      const ends = new Ends();
      for (let tag = 0; tag < 200; tag++) {
        ends.request(peer, KIND_FETCH, tag, bodyOf(tag, tag * 40));
      }
      world.world.run(100);
      check.equal(ends.count("replied"), 200, "all answered");
      check.same(ends.frames[199].body, bodyOf(199, 199 * 40), "the last body");
      check.equal(ends.frames[5].status, 7, "the handler's status");
      check.equal(n1.peers.wheel.pending, 0, "no timer is left");
      check.ok(peer.roundTripMs > 0.4, `round trip ${peer.roundTripMs}`);
      check.ok(peer.roundTripMs < 5, `round trip ${peer.roundTripMs}`);
    },
  },
  {
    name: "a turn's requests leave in one write, once the link stands",
    run(check) {
      const world = new WireWorld(2);
      const { peer } = pair(world);
      const ends = new Ends();
      ends.request(peer, KIND_FETCH, 0, NOTHING);
      world.world.run(50);
      const link = world.network.link("n1", "n2");
      const before = link.writes;
      for (let tag = 1; tag <= 500; tag++) ends.request(peer, KIND_FETCH, tag, bodyOf(tag, 50));
      world.world.run(50);
      check.equal(link.writes - before, 1, "one write");
      check.equal(ends.count("replied"), 501, "all answered");
    },
  },
  {
    name: "call() is answered, refused with a sentence, or told that nobody serves it",
    run(check) {
      const world = new WireWorld(3);
      const { n2, peer } = pair(world);
      n2.peers.onMessage("both", (_body, _from, reply, refuse) => {
        reply("first");
        refuse("second");
        reply("third");
      });
      const said: [unknown, string][] = [];
      const done = (reply: unknown, error: string): void => void said.push([reply, error]);
      const body = { list: [1, "two", null], bytes: Uint8Array.of(3) };
      peer.call("echo", body, 1_000, done);
      peer.call("refuse", 1, 1_000, done);
      peer.call("nonsense", 1, 1_000, done);
      peer.call("echo", undefined, 1_000, done);
      peer.call("both", 1, 1_000, done);
      peer.call("echo", new Uint8Array(65 << 20), 1_000, done);
      check.equal(said.length, 0, "nothing before it returned");
      world.world.run(100);
      check.same(
        said.find(([, error]) => error.startsWith("Cannot send"))?.[0],
        undefined,
        "too large",
      );
      const rest = said.filter(([, error]) => !error.startsWith("Cannot send"));
      check.same(
        rest,
        [
          [body, ""],
          [undefined, "No, said the node"],
          [undefined, 'Message "nonsense" is not served here'],
          [null, ""],
          ["first", ""],
        ],
        "in order",
      );
      check.equal(n2.peers.counters.framesOut, 6, "one answer each, and the welcome");
      check.throws(() => peer.call("echo", () => {}, 1_000, done), "a function is no message");
    },
  },
  {
    name: "a kind that nobody serves is answered so, and the link goes on",
    run(check) {
      const world = new WireWorld(4);
      const { peer } = pair(world);
      const ends = new Ends();
      ends.request(peer, KIND_REPLICATE, 1, NOTHING);
      ends.request(peer, 77, 2, NOTHING);
      ends.request(peer, KIND_PING, 3, NOTHING);
      world.world.run(100);
      check.same(
        ends.frames.map((frame) => [frame.kind, frame.status]),
        [
          [KIND_REPLICATE | REPLY_BIT, STATUS_UNKNOWN_KIND],
          [77 | REPLY_BIT, STATUS_UNKNOWN_KIND],
          [KIND_PING | REPLY_BIT, 0],
        ],
        "answers",
      );
    },
  },
  {
    name:
      "each request ends exactly once under 30 % loss, 50 % duplicates, cuts, clogs, pauses, kills",
    run(check) {
      let asked = 0;
      let answered = 0;
      const only = seedFrom(process.env.SEED, 0);
      for (
        const seed of only > 0 ? [only] : Array.from({ length: roundsHere(20) }, (_none, index) => index + 1)
      ) {
        const result = campaign(check, seed);
        asked += result.asked;
        answered += result.answered;
      }
      if (only > 0) return;
      check.ok(asked > roundsHere(3_000), `${asked} asked`);
      check.ok(answered > asked / 20, `${answered} of ${asked} were answered`);
      check.ok(answered < asked, "and some were not");
    },
  },
  {
    name: "a reply that comes late, twice, or to no request is ignored and counted",
    run(check) {
      const world = new WireWorld(5);
      const n1 = world.node("n1", "a");
      const rogue = new RogueNode(world);
      rogue.onFrame = (frame, answer) => {
        const reply = frameOf(KIND_FETCH | REPLY_BIT, frame.correlation, NOTHING);
        if (frame.body[0] === 1) world.world.after(500, () => answer(reply));
        else if (frame.body[0] === 2) { for (let time = 0; time < 3; time++) answer(reply); }
        else {for (const other of [0, 4_000_000_000, 12_345]) {
            answer(frameOf(reply[4], other, NOTHING));
          }}
      };
      const peer = n1.peers.peer(rogue.id, rogue.address);
      const ends = new Ends();
      for (const tag of [1, 2, 3]) ends.request(peer, KIND_FETCH, tag, Uint8Array.of(tag), 100);
      world.world.run(300);
      // The place of a request that timed out is used again before its reply comes.
      for (let tag = 10; tag < 300; tag++) {
        ends.request(peer, KIND_FETCH, tag, Uint8Array.of(1), 400);
      }
      world.world.run(2_000);
      check.same([ends.of(1), ends.of(2), ends.of(3)], ["timeout", "replied", "timeout"], "ends");
      check.equal(ends.count("replied"), 1, "no late reply went to another request");
      check.equal(n1.peers.counters.repliesLate, 1 + 2 + 3 + 290, "counted");
      check.ok(peer.connected, "the link stands");
    },
  },
  {
    name: "a reply of another kind than its request closes the link",
    run(check) {
      const world = new WireWorld(6);
      const n1 = world.node("n1", "a");
      const rogue = new RogueNode(world);
      rogue.onFrame = (frame, answer) => {
        answer(frameOf(KIND_REPLICATE | REPLY_BIT, frame.correlation, NOTHING));
      };
      const ends = new Ends();
      ends.request(n1.peers.peer(rogue.id, rogue.address), KIND_FETCH, 1, NOTHING);
      world.world.run(100);
      check.equal(ends.of(1), "closed", "the request");
      check.equal(n1.peers.counters.malformed, 1, "counted");
    },
  },
  {
    name: "a link to nobody fails at once during the back-off, and dials again after it",
    run(check) {
      const world = new WireWorld(7);
      const n1 = world.node("n1", "a");
      const peer = n1.peers.peer("b".repeat(16), "n2:7071");
      const ends = new Ends();
      for (let tag = 0; tag < 400; tag++) {
        check.ok(ends.request(peer, KIND_FETCH, tag, NOTHING), "accepted");
        world.world.run(10);
        check.ok(ends.of(tag) === "unreachable" || tag === 0, `${tag}: ${ends.of(tag)}`);
      }
      check.equal(ends.tooEarly, 0, "never before request() returned");
      const { dialled } = n1.peers.counters;
      // 50 + 100 + … + 1,600 take 3 s at most, half of it at least, and then it is every 1 to 2 s.
      check.ok(dialled >= 5 && dialled <= 10, `${dialled} dials in four seconds`);
      serveFetch(world.node("n2", "b"));
      world.world.run(2_100);
      ends.request(peer, KIND_FETCH, 1_000, NOTHING);
      world.world.run(20);
      check.equal(ends.of(1_000), "replied", "and it finds the node that came");
    },
  },
  {
    name: "a peer that is killed ends what is in flight as closed, one that vanishes as timeout",
    run(check) {
      for (const silent of [false, true]) {
        const world = new WireWorld(8);
        const { peer } = pair(world);
        const ends = new Ends();
        ends.request(peer, KIND_FETCH, 1, NOTHING);
        world.world.run(50);
        world.network.kill("n2", { silent });
        ends.request(peer, KIND_FETCH, 2, NOTHING, 300);
        world.world.run(400);
        check.same(
          [ends.of(1), ends.of(2)],
          ["replied", silent ? "timeout" : "closed"],
          `${silent}`,
        );
        serveFetch(world.node("n2", "b"));
        // The link that is half-open is reset by the new process; then it is dialled anew.
        ends.request(peer, KIND_FETCH, 3, NOTHING, 300);
        world.world.run(200);
        ends.request(peer, KIND_FETCH, 4, NOTHING, 300);
        world.world.run(200);
        check.equal(ends.of(4), "replied", `silent ${silent}: the link is made again`);
      }
    },
  },
  {
    name: "a cut in one direction lets requests time out there and leaves the other links alone",
    run(check) {
      for (const [source, target] of [["n1", "n2"], ["n2", "n1"]]) {
        const world = new WireWorld(9);
        const { n1, n2, peer } = pair(world);
        const n3 = world.node("n3", "c");
        serveFetch(n3);
        const third = n1.peers.peer(n3.id, n3.address);
        const ends = new Ends();
        ends.request(peer, KIND_FETCH, 1, NOTHING);
        world.world.run(50);
        world.network.cutOneWay(source, target);
        ends.request(peer, KIND_FETCH, 2, NOTHING, 300);
        ends.request(third, KIND_FETCH, 3, NOTHING, 300);
        world.world.run(1_000);
        check.same([ends.of(2), ends.of(3)], ["timeout", "replied"], `${source} to ${target}`);
        world.network.heal();
        ends.request(peer, KIND_FETCH, 4, NOTHING, 300);
        world.world.run(1_000);
        check.equal(ends.of(4), "replied", `${source} to ${target}: healed`);
        check.equal(n2.peers.counters.malformed, 0, "nothing was torn");
      }
    },
  },
  {
    name: "handlers that ask again while a link fails are served by the next attempt",
    run(check) {
      const world = new WireWorld(10);
      const { peer } = pair(world);
      let again = 0;
      const handler = {
        replied: () => {},
        failed: (tag: number) => {
          if (++again < 50) peer.request(KIND_FETCH, 0, 0, 0, 500, handler, tag);
        },
      };
      peer.request(KIND_FETCH, 0, 0, 0, 500, handler, 1);
      world.world.run(50);
      peer.request(KIND_FETCH, 0, 0, 0, 500, handler, 2);
      world.network.kill("n2");
      world.world.run(2_000);
      check.equal(again, 50, "each failure came in a turn of its own");
      check.equal(peer.inFlight, 0, "none is in flight");
    },
  },
  {
    name: "the address of a peer may change: the next dial goes there",
    run(check) {
      const world = new WireWorld(11);
      const n1 = world.node("n1", "a");
      serveFetch(world.node("n3", "b"));
      const peer = n1.peers.peer("b".repeat(16), "n2:7071");
      const ends = new Ends();
      ends.request(peer, KIND_FETCH, 1, NOTHING);
      world.world.run(10);
      check.equal(n1.peers.peer("b".repeat(16), "n3:7071"), peer, "the same object");
      ends.request(peer, KIND_FETCH, 2, NOTHING);
      world.world.run(10);
      check.same(
        [ends.of(1), ends.of(2)],
        ["unreachable", "replied"],
        "at once, without a back-off",
      );
    },
  },
  {
    name: "forget() closes the links of a node in both directions; close() ends everything",
    run(check) {
      const world = new WireWorld(12);
      const { n1, n2, peer } = pair(world);
      serveFetch(n1);
      const back = n2.peers.peer(n1.id, n1.address);
      const ends = new Ends();
      ends.request(peer, KIND_FETCH, 1, NOTHING);
      ends.request(back, KIND_FETCH, 2, NOTHING);
      world.world.run(50);
      check.equal(n1.peers.acceptedCount, 1, "one came");
      n1.peers.forget(n2.id);
      check.equal(ends.request(peer, KIND_FETCH, 3, NOTHING), false, "refused for good");
      world.world.run(50);
      check.same([n1.peers.acceptedCount, back.connected], [0, false], "both directions");
      const other = n1.peers.peer(n2.id, n2.address);
      check.ok(other !== peer, "another object, should it come back");
      ends.request(other, KIND_FETCH, 4, NOTHING);
      world.world.run(50);
      ends.request(other, KIND_FETCH, 5, NOTHING);
      n1.peers.close();
      n2.peers.close();
      world.world.run(20_000);
      check.same([ends.of(4), ends.of(5)], ["replied", "closed"], "what waited failed");
      check.same([world.network.openSockets("n1"), world.world.waiting], [0, 0], "all is quiet");
      check.equal(ends.request(other, KIND_FETCH, 6, NOTHING), false, "nothing more is accepted");
    },
  },
];
