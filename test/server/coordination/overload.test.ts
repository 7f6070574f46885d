/** Beyond what may wait for its answer, requests are refused at once; those that wait, and other nodes, are none the worse. */

import t from "tap";
import type { Result } from "../../../server/coordination/store.ts";
import { nameOf, SmallCluster } from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LIMIT = 100;

t.test("200 requests where 100 may wait: 100 are answered, 100 refused, and then all is as before", (tt) => {
  const cluster = new SmallCluster(3, { requestsMax: LIMIT });
  const [first, second, third] = cluster.preference(NAME);
  first.put(NAME, "value", { w: 3 });
  // Syncs that wait hold every durable write up.
  for (const node of [first, second, third]) node.objects.durable = null;
  const results: Result[] = [];
  for (let number = 0; number < 2 * LIMIT; number++) {
    const name = nameOf(`many/${number}`);
    first.begin(name, "x", { w: 1, dw: 1 }, (result) => results.push(result));
  }
  tt.equal(first.coordinator.unanswered, LIMIT);
  tt.equal(results.length, LIMIT, "the others know at once");
  for (const { outcome, code, detail } of results) {
    if (outcome !== "refused" || code !== "overloaded" || !detail.startsWith("100 requests")) tt.fail(`${outcome} ${code} ${detail}`);
  }
  tt.equal(second.get(NAME, 1).outcome, "done", "another node answers");
  tt.equal(first.get(NAME, 1).code, "overloaded", "this one answers nothing new");
  for (const node of [first, second, third]) node.objects.release(true);
  cluster.until("those who wait are answered", () => results.length === 2 * LIMIT);
  tt.equal(results.filter(({ outcome }) => outcome === "done").length, LIMIT);
  tt.equal(first.coordinator.unanswered, 0);
  tt.equal(first.get(NAME, 1).outcome, "done", "and it takes new ones");
  tt.equal(first.counters.requestsOverloaded, LIMIT + 1);
  tt.end();
});

t.test("what is handed on to a node that is full goes on to the next", (tt) => {
  const cluster = new SmallCluster(5, { requestsMax: 3 });
  const [first, , , fourth] = cluster.preference(NAME);
  first.objects.durable = null;
  const results: Result[] = [];
  for (let number = 0; number < 3; number++) {
    first.begin(nameOf(`many/${number}`), "x", { dw: 3 }, (result) => results.push(result));
  }
  tt.equal(fourth.put(NAME, "value", { w: 1, dw: 0 }).outcome, "done");
  tt.equal(first.counters.requestsOverloaded, 1, "it was asked first");
  first.objects.release(true);
  cluster.until("all are answered", () => results.length === 3);
  tt.end();
});
