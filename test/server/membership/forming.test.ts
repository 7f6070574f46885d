/** How clusters come to be: founding, joining, restarting, coming back. */

import t from "tap";
import { Community, Machine } from "./community.ts";

t.test("a node without seeds founds a cluster and owns everything", async (t) => {
  const community = new Community(1, 1);
  const process = community.machines[0].start();
  community.world.run(100);
  const { membership } = process;
  t.equal(process.startError, "");
  t.ok(membership.ready);
  t.equal(membership.layouts.current.number, 1);
  t.equal(membership.layouts.reading.number, 1);
  t.equal(membership.members.length, 1);
  t.ok(membership.self.isSelf && membership.self.healthy);
  t.equal(membership.contextKey.length, 16);
  t.match(membership.history, [{ kind: "founded", member: membership.self.id, layout: 1 }]);
  t.equal(membership.skewMs(), 0);
});

t.test("naming itself alone founds as well", async (t) => {
  const community = new Community(2, 1);
  community.machines[0].start({ join: ["n0:7071"] });
  community.world.run(100);
  t.ok(community.machines[0].membership.ready);
});

t.test("three nodes through one seed at the same moment", async (t) => {
  const community = new Community(3, 3);
  t.ok(community.form(), community.logs());
  const [first, ...others] = community.machines.map(({ membership }) => membership);
  for (const other of others) {
    t.equal(other.clusterId, first.clusterId);
    t.same(other.contextKey, first.contextKey);
    t.same(other.layouts.current.bytes, first.layouts.current.bytes);
    t.same(other.history, first.history);
    t.same(other.defaults, { n: 3, r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0 });
  }
  t.equal(first.history.length, 3);
  t.same(new Set(first.members.map((member) => member.name)), new Set(["n0", "n1", "n2"]));
  t.ok(community.world.elapsedMs < 3_000, `took ${community.world.elapsedMs} ms`);
});

t.test("joining one by one: each takes its share", async (t) => {
  const community = new Community(4, 5);
  community.machines[0].start();
  for (let index = 1; index < 5; index++) {
    community.machines[index].start({ join: [community.machines[index - 1].address] });
    const isIn = () =>
      community.machines.slice(0, index + 1).every(({ membership }) =>
        membership.ready && membership.layouts.live.length === 1 &&
        membership.layouts.current.nodes.length === index + 1
      );
    t.ok(community.world.runUntil(isIn, 20_000), community.logs());
  }
  const slots = [...community.machines[0].membership.layouts.current.slotsOfNodes()];
  t.equal(slots.reduce((sum, count) => sum + count, 0), 3 * 16);
  t.ok(slots.every((count) => count === 9 || count === 10), slots.join(" "));
});

t.test("two joins through two members at once: both are in, one chain of layouts", async (t) => {
  const community = new Community(5, 4);
  const [a, b, c, d] = community.machines;
  a.start();
  b.start({ join: [a.address] });
  t.ok(community.world.runUntil(() => b.process?.membership.ready === true, 10_000));
  c.start({ join: [a.address] });
  d.start({ join: [b.address] });
  t.ok(community.world.runUntil(() => community.isSettled(), 20_000), community.logs());
  t.same(a.membership.layouts.current.bytes, d.membership.layouts.current.bytes);
});

t.test("a restart with the network cut knows the ring, its peers and its buckets", async (t) => {
  const community = new Community(6, 3);
  t.ok(community.form(), community.logs());
  const bucket = new TextEncoder().encode("cart");
  const [a] = community.machines;
  t.equal(a.membership.buckets.set(bucket, { policy: "lww", n: 2 }, 3), "");
  community.world.run(3_000);
  const before = a.membership;
  for (const [left, right] of [["n0", "n1"], ["n0", "n2"], ["n1", "n2"]] as const) {
    community.network.cut(left, right);
  }
  a.crash();
  const process = a.start({ join: ["n1:7071", "n2:7071"] });
  community.world.run(5_000);
  t.equal(process.startError, "");
  t.ok(process.membership.ready);
  t.equal(process.membership.self.id, before.self.id);
  t.same(process.membership.layouts.current.bytes, before.layouts.current.bytes);
  t.same(process.membership.contextKey, before.contextKey);
  t.same(process.membership.history, before.history);
  t.equal(process.membership.members.length, 3);
  t.same(process.membership.buckets.get(bucket), { policy: "lww", n: 2 });
  t.equal(process.membership.members.filter((member) => member.healthy).length, 1);
  community.network.heal();
  const allHealthy = () => process.membership.members.every((member) => member.healthy);
  t.ok(community.world.runUntil(allHealthy, 15_000), "finds its peers again");
});

