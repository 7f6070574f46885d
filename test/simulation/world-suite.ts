/** The simulated clock and network: what tests above rely on, and one trace on every runtime. */

import type { Socket, SocketHandler } from "../../server/ports/network.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";
import { SimulatedClock, WallClock, World } from "./clock.ts";
import { type LinkState, SimulatedNetwork } from "./network.ts";

/** Numbers its one-byte writes; keeps what comes. */
class End implements SocketHandler {
  socket: Socket | null = null;
  readonly got: number[] = [];
  readonly closes: string[] = [];
  opens = 0;
  drains = 0;
  releases = 0;
  lent: Uint8Array | null = null;

  opened(): void {
    this.opens++;
  }
  received(bytes: Uint8Array): void {
    this.got.push(...bytes);
    this.lent = bytes;
  }
  drained(): void {
    this.drains++;
  }
  closed(reason: string): void {
    this.closes.push(reason);
  }
  send(...values: number[]): void {
    this.socket?.write(Uint8Array.from(values), values.length, () => void this.releases++);
  }
}

interface Pair {
  readonly world: World;
  readonly network: SimulatedNetwork;
  readonly clocks: readonly SimulatedClock[];
  readonly near: End;
  readonly far: End;
}

function connected(seed: number, links: LinkState = {}): Pair {
  const world = new World();
  const network = new SimulatedNetwork(world, new SeededRandom(seed), {});
  const clocks = ["n1", "n2"].map((name) => new SimulatedClock(world, name));
  const [near, far] = [new End(), new End()];
  const accept = (socket: Socket): SocketHandler => {
    far.socket = socket;
    return far;
  };
  network.port("n2", clocks[1]).listen("n2:1", accept, () => {});
  world.run(1);
  near.socket = network.port("n1", clocks[0]).connect("n2:1", near);
  world.run(10);
  network.setBoth("n1", "n2", links);
  return { world, network, clocks, near, far };
}

function count(values: readonly number[], value: number): number {
  return values.filter((one) => one === value).length;
}

