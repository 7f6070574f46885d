/** Staging, planning, committing and reverting changes of the layout, at several nodes at once. */

import t from "tap";
import type { Committed, Order } from "../../../server/membership/administration.ts";
import type { Membership } from "../../../server/membership/membership.ts";
import { Community, type Machine } from "./community.ts";

function formed(seed: number, count: number, partitions = 64): Community {
  const community = new Community(seed, count, { config: { partitions } });
  if (!community.form()) throw new Error(community.logs());
  return community;
}

function stage(machine: Machine, ...orders: Order[]): void {
  const staging = machine.membership.administration.stage(orders);
  if (staging.status !== "done") throw new Error(staging.sentence);
}

/** What refuses an order; "" where it is staged. */
function refusalOf(machine: Machine, order: Order): string {
  const staging = machine.membership.administration.stage([order]);
  return staging.status === "done" ? "" : staging.sentence;
}

const planOf = ({ administration }: Membership) => administration.plan(() => 100);

function commit(
  community: Community,
  machine: Machine,
  order: { version?: number; token?: string; isForced?: boolean } = {},
): Committed {
  const { administration, layouts } = machine.membership;
  const { version = layouts.newestNumber, token = "", isForced = false } = order;
  const outcomes: Committed[] = [];
  administration.commit({ version, token, isForced }, (outcome) => outcomes.push(outcome));
  community.world.runUntil(() => outcomes.length > 0, 20_000);
  return outcomes[0];
}

function slotsByName({ layouts }: Membership): Record<string, number> {
  const slots = layouts.current.slotsOfNodes();
  return Object.fromEntries(layouts.current.nodes.map(({ name }, index) => [name, slots[index]]));
}

const sentenceOf = (outcome: Committed): string => "sentence" in outcome ? outcome.sentence : "";

/** Lets time pass until the machines that run agree on one layout of so many nodes. */
function settles(community: Community, machines: readonly Machine[], nodes: number): boolean {
  return community.world.runUntil(() => {
    return machines.every(({ process }) => {
      const layouts = process?.membership.layouts;
      return layouts?.live.length === 1 && layouts.current.nodes.length === nodes;
    });
  }, 60_000);
}

t.test("what is staged at one node is every node's plan, and a commit carries it out", async (t) => {
  const community = formed(31, 5, 1_024);
  const [a, b, c] = community.machines;
  stage(a, { change: "change", node: "n3", capacity: 2 });
  t.ok(community.world.runUntil(() => {
    return new Set(community.machines.map(({ membership }) => planOf(membership).token)).size === 1;
  }, 10_000), "the change spreads");
  const plan = planOf(c.membership);
  const other = { ...planOf(b.membership), staged: [] };
  t.same({ ...plan, staged: [] }, other, "the same plan everywhere");
  const third = plan.nodes.find(({ name }) => name === "n3");
  t.equal(plan.refusal, "");
  t.equal(third?.slotsAfter, 1_024, "of 3,072 slots a node of capacity 2 among 5 has two sixths");
  t.equal(plan.movedSlots, 1_024 - (third?.slotsBefore ?? 0), "nothing else moves");
  t.equal(plan.movedBytes, 100 * plan.movedSlots);
  const gained = third?.gains.reduce((sum, { partitions }) => sum + partitions, 0);
  t.equal(gained, plan.movedSlots, "it says from whom");
  t.ok(plan.balanceAfter > 0.99 && plan.balanceBefore > 0.99);
  t.equal(commit(community, b, { token: plan.token }).status, "done");
  t.ok(settles(community, community.machines, 5), community.logs());
  t.equal(slotsByName(a.membership)["n3"], 1_024);
  t.same(planOf(a.membership).staged, [], "what is committed is staged no longer");
  const [event] = a.membership.history.slice(-1);
  t.match(event, { kind: "changed", name: "n3", note: "capacity 1 to 2" });
  t.equal(event?.issuer, b.membership.self.id, "who committed it");
});

t.test("a commit against an older layout, or another set of changes, is refused", async (t) => {
  const community = formed(32, 3);
  const [a, b] = community.machines;
  t.match(commit(community, a), { status: "refused", sentence: /^Nothing is staged/ });
  stage(a, { change: "change", node: "n0", zone: "east" });
  const { version, token } = planOf(a.membership);
  t.match(commit(community, a, { version: version - 1 }), { status: "stale" });
  t.match(commit(community, a, { version: version + 1 }), { status: "stale" });
  stage(a, { change: "change", node: "n1", zone: "west" });
  const outcome = commit(community, a, { version, token });
  t.match(outcome, { status: "stale", sentence: /look at the plan again$/ });
  t.equal(a.membership.layouts.newestNumber, version, "nothing happened");
  t.equal(commit(community, b, { version }).status, "refused", "b has not heard of it yet");
  t.equal(commit(community, a, { version }).status, "done");
});