t.test("a cluster of another id is refused, both ways", async (t) => {
  const community = new Community(7, 2);
  const [a, b] = community.machines;
  a.start();
  b.start();
  community.world.run(500);
  const ids = [a.membership.clusterId, b.membership.clusterId];
  t.not(ids[0], ids[1]);
  b.crash();
  const process = b.start({ join: [a.address] });
  community.world.run(30_000);
  t.equal(process.membership.clusterId, ids[1], "it stays what it was");
  t.equal(a.membership.clusterId, ids[0]);
  t.equal(a.membership.members.length, 1);
  t.equal(process.membership.members.length, 1);
});

t.test("a name that is taken is refused with a sentence, and another one is let in", async (t) => {
  const community = new Community(8, 3);
  const [a, b, c] = community.machines;
  a.start();
  b.start({ join: [a.address] });
  t.ok(community.world.runUntil(() => b.process?.membership.ready === true, 10_000));
  const process = c.start({ join: [a.address], name: "n1" });
  community.world.run(5_000);
  t.notOk(process.membership.ready);
  t.match(process.membership.detail, /A member named "n1" exists at n1:7071; give another --name/);
  c.start({ join: [a.address], name: "fresh" });
  t.ok(community.world.runUntil(() => c.membership.ready, 20_000), community.logs());
});

t.test("a restart under a name that another member has is refused", async (t) => {
  const community = new Community(9, 2);
  t.ok(community.form(), community.logs());
  const process = community.machines[1].start({ name: "n0" });
  community.world.run(500);
  t.match(process.startError, /a member named "n0" exists at n0:7071; give another --name/);
});

for (const count of [2, 3, 4]) {
  t.test(`a wiped node of ${count} gets its id back and votes from then on`, async (t) => {
    const community = new Community(10 + count, count);
    t.ok(community.form(), community.logs());
    const lost = community.machines[1];
    const before = { id: lost.membership.self.id, incarnation: lost.process?.identity.incarnation };
    const number = lost.membership.layouts.newestNumber;
    const slots = [...lost.membership.layouts.current.owners];
    lost.wipe();
    const process = lost.start({ join: [community.machines[0].address] });
    const isBack = () => community.isSettled() && lost.membership.layouts.newestNumber > number;
    t.ok(community.world.runUntil(isBack, 30_000), community.logs());
    t.equal(process.membership.self.id, before.id, "the same id");
    t.not(process.identity.incarnation, before.incarnation);
    t.same([...process.membership.layouts.current.owners], slots, "nothing moves");
    t.match(process.membership.history.at(-1), { kind: "returned", member: before.id });
    const known = community.machines[0].membership.memberById(before.id);
    t.equal(known?.version, process.membership.self.version, "the others listen to it again");
    t.ok(community.world.runUntil(() => known?.healthy === true, 10_000));
    // Its vote counts: with one other node down a further node can still join (count 3: 2 of 3).
    if (count === 3) {
      community.machines[2].crash();
      const late = new Machine(community, "n9");
      late.start({ join: [lost.address] });
      t.ok(community.world.runUntil(() => late.membership.ready, 30_000), community.logs());
    }
  });
}

t.test("a lost disk that turns up again is turned away", async (t) => {
  const community = new Community(20, 3);
  t.ok(community.form(), community.logs());
  const machine = community.machines[1];
  const old = machine.disk;
  const number = machine.membership.layouts.newestNumber;
  machine.wipe();
  machine.start({ join: [community.machines[0].address] });
  const isBack = () => community.isSettled() && machine.membership.layouts.newestNumber > number;
  t.ok(community.world.runUntil(isBack, 30_000), community.logs());
  machine.crash();
  machine.disk = old;
  const process = machine.start({ join: [community.machines[0].address] });
  community.world.run(20_000);
  t.notOk(process.membership.ready);
  t.equal(process.membership.stage, "removed");
  t.match(process.membership.detail, /has come back with another data directory/);
});

