/**
 * Requests under way: a drain ends when all that began before it has ended, and waits for nothing
 * else.
 */

import t from "tap";
import { Requests } from "../../../server/coordination/requests.ts";
import { SeededRandom, seedFrom } from "../../random.ts";

t.test("a drain waits for what began before it, and not for what begins after", (tt) => {
  const requests = new Requests();
  const ended: string[] = [];
  const before = requests.begin();
  requests.drain(() => ended.push("first"));
  const after = requests.begin();
  requests.drain(() => ended.push("second"));
  requests.drain(() => ended.push("third"));
  requests.end(before);
  tt.same(ended, ["first"], "what began before has ended");
  requests.end(after);
  tt.same(ended, ["first", "second", "third"], "in the order in which they were asked for");
  requests.drain(() => ended.push("idle"));
  tt.equal(ended.pop(), "idle", "at once where nothing is under way");
  tt.equal(requests.count, 0, "none is left");
  tt.end();
});

t.test("a request that ends late holds up all drains since it began", (tt) => {
  const requests = new Requests();
  const ended: number[] = [];
  const slow = requests.begin();
  for (let drain = 0; drain < 3; drain++) {
    const quick = requests.begin();
    requests.drain(() => ended.push(drain));
    requests.end(quick);
  }
  tt.same(ended, [], "the slow one is older than all");
  requests.end(slow);
  tt.same(ended, [0, 1, 2], "all at once");
  tt.end();
});

t.test("what a drain's callback begins is not waited for by it, and may drain again", (tt) => {
  const requests = new Requests();
  const ended: string[] = [];
  const before = requests.begin();
  let inside = -1;
  requests.drain(() => {
    ended.push("outer");
    inside = requests.begin();
    requests.drain(() => ended.push("inner"));
  });
  requests.end(before);
  tt.same(ended, ["outer"], "the inner waits for what was begun in the outer");
  requests.end(inside);
  tt.same(ended, ["outer", "inner"], "and ends with it");
  tt.end();
});

t.test("random requests and drains against a plain list", (tt) => {
  const seed = seedFrom(process.env.SEED, 31);
  const random = new SeededRandom(seed);
  const requests = new Requests();
  const open: { epoch: number; number: number }[] = [];
  const drains: { waitsFor: Set<number>; isDone: boolean }[] = [];
  for (let step = 0; step < 3_000; step++) {
    const what = random.below(5);
    if (what < 2) open.push({ epoch: requests.begin(), number: step });
    else if (what === 2) {
      const drain = { waitsFor: new Set(open.map(({ number }) => number)), isDone: false };
      drains.push(drain);
      requests.drain(() => {
        drain.isDone = true;
      });
    } else if (open.length > 0) {
      const [one] = open.splice(random.below(open.length), 1);
      for (const drain of drains) drain.waitsFor.delete(one.number);
      requests.end(one.epoch);
    }
    const isRight = drains.every(({ waitsFor, isDone }) => isDone === (waitsFor.size === 0));
    if (!isRight || requests.count !== open.length) return tt.fail(`step ${step}; SEED=${seed}`);
  }
  tt.pass(`${drains.length} drains`);
  return tt.end();
});
