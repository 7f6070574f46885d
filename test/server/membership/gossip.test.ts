/** Gossip: how fast news travels, what it costs, and what clocks say. */

import t from "tap";
import { Community } from "./community.ts";

const cart = new TextEncoder().encode("cart");

t.test("a bucket property reaches 30 nodes within 8 rounds", async (t) => {
  const community = new Community(31, 30, { config: { partitions: 64 } });
  t.ok(community.form(120_000), community.logs());
  community.world.run(5_000);
  const [first] = community.machines;
  const roundsBefore = first.membership.gossipRounds;
  t.equal(first.membership.buckets.set(cart, { policy: "lww" }, 3), "");
  const everywhere = () =>
    community.machines.every(({ membership }) => membership.buckets.get(cart).policy === "lww");
  t.ok(community.world.runUntil(everywhere, 20_000));
  const rounds = first.membership.gossipRounds - roundsBefore;
  t.ok(rounds <= 8, `${rounds} rounds`);
  t.comment(`${rounds} rounds`);
  // A reset travels like any other change, and is not undone by who has not heard of it.
  const last = community.machines[29];
  t.equal(last.membership.buckets.reset(cart), "");
  const nowhere = () =>
    community.machines.every(({ membership }) => membership.buckets.list().length === 0);
  t.ok(community.world.runUntil(nowhere, 20_000));
  community.world.run(10_000);
  t.ok(nowhere(), "and stays reset");
});

t.test("an exchange of equal states costs few bytes, however large they are", async (t) => {
  const costs: number[] = [];
  for (const buckets of [0, 200]) {
    const community = new Community(32, 2);
    t.ok(community.form(), community.logs());
    const [a, b] = community.machines;
    for (let index = 0; index < buckets; index++) {
      a.membership.buckets.set(new TextEncoder().encode(`bucket${index}`), { policy: "lww" }, 3);
    }
    community.world.run(10_000);
    t.equal(b.membership.buckets.list().length, buckets);
    const links = [community.network.link("n0", "n1"), community.network.link("n1", "n0")];
    const bytes = () => links.reduce((sum, link) => sum + link.bytes, 0);
    const exchanges = () => a.membership.gossipRounds + b.membership.gossipRounds;
    const before = { bytes: bytes(), exchanges: exchanges() };
    community.world.run(60_000);
    costs.push((bytes() - before.bytes) / (exchanges() - before.exchanges));
  }
  // The pings of the failure detector between two rounds are in these figures.
  t.ok(costs[1] <= 160, `${costs[1]} bytes an exchange`);
  t.ok(Math.abs(costs[1] - costs[0]) < 10, `${costs[0]} bytes with little state`);
  t.comment(`${Math.round(costs[1])} bytes an exchange`);
});

t.test("one change costs its own size, not that of the state", async (t) => {
  const community = new Community(33, 2);
  t.ok(community.form(), community.logs());
  const [a, b] = community.machines;
  for (let index = 0; index < 100; index++) {
    a.membership.buckets.set(new TextEncoder().encode(`bucket${index}`), { policy: "lww" }, 3);
  }
  community.world.run(10_000);
  const link = community.network.link("n0", "n1");
  const before = link.bytes;
  a.membership.buckets.set(cart, { policy: "lww", n: 1 }, 3);
  t.ok(community.world.runUntil(() => b.membership.buckets.get(cart).n === 1, 5_000));
  const whole = JSON.stringify(a.membership.buckets.records()).length;
  t.ok(link.bytes - before < whole, `${link.bytes - before} of ${whole} bytes`);
});

t.test("concurrent changes of one bucket end in one, everywhere", async (t) => {
  const community = new Community(34, 4);
  t.ok(community.form(), community.logs());
  community.machines.forEach(({ membership }, index) => {
    membership.buckets.set(cart, { policy: "lww", ttlSeconds: 1 + index }, 3);
  });
  community.world.run(10_000);
  const ends = community.machines.map(({ membership }) => membership.buckets.get(cart).ttlSeconds);
  t.equal(new Set(ends).size, 1, ends.join());
});