t.test("two administrators commit at once: one wins, one has to look again", async (t) => {
  for (let seed = 40; seed < 52; seed++) {
    const community = formed(seed, 4);
    const [a, b] = community.machines;
    stage(a, { change: "change", node: "n2", capacity: 2 });
    stage(b, { change: "change", node: "n3", capacity: 3 });
    community.world.run(seed % 2 === 0 ? 0 : 3_000);
    const version = a.membership.layouts.newestNumber;
    const outcomes: Committed[] = [];
    for (const { membership } of [a, b]) {
      const order = { version, token: "", isForced: false };
      membership.administration.commit(order, (outcome) => outcomes.push(outcome));
      community.world.run(community.random.below(3));
    }
    t.ok(community.world.runUntil(() => outcomes.length === 2, 20_000));
    const won = outcomes.filter(({ status }) => status === "done").length;
    const lost = outcomes.filter(({ status }) => status === "stale").length;
    t.ok(won >= 1 && won + lost === 2, `seed ${seed}: ${outcomes.map(({ status }) => status).join()}`);
    t.ok(settles(community, community.machines, 4), community.logs());
    t.same(community.twins, [], "one layout a number");
    const left = planOf(a.membership).staged.length;
    t.equal(left, planOf(b.membership).staged.length, "both see what is left to do");
  }
});

t.test("without a majority a commit is none, and later there is one layout", async (t) => {
  const community = formed(33, 3);
  const [a, b, c] = community.machines;
  community.network.cut("n0", "n1");
  community.network.cut("n0", "n2");
  stage(a, { change: "change", node: "n0", capacity: 2 });
  const outcome = commit(community, a);
  t.match(outcome, { status: "minority", sentence: /^No majority of the 3 nodes/ });
  stage(b, { change: "change", node: "n1", capacity: 3 });
  t.equal(commit(community, b).status, "done", "the others go on");
  community.network.heal();
  t.ok(settles(community, [a, b, c], 3), community.logs());
  t.same(community.twins, []);
  const capacities = a.membership.layouts.current.nodes.map(({ name, capacity }) => [name, capacity]);
  t.same(new Map(capacities as [string, number][]).get("n1"), 3);
});

t.test("what is staged can be reverted, survives a restart, and does not come back", async (t) => {
  const community = formed(34, 3);
  const [a, b] = community.machines;
  stage(a, { change: "change", node: "n1", capacity: 7 }, { change: "change", node: "n2", zone: "z" });
  t.match(refusalOf(a, { change: "change", node: "n9", capacity: 1 }), /^There is no member n9/);
  t.match(refusalOf(a, { change: "change", node: "n1", capacity: 0 }), /^Neither a capacity/);
  t.match(refusalOf(a, { change: "change", node: "n1", capacity: 1e9 + 1 }), /from 1 to 1000000000$/);
  t.equal(refusalOf(a, { change: "change", node: "n1", capacity: 1e9 }), "");
  t.match(refusalOf(a, { change: "change", node: "n1", zone: "z".repeat(256) }), /at most 255$/);
  const before = planOf(a.membership).token;
  a.start();
  community.world.run(100);
  t.equal(planOf(a.membership).token, before, "after a restart");
  community.world.run(5_000);
  for (const { name } of [{ name: "n1" }, { name: "n2" }]) {
    t.equal(b.membership.administration.revert(name).status, "done");
  }
  t.match(b.membership.administration.revert("n1"), { status: "refused" });
  community.world.run(5_000);
  t.match(commit(community, a), { status: "refused", sentence: /^Nothing is staged/ });
});

