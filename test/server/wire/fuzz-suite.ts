/**
 * Mutated frames against a live node: it may answer or hang up, but never throw, never hold more
 * memory than it should, and the next client is served as if nothing had been.
 *
 * Repeat a failure with SEED=<seed> bun test/runtimes.ts wire/fuzz; FRAMES=<count> for a longer
 * one.
 */

import process from "node:process";
import { KIND_FETCH, KIND_MESSAGE, KIND_PING, REPLY_BIT } from "../../../core/frame.ts";
import { encodeMessage } from "../../../server/wire/messages.ts";
import { roundsHere, SeededRandom, seedFrom } from "../../random.ts";
import type { Case } from "../../suite.ts";
import {
  concat,
  frameOf,
  helloOf,
  KIND_HELLO_REPLY,
  type RawLink,
  WireWorld,
} from "./wire-world.ts";

const FRAMES = seedFrom(process.env.FRAMES, roundsHere(20_000));
const NOTHING = new Uint8Array(0);
const LENGTHS = [0, 1, 11, 12, 13, 0x7fffffff, 0x80000000, 0xffffffff, 65 << 20, 1 << 20, 200];

function validFrame(random: SeededRandom, correlation: number): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return frameOf(KIND_PING, correlation, NOTHING);
    case 1:
      return frameOf(KIND_MESSAGE, correlation, encodeMessage(["echo", { a: [1, "b"], c: null }]));
    case 2:
      return frameOf(KIND_MESSAGE, correlation, encodeMessage(["none", random.uint32()]));
    case 3:
      return helloOf();
    case 4:
      return frameOf(KIND_HELLO_REPLY, correlation, encodeMessage({ protocol: 1 }));
    default: {
      const body = new Uint8Array(random.below(random.chance(1, 20) ? 70_000 : 100));
      random.fill(body);
      return frameOf(KIND_FETCH, correlation, body);
    }
  }
}

/**
 * One of: a wrong length, flipped bytes, a cut, a doubled part, another kind; or nothing at all.
 */
function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const mutated = bytes.slice();
  switch (random.below(7)) {
    case 0:
      new DataView(mutated.buffer).setUint32(0, LENGTHS[random.below(LENGTHS.length)], true);
      return mutated;
    case 1:
      for (let flips = 1 + random.below(4); flips > 0; flips--) {
        mutated[random.below(mutated.length)] ^= 1 << random.below(8);
      }
      return mutated;
    case 2:
      return mutated.slice(0, random.below(mutated.length));
    case 3:
      return concat(mutated.slice(0, random.below(mutated.length)), mutated);
    case 4:
      mutated[4] = random.uint32();
      return mutated;
    case 5:
      for (let at = 16; at < mutated.length; at++) {
        if (random.chance(1, 8)) mutated[at] = random.uint32();
      }
      return mutated;
    default:
      return mutated;
  }
}

function sendInPieces(link: RawLink, bytes: Uint8Array, random: SeededRandom): void {
  if (random.chance(3, 4)) {
    link.send(bytes);
    return;
  }
  for (let start = 0; start < bytes.length;) {
    const end = start + 1 + random.below(bytes.length);
    link.send(bytes.slice(start, end));
    start = end;
  }
}

export const suite: Case[] = [
  {
    name: `${FRAMES} mutated frames do a node no harm and leave the next client unaffected`,
    run(check) {
      const seed = seedFrom(process.env.SEED, 20_261_120);
      const random = new SeededRandom(seed);
      const world = new WireWorld(seed);
      const n1 = world.node("n1", "a");
      n1.peers.onRequest(KIND_FETCH, (frame, connection) => {
        connection.reserve(KIND_FETCH | REPLY_BIT, 0, 0, frame.correlation, 0, 0);
      });
      let connections = 0;
      let held = 0;
      let link: RawLink | null = null;
      for (let frame = 0; frame < FRAMES; frame++) {
        if (link === null || !link.isOpen) {
          link?.close();
          link = world.raw("n1:7071");
          connections++;
          world.world.run(3);
          if (random.chance(9, 10)) sendInPieces(link, helloOf(), random);
        }
        sendInPieces(link, mutate(validFrame(random, frame + 1), random), random);
        if (random.chance(2, 3)) world.world.run(3);
        if (random.chance(1, 12)) {
          link.close();
          link = null;
        }
        held = Math.max(held, n1.peers.acceptedCount);
      }
      link?.close();
      world.world.run(10_000);
      const again = `SEED=${seed} bun test/runtimes.ts wire/fuzz`;
      check.ok(
        n1.peers.counters.malformed > FRAMES / 20,
        `${n1.peers.counters.malformed} malformed`,
      );
      check.ok(
        n1.peers.counters.framesIn > FRAMES / 10,
        `${n1.peers.counters.framesIn} frames read`,
      );
      check.ok(connections > 100, `${connections} connections`);
      check.ok(held <= 5, `${held} links at a time; again: ${again}`);
      check.equal(n1.peers.acceptedCount, 0, `no link is left; again: ${again}`);
      check.equal(n1.peers.wheel.pending, 0, `no timer is left; again: ${again}`);
      const next = world.raw("n1:7071");
      world.world.run(10);
      next.send(concat(helloOf(), frameOf(KIND_PING, 77, NOTHING)));
      world.world.run(10);
      check.same(
        next.frames.map((frame) => frame.correlation),
        [0, 77],
        `the next client is served; again: ${again}`,
      );
    },
  },
];
