/** The count of acknowledgements: what each one is worth, in one live layout and in two. */

import t from "tap";
import { type Plan, planWrite, type Target } from "../../../server/coordination/plan.ts";
import { Tally } from "../../../server/coordination/tally.ts";
import type { WriteNeed } from "../../../server/coordination/quorum.ts";
import type { Layout } from "../../../server/membership/layout.ts";
import { layoutOf, orderOf, sourceOf } from "./layouts.ts";

const five = layoutOf("12345");
const [a, b, c, d] = orderOf(five, 0);

class Count {
  readonly plan: Plan;
  readonly tally: Tally;

  constructor(layouts: readonly Layout[], unhealthy: string, need: WriteNeed, partition = 0) {
    this.plan = planWrite(sourceOf(layouts, a, unhealthy), partition, 3);
    const owners = layouts.map((layout) => Math.min(3, layout.nodes.length));
    this.tally = new Tally(this.plan, need, owners);
  }

  target(digit: string): Target {
    const target = this.plan.targets.find(({ member }) => member.id[0] === digit);
    if (target === undefined) throw new Error(`${digit} is no target`);
    return target;
  }

  acknowledge(digits: string, durably = ""): boolean {
    for (const digit of digits) this.tally.acknowledged(this.target(digit));
    for (const digit of durably) this.tally.durable(this.target(digit));
    return this.tally.isMet;
  }
}

t.test("W counts acknowledgements and DW the durable ones among them", (tt) => {
  const count = new Count([five], "", { w: 2, dw: 1, pw: 0 });
  tt.equal(count.acknowledge(a), false, "one");
  tt.equal(count.acknowledge(b), false, "two, none of them durable");
  tt.equal(count.acknowledge("", b), true, "one of them durable");
  tt.same([count.tally.primaries, count.tally.fallbacks], [2, 0], "two primaries took part");
  tt.end();
});

t.test("a stand-in counts for W and DW, and not for PW", (tt) => {
  const loose = new Count([five], c, { w: 3, dw: 3, pw: 2 });
  tt.equal(loose.acknowledge(a + b, a + b), false, "two of three");
  tt.equal(loose.acknowledge(d, d), true, "the stand-in is the third");
  const strict = new Count([five], c, { w: 3, dw: 0, pw: 3 });
  tt.equal(strict.acknowledge(a + b + d), false, "but no primary");
  tt.equal(strict.tally.canBeMet(strict.plan.targets), false, "which could be known before");
  tt.equal(loose.tally.canBeMet(loose.plan.targets), true, "the other could be met");
  tt.end();
});

t.test("an owner and its own stand-in are one acknowledgement", (tt) => {
  const count = new Count([five], "", { w: 2, dw: 2, pw: 1 });
  const owner = count.target(b);
  const standIn = { ...owner, member: count.plan.targets[2].member, hintFor: owner.member };
  count.tally.acknowledged(standIn);
  count.tally.durable(standIn);
  tt.equal(count.tally.isMet, false, "one");
  count.tally.acknowledged(owner);
  count.tally.durable(owner);
  tt.equal(count.tally.isMet, false, "still one: both keep it for the same owner");
  tt.equal(count.acknowledge(a, a), true, "two owners have it");
  tt.same([count.tally.primaries, count.tally.fallbacks], [2, 1], "three nodes took part");
  tt.end();
});