t.test("a node that comes staged waits for its commit; asking twice makes one member", async (t) => {
  const community = formed(35, 3);
  const [a, b] = community.machines;
  const late = community.addMachine();
  late.start({ join: [a.address, b.address], joinStaged: true, capacity: 2 });
  community.world.run(8_000);
  t.notOk(late.membership.ready);
  t.match(late.membership.detail, /It waits until an administrator commits it/);
  const { staged } = planOf(b.membership);
  t.match(staged, [{ kind: "join", attributes: { name: "n3", capacity: 2 } }], "once, everywhere");
  t.equal(b.membership.administration.revert(null).status, "done");
  community.world.run(12_000);
  t.match(planOf(a.membership).staged, [{ kind: "waiting" }], "a reverted join is not staged again");
  t.match(late.membership.detail, /halo cluster join/);
  stage(a, { change: "join", node: "n3" });
  t.equal(commit(community, a).status, "done");
  t.ok(settles(community, community.machines, 4), community.logs());
  t.equal(a.membership.members.filter(({ name }) => name === "n3").length, 1);
  t.equal(a.membership.history.filter(({ name }) => name === "n3").length, 1);
  t.same(planOf(a.membership).staged, []);
});

t.test("a node leaves: it stays until it holds nothing, and its directory is refused then", async (t) => {
  const community = formed(37, 4);
  const [a, b, c, d] = community.machines;
  const { id } = d.membership.self;
  stage(a, { change: "leave", node: "n3" });
  t.equal(commit(community, a).status, "done");
  t.ok(community.world.runUntil(() => {
    return community.machines.every(({ membership }) => {
      return membership.layouts.live.length === 1 && membership.layouts.current.indexOf(id) < 0;
    });
  }, 30_000), community.logs());
  t.equal(b.membership.memberById(id)?.status, "leaving", "until it says that it is empty");
  t.ok(d.membership.ready);
  t.notOk(d.membership.coordinates, "nobody waits for it any more");
  t.match(refusalOf(b, { change: "leave", node: "n3" }), /is leaving already/);
  d.membership.reportDrained();
  t.ok(community.world.runUntil(() => d.membership.stage === "removed", 20_000), community.logs());
  t.match(d.membership.detail, /has left this cluster/);
  t.ok(community.world.runUntil(() => {
    return [a, b, c].every(({ membership }) => membership.memberById(id)?.status === "left");
  }, 20_000));
  t.same(a.membership.members.map(({ name }) => name).sort(), ["n0", "n1", "n2"]);
  const again = d.start({ join: [a.address] });
  community.world.run(100);
  t.match(again.startError, /^Cannot start: Node .* has left this cluster/);
  d.wipe();
  d.start({ join: [a.address] });
  t.ok(settles(community, community.machines, 4), "with an empty directory it is a new node");
  t.match(a.membership.history.filter(({ name }) => name === "n3").map(({ kind }) => kind), [
    "joined",
    "left",
    "joined",
  ]);
});

t.test("a node that has left ends when more than one know of it, and the news outlives the first", async (t) => {
  const community = formed(39, 5);
  const [a, , , , e] = community.machines;
  const { id } = e.membership.self;
  stage(a, { change: "leave", node: "n4" });
  t.equal(commit(community, a).status, "done");
  t.ok(community.world.runUntil(() => {
    return community.machines.every(({ membership }) => membership.layouts.live.length === 1);
  }, 30_000), community.logs());
  // It reaches one of four alone, and that one nobody: who is told so dies with what it was told.
  for (const name of ["n1", "n2", "n3"]) for (const other of ["n0", "n4"]) community.network.cut(other, name);
  e.membership.reportDrained();
  const knows = (): boolean => a.membership.memberById(id)?.status === "left";
  t.ok(community.world.runUntil(knows, 60_000), community.logs());
  community.world.run(30_000);
  t.ok(e.membership.ready, "it goes on until the others know");
  a.crash();
  for (const name of ["n1", "n2", "n3"]) for (const other of ["n0", "n4"]) community.network.heal(other, name);
  t.ok(community.world.runUntil(() => e.membership.stage === "removed", 60_000), community.logs());
  t.ok(community.world.runUntil(() => {
    return community.machines.slice(1, 4).every(({ membership }) => membership.memberById(id)?.status === "left");
  }, 20_000), "all who are left know");
});

t.test("a dead node is removed, and refused when it comes back", async (t) => {
  const community = formed(38, 4);
  const [a, b, c, d] = community.machines;
  const { id } = d.membership.self;
  t.match(refusalOf(a, { change: "remove", node: "n3" }), /answers: let it leave/);
  t.match(refusalOf(a, { change: "remove", node: "n0" }), /is the node that was asked/);
  d.crash();
  t.ok(community.world.runUntil(() => a.membership.memberById(id)?.healthy === false, 20_000));
  stage(a, { change: "remove", node: id });
  t.equal(commit(community, a).status, "done");
  t.ok(settles(community, [a, b, c], 3), community.logs());
  const back = d.start();
  community.world.run(30_000);
  t.equal(back.membership.stage, "removed");
  t.match(back.membership.detail, /was removed from this cluster/);
  const again = d.start();
  community.world.run(100);
  t.match(again.startError, /^Cannot start: Node .* was removed/, "at once, the next time");
});

