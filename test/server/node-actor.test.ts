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
  return { world, disk, said, actor, ports };
}

t.test("a new actor that the disk does not take is written once it does; until then no version is made", (tt) => {
  const { world, disk, actor } = bed();
  const before = actor.text;
  actor.nextCounter();
  disk.full = true;
  actor.renew();
  tt.throws(() => actor.nextCounter(), /could not be written/, "no counter");
  tt.equal(actor.text, "", "nobody");
  world.run(10_000);
  disk.full = false;
  world.run(30_000);
  tt.match(actor.text, /^[0-9a-f]{16}$/, "somebody");
  tt.not(actor.text, before, "and somebody else");
  tt.equal(actor.nextCounter(), 1, "who begins to count");
  tt.end();
});

t.test("a node that is closed meanwhile writes no actor", (tt) => {
  const { world, disk, actor } = bed();
  disk.full = true;
  actor.renew();
  actor.close(0, 0);
  disk.full = false;
  const held = disk.files.get("actor");
  world.run(60_000);
  tt.equal(disk.files.get("actor"), held, "the file is as it was");
  tt.end();
});

t.test("a new actor whose loss cannot be recorded makes versions, and the next start knows of the loss", (tt) => {
  const { disk, said, actor, ports } = bed();
  disk.replacementsLeft = 1;
  actor.renew();
  tt.equal(actor.nextCounter(), 1, "it counts");
  tt.match(said.join("\n"), /goes on as a new actor\nthe store will be compared/, "what is told");
  disk.replacementsLeft = Infinity;
  const next = new NodeActor(ports);
  next.open(true);
  tt.equal(next.current.mayHaveLost, true, "the loss is known");
  tt.end();
});