export const suite: Case[] = [
  {
    name: "World lets events happen by time, then in the order of entry",
    run(check) {
      const world = new World();
      const random = new SeededRandom(3);
      const happened: [number, number][] = [];
      const clock = new SimulatedClock(world, "n1");
      for (let order = 0; order < 2_000; order++) {
        const delayMs = random.below(50);
        const timer = clock.after(delayMs, () => happened.push([delayMs, order]));
        if (random.chance(1, 4)) timer.cancel();
      }
      world.run(100);
      const sorted = [...happened].sort((left, right) => left[0] - right[0] || left[1] - right[1]);
      check.same(happened, sorted, "sorted");
      check.ok(happened.length > 1_300 && happened.length < 1_700, "cancelled ones never happen");
      check.equal(world.elapsedMs, 100, "time has passed");
    },
  },
  {
    name: "a paused clock catches up in order, a killed one never fires, others go on",
    run(check) {
      const world = new World();
      const [paused, killed, other] = ["n1", "n2", "n3"].map((name) =>
        new SimulatedClock(world, name)
      );
      const happened: string[] = [];
      for (const [clock, name] of [[paused, "p"], [killed, "k"], [other, "o"]] as const) {
        for (const ms of [30, 20, 10]) {
          clock.after(ms, () => happened.push(`${name}${ms}@${world.elapsedMs}`));
        }
      }
      world.run(15);
      paused.pause(100);
      killed.kill();
      world.run(200);
      check.same(
        happened,
        ["p10@10", "k10@10", "o10@10", "o20@20", "o30@30", "p20@115", "p30@115"],
        "events",
      );
    },
  },
  {
    name: "wall clocks jump and drift, elapsed time does not",
    run(check) {
      const world = new World();
      const wall = new WallClock(world, 500, 100);
      const clock = new SimulatedClock(world, "n1", wall);
      const reference = new SimulatedClock(world, "n2");
      const ahead = (): number => clock.nowMs() - reference.nowMs();
      check.equal(ahead(), 500, "offset");
      world.run(100_000);
      check.equal(ahead(), 510, "100 ppm over 100 s");
      wall.jump(-3_600_000);
      check.equal(ahead(), 510 - 3_600_000, "a jump back");
      wall.setDrift(0);
      world.run(100_000);
      check.equal(ahead(), 510 - 3_600_000, "no drift any more");
      check.equal(clock.elapsedMs(), 200_000, "elapsed");
      const successor = new SimulatedClock(world, "n1", wall);
      check.equal(successor.nowMs(), clock.nowMs(), "the machine's date outlives the process");
    },
  },
  {
    name: "a connection delivers in order, releases buffers later, and takes lent bytes back",
    run(check) {
      const { world, near, far } = connected(1, { delayMsMean: 50, splitPermille: 300 });
      const wanted = Array.from({ length: 200 }, (_none, index) => index);
      for (const value of wanted) {
        near.send(value);
        if (value % 7 === 0) world.run(3);
      }
      check.ok(near.releases < 200, "not before the turn ends");
      world.run(500);
      check.same(far.got, wanted, "in order");
      check.same([near.releases, near.socket?.pendingBytes()], [200, 0], "released");
      check.ok(near.drains > 0, "and told");
      check.ok(far.lent?.every((byte) => byte === 0xdb), "what was lent is scribbled over");
    },
  },
  {
    name: "links lose and repeat whole writes, at the rates that were asked for",
    run(check) {
      const { world, network, near, far } = connected(2, {
        lossPermille: 300,
        duplicatePermille: 500,
      });
      for (let round = 0; round < 1_000; round++) {
        near.send(1, 2, 3);
        world.run(1);
      }
      world.run(100);
      const link = network.link("n1", "n2");
      check.ok(link.lost > 240 && link.lost < 360, `${link.lost} of 1,000 lost`);
      check.equal(count(far.got, 1), 1_000 - link.lost + link.duplicated, "whole writes");
      const torn = far.got.some((value, index) => value !== (index % 3) + 1);
      check.equal(torn, false, "none is torn");
    },
  },
  {
    name: "a cut swallows one direction, a clog holds it back, heal() ends both",
    run(check) {
      const { world, network, near, far } = connected(3);
      network.cutOneWay("n1", "n2");
      near.send(1);
      far.send(1);
      world.run(50);
      check.same([far.got, near.got], [[], [1]], "cut one way");
      network.heal();
      network.clog("n1", "n2", 1_000);
      near.send(2);
      world.run(900);
      check.same(far.got, [], "clogged");
      near.send(3);
      world.run(200);
      check.same(far.got, [2, 3], "after the clog, in order, without what was cut");
    },
  },
  {
    name: "a reader that pauses holds the sender back beyond the kernel's 256 KiB",
    run(check) {
      const { world, near, far } = connected(4);
      far.socket?.pause();
      const block = new Uint8Array(100_000);
      for (let round = 0; round < 10; round++) near.socket?.write(block, block.length, () => {});
      world.run(100);
      check.same(
        [far.got.length, near.socket?.pendingBytes()],
        [0, 700_000],
        "three of ten are taken",
      );
      far.socket?.resume();
      world.run(1_000);
      check.equal(near.socket?.pendingBytes(), 0, "all are taken");
    },
  },
  {
    name: "connecting is refused where nobody listens, and times out where nobody is",
    run(check) {
      const { world, network, clocks } = connected(5);
      const port = network.port("n1", clocks[0]);
      const [refused, cut, down] = [new End(), new End(), new End()];
      port.connect("n2:9", refused);
      network.cut("n1", "n3");
      network.kill("n4", { silent: true });
      port.connect("n3:1", cut);
      port.connect("n4:1", down);
      world.run(100);
      check.same([refused.closes, cut.closes], [["nothing listens there"], []], "refused at once");
      world.run(10_000);
      check.same(
        [cut.closes, down.closes],
        [["no answer in time"], ["no answer in time"]],
        "timed out",
      );
    },
  },
  {
    name: "a killed process is told to the other side, a silent one is not, until its host is back",
    run(check) {
      const told = connected(6);
      told.network.kill("n2");
      told.world.run(100);
      check.equal(told.near.closes.length, 1, "told");
      const { world, network, near, far } = connected(7);
      network.kill("n2", { silent: true });
      near.send(1);
      world.run(60_000);
      check.same([near.closes, far.got], [[], []], "half-open");
      network.port("n2", new SimulatedClock(world, "n2"));
      near.send(2);
      world.run(100);
      check.same(near.closes, ["the other side broke the connection"], "reset by the new process");
      check.same([network.openSockets("n1"), far.closes], [0, []], "the dead are told nothing");
    },
  },
  {
    name: "close() is told once at both ends, behind what was sent",
    run(check) {
      const { world, near, far } = connected(8);
      near.send(1, 2, 3);
      world.run(0.01);
      near.socket?.close("done");
      near.socket?.close("again");
      near.send(4);
      world.run(100);
      check.same([near.closes, far.closes], [["done"], ["closed by the other side"]], "once each");
      check.same(far.got, [1, 2, 3], "the bytes came first");
    },
  },
  {
    name: "a seed gives one trace, on every runtime",
    run(check) {
      const digests = [1, 1, 2].map((seed) => {
        const links = {
          lossPermille: 200,
          duplicatePermille: 300,
          splitPermille: 200,
          delayMsMean: 7,
        };
        const { world, network, near, far } = connected(seed, links);
        for (let round = 0; round < 500; round++) {
          near.send(round & 255, 1);
          far.send(round & 255);
          if (round % 50 === 0) network.clog("n1", "n2", 30);
          world.run(1.7);
        }
        world.run(1_000);
        return [world.digest, world.events, near.got.length, far.got.length];
      });
      check.same(digests[0], digests[1], "the same seed");
      check.ok(digests[0][0] !== digests[2][0], "another seed");
      check.same(digests[0], TRACE_OF_SEED_1, "the trace that was written down");
    },
  },
];

/** Changes when the simulation itself does; must not change from one runtime to another. */
const TRACE_OF_SEED_1 = [-1679182258, 3388, 522, 1088];