t.test("fewer nodes than copies, and partitions without a holder, are refused or forced", async (t) => {
  const community = formed(39, 3);
  const [a, b, c] = community.machines;
  stage(a, { change: "leave", node: "n2" });
  const plan = planOf(a.membership);
  t.match(plan.refusal, /^2 nodes would be left, and 3 copies want 3 distinct nodes/);
  t.ok(plan.isForceable);
  t.match(commit(community, a), { status: "refused", sentence: /^2 nodes would be left/ });
  a.membership.administration.revert(null);
  b.crash();
  c.crash();
  community.world.run(20_000);
  stage(a, { change: "remove", node: "n1" }, { change: "remove", node: "n2" });
  t.match(commit(community, a, { isForced: false }), { status: "refused" });
  t.equal(commit(community, a, { isForced: true }).status, "done", "the survivor decides");
  t.ok(settles(community, [a], 1), community.logs());
  t.match(sentenceOf(commit(community, a)), /^Nothing is staged/);
});

t.test("the last holders of a partition cannot be removed", async (t) => {
  const community = formed(53, 6, 64);
  const { machines } = community;
  const [a] = machines;
  community.syncs = false;
  const { current } = a.membership.layouts;
  const row = [...current.owners.subarray(0, 3)].map((node) => current.nodes[node]);
  const dead = machines.filter(({ membership }) => row.some(({ id }) => id === membership.self.id));
  const rest = machines.filter((machine) => !dead.includes(machine));
  for (const machine of dead) machine.crash();
  community.world.run(20_000);
  for (const { name } of dead) stage(rest[0], { change: "remove", node: name });
  const { refusal } = planOf(rest[0].membership);
  t.match(refusal, /^\d+ partitions would be left without a node that holds them/);
});

t.test("a replacement gets the slots of whom it replaces, and nothing else moves", async (t) => {
  const community = formed(54, 4);
  const [a, b, c, d] = community.machines;
  const before = a.membership.layouts.current;
  const { id } = d.membership.self;
  const slots = slotsByName(a.membership)["n3"];
  d.crash();
  t.ok(community.world.runUntil(() => a.membership.memberById(id)?.healthy === false, 20_000));
  const spare = community.addMachine();
  // A new machine under the dead one's name: it can but replace it.
  spare.start({ name: "n3", join: [a.address], joinStaged: true });
  community.world.run(5_000);
  t.match(spare.membership.detail, /waits to replace that one/);
  t.match(refusalOf(a, { change: "replace", node: "n3", by: "n9" }), /^No node n9 asks/);
  stage(a, { change: "replace", node: id, by: "n3" });
  const plan = planOf(a.membership);
  t.equal(plan.movedSlots, slots);
  t.equal(commit(community, a).status, "done");
  t.ok(settles(community, [a, b, c, spare], 4), community.logs());
  const { current } = a.membership.layouts;
  const heir = current.nodes.find(({ name }) => name === "n3")?.id ?? "";
  t.not(heir, id);
  for (let partition = 0; partition < current.partitions; partition++) {
    t.equal(current.owns(heir, partition), before.owns(id, partition), `partition ${partition}`);
  }
});

t.test("a node that leaves may die on the way, and is removed then", async (t) => {
  const community = formed(55, 4);
  const [a, b, c, d] = community.machines;
  const { id } = d.membership.self;
  community.syncs = false;
  stage(a, { change: "leave", node: "n3" });
  t.equal(commit(community, a).status, "done");
  d.crash();
  t.ok(community.world.runUntil(() => b.membership.memberById(id)?.healthy === false, 20_000));
  t.equal(a.membership.memberById(id)?.status, "leaving");
  community.syncs = true;
  community.world.run(3_000);
  stage(b, { change: "remove", node: "n3" });
  t.equal(commit(community, b).status, "done");
  t.ok(settles(community, [a, b, c], 3), community.logs());
  t.equal(c.membership.memberById(id)?.status, "removed");
});
