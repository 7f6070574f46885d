/** Failure detection: deaths of all kinds, seen without any user's request, and recoveries. */

import t from "tap";
import { Community } from "./community.ts";

/** What machine `left` thinks of machine `right`. */
function trusts(community: Community, left: number, right: number): boolean {
  const { membership } = community.machines[left];
  const name = `n${right}`;
  return membership.members.find((member) => member.name === name)?.healthy === true;
}

function formed(seed: number): Community {
  const community = new Community(seed, 3);
  if (!community.form()) throw new Error(community.logs());
  community.world.run(5_000);
  return community;
}

t.test("a process that dies is suspected at once by all", async (t) => {
  const community = formed(51);
  community.machines[1].crash();
  t.ok(community.world.runUntil(() => !trusts(community, 0, 1), 100));
  t.ok(community.world.runUntil(() => !trusts(community, 2, 1), 100));
  t.ok(trusts(community, 0, 2));
});

t.test("a machine that dies silently is suspected without user traffic", async (t) => {
  const community = formed(52);
  community.machines[1].crash({ silent: true });
  t.ok(community.world.runUntil(() => !trusts(community, 0, 1), 4_000), "within 4 s");
  t.ok(trusts(community, 0, 2));
});

t.test("one-way: who is not heard is suspected, by whom it concerns only", async (t) => {
  const community = formed(53);
  community.network.cutOneWay("n0", "n1");
  community.world.run(5_000);
  t.notOk(trusts(community, 0, 1), "0 cannot reach 1");
  t.notOk(trusts(community, 1, 0), "1 gets no answers from 0");
  t.ok(trusts(community, 2, 1));
  t.ok(trusts(community, 2, 0));
  t.ok(trusts(community, 0, 2));
});

t.test("a slow peer is not suspected while it answers in time", async (t) => {
  const community = formed(54);
  community.network.setBoth("n0", "n1", { delayMsMin: 80, delayMsMean: 150 });
  for (let second = 0; second < 30; second++) {
    community.world.run(1_000);
    if (!trusts(community, 0, 1) || !trusts(community, 1, 0)) t.fail(`suspected at ${second} s`);
  }
  t.ok(trusts(community, 0, 1));
});

t.test("a suspected peer that comes back is told of once", async (t) => {
  const community = formed(55);
  const process = community.machines[0].process;
  community.network.cut("n0", "n1");
  community.world.run(20_000);
  t.notOk(trusts(community, 0, 1));
  t.same(process?.recovered, []);
  community.network.heal();
  t.ok(community.world.runUntil(() => trusts(community, 0, 1), 12_000), community.logs());
  community.world.run(10_000);
  t.same(process?.recovered, ["n1"]);
});

t.test("a restarted peer recovers", async (t) => {
  const community = formed(56);
  community.machines[1].crash();
  community.world.run(10_000);
  t.notOk(trusts(community, 0, 1));
  community.machines[1].start();
  t.ok(community.world.runUntil(() => trusts(community, 0, 1) && trusts(community, 1, 0), 12_000));
});

t.test("lost messages now and then are no reason to suspect", async (t) => {
  const community = formed(57);
  community.network.setAll({ lossPermille: 20 });
  let doubts = 0;
  for (let second = 0; second < 60; second++) {
    community.world.run(1_000);
    if (!trusts(community, 0, 1) || !trusts(community, 1, 2)) doubts++;
  }
  t.ok(doubts < 6, `${doubts} of 60 s`);
});

t.test("probes of a dead peer get rarer", async (t) => {
  const community = formed(58);
  const { machines, network } = community;
  network.cut("n0", "n1");
  community.world.run(30_000);
  const before = machines[0].process?.peers.counters.dialled ?? 0;
  community.world.run(60_000);
  const dialled = (machines[0].process?.peers.counters.dialled ?? 0) - before;
  t.ok(dialled <= 30, `${dialled} attempts in 60 s`);
});

t.test("a node that is paused finds its peers again", async (t) => {
  const community = formed(59);
  community.machines[1].process?.clock.pause(8_000);
  community.world.run(7_000);
  t.notOk(trusts(community, 0, 1));
  t.ok(community.world.runUntil(() => trusts(community, 0, 1) && trusts(community, 1, 0), 15_000));
});
