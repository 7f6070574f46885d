import t from "tap";
import { NodeActor } from "../../server/node-actor.ts";
import { SeededRandom } from "../random.ts";
import { SimulatedClock, World } from "../simulation/clock.ts";
import { SimulatedMemory } from "../simulation/memory.ts";
import { SimulatedNetwork } from "../simulation/network.ts";
import { SmallDisk } from "./membership/small-disk.ts";

function bed() {
  const world = new World();
  const clock = new SimulatedClock(world, "n");
  const disk = new SmallDisk();
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const log = { info: say, warn: say, error: say };
  const random = new SeededRandom(1);
  const network = new SimulatedNetwork(world, new SeededRandom(2)).port("n", clock);
  const ports = { clock, disk, log, random, network, memory: new SimulatedMemory(), bootId: "one" };
  const actor = new NodeActor(ports);
  actor.open(true);
  return { disk, said, actor, ports };
}

t.test("where no new actor can be written nothing may be forgotten, and the node goes on as who it is", (tt) => {
  const { disk, actor } = bed();
  const before = actor.text;
  const counter = actor.nextCounter();
  disk.full = true;
  tt.equal(actor.renew(), false, "not now");
  tt.same([actor.text, actor.nextCounter()], [before, counter + 1], "it still remembers");
  disk.full = false;
  tt.equal(actor.renew(), true, "now");
  tt.not(actor.text, before, "as somebody else");
  tt.equal(actor.nextCounter(), 1, "who begins to count");
  tt.end();
});

t.test("what may be forgotten was made by none who comes back after kill -9", (tt) => {
  const { actor, ports } = bed();
  const before = actor.text;
  actor.nextCounter();
  tt.equal(actor.renew(), true, "dots may be forgotten, and the process dies");
  const next = new NodeActor(ports);
  next.open(true);
  tt.not(next.text, before, "its successor comes back");
  tt.end();
});

t.test("an actor that made no version stays: it has none to forget", (tt) => {
  const { actor, ports } = bed();
  const before = actor.text;
  tt.equal(actor.renew(), true, "anything may be forgotten");
  tt.equal(actor.text, before, "by the same");
  const next = new NodeActor(ports);
  next.open(true);
  tt.equal(next.renew(), true, "it may have made some before it was started again");
  tt.not(next.text, before, "so it goes");
  tt.end();
});

t.test("a new actor whose loss cannot be recorded makes versions, and the next start knows of the loss", (tt) => {
  const { disk, said, actor, ports } = bed();
  disk.replacementsLeft = 1;
  actor.nextCounter();
  actor.renew();
  tt.equal(actor.nextCounter(), 1, "it counts");
  tt.match(said.join("\n"), /goes on as a new actor\nthe store will be compared/, "what is told");
  disk.replacementsLeft = Infinity;
  const next = new NodeActor(ports);
  next.open(true);
  tt.equal(next.current.mayHaveLost, true, "the loss is known");
  tt.end();
});