t.test("a change that cannot be stored is refused and not told", async (t) => {
  const community = new Community(35, 2);
  t.ok(community.form(), community.logs());
  const [a, b] = community.machines;
  a.disk.full = true;
  t.match(a.membership.buckets.set(cart, { policy: "lww" }, 3), /the disk does not take them/);
  t.equal(a.membership.buckets.get(cart).policy, "siblings");
  community.world.run(5_000);
  t.equal(b.membership.buckets.get(cart).policy, "siblings");
  a.disk.full = false;
  t.equal(a.membership.buckets.set(cart, { policy: "lww" }, 3), "");
});

t.test("what was heard outlives a crash a second later", async (t) => {
  const community = new Community(36, 2);
  t.ok(community.form(), community.logs());
  const [a, b] = community.machines;
  a.membership.buckets.set(cart, { policy: "lww" }, 3);
  community.world.run(4_000);
  a.crash();
  b.crash();
  b.start();
  community.world.run(100);
  t.equal(b.membership.buckets.get(cart).policy, "lww");
});

t.test("a clock that is wrong is known to be so, by its own node", async (t) => {
  const community = new Community(37, 5);
  t.ok(community.form(), community.logs());
  community.machines[1].wall.jump(10_000);
  community.world.run(30_000);
  community.machines.forEach(({ membership }, index) => {
    const skewMs = membership.skewMs();
    if (index === 1) t.ok(Math.abs(skewMs - 10_000) < 50, `${skewMs}`);
    else t.ok(Math.abs(skewMs) < 50, `n${index}: ${skewMs}`);
  });
  // A jump of the own clock shows at once, before any further exchange.
  community.machines[2].wall.jump(-7_000);
  t.ok(Math.abs(community.machines[2].membership.skewMs() + 7_000) < 50);
});

t.test("of three nodes one has a mad clock: it alone is off", async (t) => {
  const community = new Community(37, 3);
  t.ok(community.form(), community.logs());
  community.machines[1].wall.jump(3_600_000);
  community.world.run(30_000);
  const [first, mad, third] = community.machines.map(({ membership }) => membership.skewMs());
  t.ok(Math.abs(mad - 3_600_000) < 50, `the mad one is ${mad} ms off`);
  t.ok(Math.abs(first) < 50 && Math.abs(third) < 50, `the others are ${first} and ${third} ms off`);
});

t.test("malformed gossip is refused and changes nothing", async (t) => {
  const community = new Community(38, 2);
  t.ok(community.form(), community.logs());
  const [a, b] = community.machines;
  const { peer } = a.membership.memberById(b.membership.self.id) ?? { peer: null };
  const answers: string[] = [];
  const bodies: [string, unknown][] = [
    ["gossip", null],
    ["gossip", { hash: 5 }],
    ["gossip-delta", {}],
    ["gossip-delta", { delta: { layouts: [1], events: [], records: [], buckets: [] }, digest: {} }],
    ["gossip-delta", { delta: { layouts: [], events: [], records: [7], buckets: [] }, digest: {} }],
    ["layout-prepare", { number: 0 }],
    ["layout-accept", { number: 99, ballot: { round: 1, node: "x" } }],
    ["layout-decided", { value: new Uint8Array(9) }],
    ["join", { incarnation: "zz" }],
  ];
  for (const [type, body] of bodies) {
    peer?.call(type, body, 1_000, (_reply, error) => answers.push(`${type}: ${error}`));
  }
  const before = b.membership.layouts.current.number;
  community.world.run(2_000);
  t.equal(answers.length, bodies.length);
  for (const answer of answers) t.match(answer, /malformed/);
  t.equal(b.membership.layouts.current.number, before);
  t.ok(b.membership.ready);
});
