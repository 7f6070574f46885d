/**
 * The join of two sets with their bodies: each version keeps its own, from whichever side has it.
 */

import t from "tap";
import { canMerge, mergeSets } from "../../../server/replication/merge-sets.ts";
import { bodiesOf, bodiless, clockOf, setOfOne } from "./one-version.ts";

const A = { actor: "a", counter: 1, body: "alpha" };
const B = { actor: "b", counter: 1, body: "beta" };
const C = { actor: "c", counter: 1, body: "gamma", over: [A] };

t.test("bodies follow their versions, from either side", (tt) => {
  const ab = mergeSets(setOfOne(B), setOfOne(A));
  tt.same(bodiesOf(ab), ["alpha", "beta"], "one from each");
  tt.same(ab.payloads.map((payload) => payload?.length), [5, 4], "in the order of the dots");
  const abc = mergeSets(ab, setOfOne(C));
  tt.same(bodiesOf(abc), ["beta", "gamma"], "what is superseded goes with its body");
  tt.same(bodiesOf(mergeSets(setOfOne(C), ab)), ["beta", "gamma"], "from the other side as well");
  tt.end();
});

t.test("a body that one side lacks is taken from the other; one that both lack stays open", (tt) => {
  const ab = mergeSets(setOfOne(A), setOfOne(B));
  tt.same(bodiesOf(mergeSets(bodiless(ab), ab)), ["alpha", "beta"], "from the right");
  tt.same(bodiesOf(mergeSets(ab, bodiless(ab))), ["alpha", "beta"], "from the left");
  const half = { head: ab.head, payloads: [null, ab.payloads[1]] };
  tt.same(bodiesOf(mergeSets(half, bodiless(ab))), ["-", "beta"], "open");
  tt.end();
});

t.test("sets are merged as far as a head can count", (tt) => {
  tt.equal(canMerge(clockOf(1, 40_000), clockOf(50_000, 25_535)), true, "65,535 entries");
  tt.equal(canMerge(clockOf(1, 40_000), clockOf(50_000, 25_536)), false, "one more");
  tt.end();
});