t.test("with two live layouts the need has to be met in each", (tt) => {
  const three = layoutOf("123");
  const four = layoutOf("1234", three);
  const partitions = Array.from({ length: 16 }, (_, index) => index);
  const moved = partitions.find((one) => orderOf(four, one).slice(0, 3).includes("4")) ?? 0;
  const fresh = orderOf(four, moved).slice(0, 3);
  const gone = [..."123"].find((node) => !fresh.includes(node)) ?? "";
  const [stays, staysToo] = [...fresh].filter((node) => node !== "4");
  const need = { w: 2, dw: 1, pw: 0 };
  const old = new Count([three, four], "", need, moved);
  tt.equal(old.acknowledge(gone + stays, stays), false, "a quorum of the old layout alone");
  tt.equal(old.acknowledge("4"), true, "and one of the new");
  const young = new Count([three, four], "", need, moved);
  tt.equal(young.acknowledge("4" + stays, stays), false, "a quorum of the new layout alone");
  tt.equal(young.acknowledge(staysToo), true, "and one of the old");
  const durable = new Count([three, four], "", need, moved);
  tt.equal(durable.acknowledge(stays + staysToo, ""), false, "nothing durable");
  tt.equal(durable.acknowledge("4", "4"), false, "durable in the new layout alone");
  tt.equal(durable.acknowledge("", stays), true, "in both");
  tt.end();
});

t.test("an older layout with fewer owners than W asks for as many as it has", (tt) => {
  const one = layoutOf("1");
  const three = layoutOf("123", one);
  const count = new Count([one, three], "", { w: 3, dw: 2, pw: 2 });
  tt.equal(count.acknowledge("12", "12"), false, "the newest asks for all");
  tt.equal(count.acknowledge("3"), true, "the oldest for its one owner");
  const without = new Count([one, three], "", { w: 2, dw: 0, pw: 0 });
  tt.equal(without.acknowledge("23"), false, "but for that one it asks");
  tt.end();
});

t.test("what was missing is said in one sentence", (tt) => {
  const count = new Count([five], "", { w: 3, dw: 1, pw: 2 });
  count.acknowledge(a);
  const none = "1 replica acknowledged the write, 0 of them durably, 1 as owners; wanted is w=3, dw=1, pw=2";
  tt.equal(count.tally.describe(), none, "with all that was asked");
  const loose = new Count([five], "", { w: 2, dw: 0, pw: 0 });
  tt.equal(loose.tally.describe(), "0 replicas acknowledged the write, 0 of them durably; wanted is w=2");
  tt.end();
});

t.test("with two live layouts it is said in which of them something was missing", (tt) => {
  const one = layoutOf("1");
  const two = layoutOf("12", one);
  const need = { w: 1, dw: 1, pw: 0 };
  const numbers = `${one.number}, ${two.number}`;
  const wanted = `wanted there is w=1, dw=1: each live layout (${numbers}) needs its own`;
  const old = new Count([one, two], "", need);
  tt.equal(old.acknowledge("2", "2"), false);
  tt.equal(old.tally.describe(), `0 replicas of layout ${one.number} acknowledged the write, 0 of them durably; ${wanted}`);
  const young = new Count([one, two], "", { ...need, w: 2 });
  tt.equal(young.acknowledge("1", "1"), false);
  const more = wanted.replace("w=1", "w=2");
  tt.equal(young.tally.describe(), `1 replica of layout ${two.number} acknowledged the write, 1 of them durably; ${more}`);
  tt.end();
});

t.test("how far a write would come is said of the layout in which it is not enough", (tt) => {
  const count = new Count([five], b, { w: 3, dw: 0, pw: 3 });
  tt.equal(count.tally.canBeMet(count.plan.targets), false);
  const reach = "3 nodes can take this write, 2 of them owners; wanted is w=3, pw=3";
  tt.equal(count.tally.describeReach(count.plan.targets), reach);
  const one = layoutOf("1");
  const four = layoutOf("1234", one);
  const moving = new Count([one, four], "1", { w: 1, dw: 0, pw: 1 });
  tt.equal(moving.tally.canBeMet(moving.plan.targets), false);
  const there = `0 nodes can take this write for layout ${one.number}, 0 of them owners; ` +
    `wanted there is w=1, pw=1: each live layout (${one.number}, ${four.number}) needs its own`;
  tt.equal(moving.tally.describeReach(moving.plan.targets), there);
  tt.end();
});
