/** Whom a request goes to: owners, stand-ins and orphans, in one live layout and in two. */

import t from "tap";
import {
  nextStandIn,
  type Plan,
  planAsk,
  planRead,
  Plans,
  planWrite,
} from "../../../server/coordination/plan.ts";
import { layoutOf, orderOf, sourceOf } from "./layouts.ts";

/** Targets as "node", or "node for owner", with the layouts in which they count. */
function textOf(plan: Plan): string {
  return plan.targets
    .map(({ member, hintFor, layouts }) => {
      const whom = hintFor === null ? "" : ` for ${hintFor.id[0]}`;
      return `${member.id[0]}${whom}:${layouts.toString(2)}`;
    })
    .join(", ");
}

const five = layoutOf("12345");
const order = orderOf(five, 0);
const [a, b, c, d, e] = order;

t.test("a healthy partition's write goes to its owners, in preference order", (tt) => {
  tt.equal(textOf(planWrite(sourceOf([five], a), 0, 3)), `${a}:1, ${b}:1, ${c}:1`, "three owners");
  tt.equal(textOf(planWrite(sourceOf([five], e), 0, 2)), `${a}:1, ${b}:1`, "N=2 of a bucket");
  tt.equal(textOf(planRead(sourceOf([five], a), 0, 3)), `${a}:1, ${b}:1, ${c}:1`, "reads too");
  tt.end();
});

t.test("the first healthy node behind the owners stands in, one for each suspected", (tt) => {
  const one = planWrite(sourceOf([five], a, b), 0, 3);
  tt.equal(textOf(one), `${a}:1, ${d} for ${b}:1, ${c}:1`, "one");
  const two = planWrite(sourceOf([five], a, b + c), 0, 3);
  tt.equal(textOf(two), `${a}:1, ${d} for ${b}:1, ${e} for ${c}:1`, "two");
  const sick = planWrite(sourceOf([five], a, b + d), 0, 3);
  tt.equal(
    textOf(sick),
    `${a}:1, ${e} for ${b}:1, ${c}:1`,
    "a suspected node stands in for nobody",
  );
  tt.end();
});

t.test("a retry is asked about: whom a write goes to, and as many healthy nodes behind them", (tt) => {
  const asked = planAsk(sourceOf([five], a), 0, 3);
  const behind = `${d} for ${a}:0, ${e} for ${a}:0`;
  tt.equal(textOf(asked), `${a}:1, ${b}:1, ${c}:1, ${behind}`, "no more than there are");
  const one = planAsk(sourceOf([five], a), 0, 1);
  tt.equal(textOf(one), `${a}:1, ${b} for ${a}:0`, "N=1 of a bucket");
  const sick = planAsk(sourceOf([five], a, b), 0, 2);
  tt.equal(textOf(sick), `${a}:1, ${c} for ${b}:1, ${d} for ${a}:0, ${e} for ${a}:0`, "one suspected");
  tt.end();
});

t.test("an owner for whom nobody is left is an orphan; W=1 needs one node", (tt) => {
  const plan = planWrite(sourceOf([five], a, b + c + d), 0, 3);
  tt.equal(textOf(plan), `${a}:1, ${e} for ${b}:1`, "one stand-in for two");
  tt.same(plan.orphans.map(({ id }) => id[0]), [c], "an orphan");
  const last = planWrite(sourceOf([five], e, a + b + c + d), 0, 3);
  tt.equal(textOf(last), `${e} for ${a}:1`, "the last node stands in for the first owner");
  tt.same(last.orphans.map(({ id }) => id[0]), [b, c], "and the others are orphans");
  tt.end();
});

t.test("with two live layouts a write goes to the owners of both, a read to one's", (tt) => {
  const three = layoutOf("123");
  const four = layoutOf("1234", three);
  const source = sourceOf([three, four], "1");
  for (let partition = 0; partition < 16; partition++) {
    const old = orderOf(three, partition).slice(0, 3);
    const fresh = orderOf(four, partition).slice(0, 3);
    const wanted = [...new Set(old + fresh)].map((node) => {
      const bits = (old.includes(node) ? 1 : 0) | (fresh.includes(node) ? 2 : 0);
      return `${node}:${bits.toString(2)}`;
    });
    tt.equal(
      textOf(planWrite(source, partition, 3)),
      wanted.join(", "),
      `write, partition ${partition}`,
    );
    const reads = [...old].map((node) => `${node}:1`).join(", ");
    tt.equal(textOf(planRead(source, partition, 3)), reads, `read, partition ${partition}`);
  }
  tt.end();
});

t.test("with two live layouts nobody stands in who is an owner in either", (tt) => {
  const four = layoutOf("1234");
  const six = layoutOf("123456", four);
  const source = sourceOf([four, six], "1", "2");
  for (let partition = 0; partition < 16; partition++) {
    const owners = new Set(
      orderOf(four, partition).slice(0, 3) + orderOf(six, partition).slice(0, 3),
    );
    const plan = planWrite(source, partition, 3);
    const standIns = plan.targets.filter(({ hintFor }) => hintFor !== null);
    for (const { member } of standIns) tt.notOk(owners.has(member.id[0]), `partition ${partition}`);
    tt.equal(
      plan.targets.length + plan.orphans.length,
      owners.size,
      "each owner is served or an orphan",
    );
    const next = nextStandIn(source, plan.layouts, partition, 3, plan.targets);
    if (next !== null) tt.notOk(owners.has(next.id[0]), "nor is the next one an owner");
  }
  tt.end();
});

t.test("Plans gives the same plan until an owner is suspected or the layouts change", (tt) => {
  const source = sourceOf([five], a);
  const more = layoutOf("123456", five);
  const layouts = { live: [five], reading: five };
  const plans = new Plans({ layouts, memberById: (id) => source.memberById(id) });
  const first = plans.write(0, 3);
  tt.equal(textOf(first), textOf(planWrite(source, 0, 3)), "as planned anew");
  tt.equal(plans.write(0, 3), first, "remembered");
  tt.equal(plans.read(0, 3), first, "reads go where writes go");
  tt.equal(textOf(plans.write(0, 2)), `${a}:1, ${b}:1`, "N=2 of a bucket is another plan");
  const suspect = source.memberById(b.repeat(16))?.peer;
  if (suspect === null || suspect === undefined) throw new Error("b is another node");
  suspect.healthy = false;
  tt.equal(textOf(plans.write(0, 3)), textOf(planWrite(source, 0, 3)), "a stand-in at once");
  suspect.healthy = true;
  tt.equal(textOf(plans.write(0, 3)), textOf(first), "and the owner again when it is back");
  layouts.live = [five, more];
  tt.match(textOf(plans.write(0, 3)), /:1/, "two live layouts are planned anew");
  tt.equal(textOf(plans.read(0, 3)), textOf(first), "reads by the older one");
  layouts.live = [more];
  layouts.reading = more;
  tt.equal(plans.write(0, 3).layouts[0], more, "nothing of the older layout is left");
  tt.end();
});