t.test("what a node said of itself outlives its process", async (t) => {
  const community = new Community(26, 3);
  t.ok(community.form(), community.logs());
  const machine = community.machines[2];
  const { record } = machine.membership.self;
  t.ok(record.adopted >= 2 && record.synced >= 2 && record.reading >= 2);
  for (const other of ["n0", "n1"]) community.network.cut(other, "n2");
  machine.start();
  community.world.run(50);
  t.same(machine.membership.self.record, record, "nothing is forgotten, nothing is said anew");
});

t.test("an address and a zone may change over a restart", async (t) => {
  const community = new Community(21, 3);
  t.ok(community.form(), community.logs());
  const machine = community.machines[2];
  const id = machine.membership.self.id;
  machine.crash();
  machine.start({ port: 8_080, zone: "west", capacity: 4, join: ["n0:7071"] });
  const isHeard = () =>
    community.machines.every(({ membership }) => {
      const member = membership.memberById(id);
      return member?.address === "n2:8080" && member.zone === "west" && member.capacity === 4 &&
        member.healthy;
    });
  t.ok(community.world.runUntil(isHeard, 20_000), community.logs());
});

t.test("all others have new addresses: a node finds them through a seed", async (t) => {
  const community = new Community(22, 3);
  t.ok(community.form(), community.logs());
  for (const machine of community.machines) machine.crash();
  community.machines[0].start({ port: 9_000, join: ["n1:9000"] });
  community.machines[1].start({ port: 9_000, join: ["n0:9000"] });
  community.machines[2].start({ join: ["n0:9000", "n1:9000"] });
  const isWhole = () =>
    community.machines.every(({ process }) =>
      process?.membership.members.every((member) => member.healthy) === true
    );
  t.ok(community.world.runUntil(isWhole, 60_000), community.logs());
});

t.test("a join waits for the seed to come up", async (t) => {
  const community = new Community(23, 2);
  const [a, b] = community.machines;
  const process = b.start({ join: [a.address] });
  community.world.run(4_000);
  t.equal(process.startError, "");
  t.notOk(process.membership.ready);
  t.match(process.membership.detail, /Not let in by n0:7071: /);
  a.start();
  t.ok(community.world.runUntil(() => process.membership.ready, 20_000), community.logs());
});

t.test("without a majority nobody is let in; with it again the node is", async (t) => {
  const community = new Community(24, 4);
  const [a, b, c, d] = community.machines;
  a.start();
  b.start({ join: [a.address] });
  c.start({ join: [a.address] });
  const threeIn = () => community.running.every(({ membership }) => membership.ready) &&
    a.membership.layouts.current.nodes.length === 3;
  t.ok(community.world.runUntil(threeIn, 20_000));
  b.crash();
  c.crash();
  const process = d.start({ join: [a.address] });
  community.world.run(30_000);
  t.notOk(process.membership.ready);
  t.match(process.membership.detail, /No majority of the 3 nodes of layout \d+ answered/);
  t.equal(a.membership.layouts.current.nodes.length, 3);
  b.start();
  t.ok(community.world.runUntil(() => process.membership.ready, 40_000), community.logs());
});

t.test("a damaged state file stops the node instead of founding anew", async (t) => {
  const community = new Community(25, 1);
  const [a] = community.machines;
  a.start();
  community.world.run(200);
  a.crash();
  for (const file of ["membership.cbor", "votes.cbor"]) {
    const bytes = a.disk.files.get(file);
    if (bytes === undefined) continue;
    bytes[bytes.length - 3] ^= 0x40;
    const process = a.start();
    community.world.run(200);
    t.match(process.startError, new RegExp(`${file} is damaged`));
    t.notOk(process.membership.ready);
    a.crash();
    bytes[bytes.length - 3] ^= 0x40;
  }
  a.disk.files.delete("membership.cbor");
  const process = a.start();
  community.world.run(200);
  t.match(process.startError, /membership.cbor is gone from the data directory of a member/);
});
