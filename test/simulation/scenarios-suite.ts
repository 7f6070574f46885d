/**
 * What the paper and the specification promise, told as short stories on a simulated cluster. Each
 * name is the promise.
 */

import { collidingNames } from "../core/md5-collision.ts";
import type { Case, Check } from "../suite.ts";
import { hintsOf } from "./inspection.ts";
import { Stage, textsOf } from "./stage.ts";

export const suite: Case[] = [
  { name: "a cart loses no add, whatever side of a partition it was made on", run: cart },
  { name: "two clients, 100 interleaved writes: exactly two siblings", run: twoClients },
  { name: "two writes with one context through one coordinator are both kept", run: oneContext },
  { name: "a put's own context kills nothing that was not shown", run: ownContext },
  { name: "the paper's D1 to D5: a branch is seen, and reconciled", run: paperExample },
  { name: "two names with one MD5 are two objects", run: collision },
  { name: "a dot is not issued again after a lost tail", run: lostTail },
  { name: "a dot is not issued again after a wiped disk", run: wipedDisk },
  { name: "an owner is down: a fallback takes the write, hands it over, forgets it", run: sloppy },
  { name: "with W=1 a write succeeds while one node is up", run: lastNode },
  { name: "a wiped replica's nothing does not count, until it was compared", run: absence },
  { name: "one write through two coordinators is one version", run: twin },
  { name: "a retry that comes late brings nothing back", run: lateTwin },
  { name: "a retry brings nothing back after a restart of the only node that knew", run: restarted },
  { name: "who hands over a hint tells what it superseded, and a retry finds it", run: askedRetry },
  { name: "a twin of a retry that could not ask goes when it meets who knows", run: blindRetry },
  { name: "a delete without a context, sent again late, deletes nothing new", run: lateDelete },
  { name: "a create that is sent again is told that it was done", run: lateCreate },
  { name: "a retry does not win over what was written after its first attempt", run: lateLastWrite },
  { name: "a retry that nobody can tell of loses to what was written elsewhere", run: blindLastWrite },
  { name: "a deleted object stays deleted when a stale node returns", run: staleReturns },
  { name: "the last write wins, and nothing that it saw", run: lastWriteWins },
  { name: "a read is not held up by one node that stands still", run: hedged },
  { name: "a read that too few could answer is refused at once", run: unreachable },
];

const KEY = "sib/basket";

function cart(check: Check): void {
  const stage = new Stage(5);
  stage.partition([0, 1]);
  stage.run(3_000);
  const added: string[] = [];
  for (let round = 0; round < 6; round++) {
    for (let node = 0; node < 5; node++) {
      const seen = stage.get(node, KEY, { r: 1 });
      const items = new Set(textsOf(seen).flatMap((text) => text.split(",")));
      const item = `${round}${node}`;
      const list = [...items.add(item)].join(",");
      const put = stage.put(node, KEY, list, { context: seen.context, w: 1 });
      check.equal(put.outcome, "done", `item ${item} is taken during the partition`);
      added.push(item);
    }
  }
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 5; node++) {
    const values = stage.values(node, KEY);
    const items = new Set(values.flatMap((text) => text.split(",")));
    check.same(added.filter((item) => !items.has(item)), [], `nothing is missing at node ${node}`);
    check.ok(values.length > 1, "the two sides are siblings, not one overwritten by the other");
  }
}

function twoClients(check: Check): void {
  const stage = new Stage(3);
  const contexts = ["", ""];
  for (let turn = 0; turn < 100; turn++) {
    const client = turn % 2;
    const value = `client ${client}, ${turn}`;
    const put = stage.put(turn % 3, KEY, value, { context: contexts[client] });
    check.equal(put.outcome, "done", `write ${turn}`);
    contexts[client] = put.context;
  }
  stage.settle();
  for (let node = 0; node < 3; node++) {
    const values = stage.values(node, KEY);
    check.same(values, ["client 0, 98", "client 1, 99"], `what node ${node} shows`);
  }
}

function oneContext(check: Check): void {
  const stage = new Stage(3);
  stage.put(0, KEY, "first");
  const { context } = stage.get(0, KEY);
  stage.put(0, KEY, "left", { context });
  stage.put(0, KEY, "right", { context });
  for (let node = 0; node < 3; node++) {
    check.same(stage.values(node, KEY), ["left", "right"], `what node ${node} shows`);
  }
}

function ownContext(check: Check): void {
  const stage = new Stage(3);
  const own = stage.put(0, KEY, "mine");
  stage.put(0, KEY, "theirs");
  stage.put(0, KEY, "mine, again", { context: own.context });
  check.same(stage.values(1, KEY), ["mine, again", "theirs"], "theirs was never shown to me");
}

function paperExample(check: Check): void {
  const stage = new Stage(3);
  const { owners } = stage.preference(KEY);
  const [x, y, z] = owners;
  const d1 = stage.put(x, KEY, "D1");
  const d2 = stage.put(x, KEY, "D2", { context: d1.context });
  check.same(stage.values(y, KEY), ["D2"], "D2 descends from D1 and replaces it");
  stage.put(y, KEY, "D3", { context: d2.context });
  stage.put(z, KEY, "D4", { context: d2.context });
  const branches = stage.get(x, KEY, { r: "all" });
  check.same(textsOf(branches), ["D3", "D4"], "D3 and D4 are both kept");
  stage.put(x, KEY, "D5", { context: branches.context });
  stage.settle();
  for (const node of owners) check.same(stage.values(node, KEY), ["D5"], "D5 reconciles them");
}

function collision(check: Check): void {
  const stage = new Stage(3);
  const [left, right] = collidingNames("key");
  stage.put(0, left, "left");
  check.equal(stage.get(1, right).code, "not-found", "the other name is not there yet");
  stage.put(1, right, "right");
  stage.settle();
  for (let node = 0; node < 3; node++) {
    check.same(stage.values(node, left, { r: 1 }), ["left"], `left at node ${node}`);
    check.same(stage.values(node, right, { r: 1 }), ["right"], `right at node ${node}`);
  }
  stage.delete(2, left);
  stage.settle();
  check.equal(stage.get(0, left).code, "not-found", "left is deleted");
  check.same(stage.values(0, right), ["right"], "and right is not");
}

/**
 * A coordinator hands a version to the others, forgets it, and makes another one for the same name.
 */
function forgetAndWrite(check: Check, forget: (stage: Stage, node: number) => void): void {
  const stage = new Stage(3);
  const [first] = stage.preference(KEY).owners;
  const before = stage.put(first, KEY, "before", { w: "all", dw: 0 });
  check.equal(before.outcome, "done", "all have it, nobody has synced it");
  forget(stage, first);
  const after = stage.put(first, KEY, "after", { w: 1 });
  check.equal(after.outcome, "done", "the restarted coordinator writes");
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 3; node++) {
    check.same(stage.values(node, KEY), ["after", "before"], `node ${node} has both`);
  }
}

function lostTail(check: Check): void {
  forgetAndWrite(check, (stage, node) => {
    stage.cluster.unplug(node);
    stage.run(10);
    stage.isolate(node);
    stage.cluster.start(node);
    stage.until("it runs", () => stage.cluster.node(node) !== null);
    check.equal(stage.get(node, KEY, { r: 1 }).siblings.length, 0, "the tail is lost");
  });
}

function wipedDisk(check: Check): void {
  forgetAndWrite(check, (stage, node) => {
    stage.cluster.wipe(node);
    stage.run(10);
    stage.cluster.start(node);
    stage.until("it is a member again", () => {
      return stage.cluster.node(node)?.membership.ready === true;
    });
  });
}

function sloppy(check: Check): void {
  const stage = new Stage(5);
  const { owners } = stage.preference(KEY);
  const [up, , down] = owners;
  stage.cluster.kill(down);
  stage.run(2_000);
  const put = stage.put(up, KEY, "value", { w: 3 });
  check.equal(put.outcome, "done", "three replicas took it");
  check.equal(put.primaries, 2, "two of them primaries");
  check.equal(put.fallbacks, 1, "one a fallback");
  check.equal(hintsOf(stage.cluster), 1, "which keeps a hint");
  const strict = stage.put(up, KEY, "more", { pw: 3 });
  check.ok(strict.outcome !== "done", "PW=3 cannot be met by a fallback");
  stage.cluster.start(down);
  stage.until("the hint is gone", () => hintsOf(stage.cluster) === 0);
  stage.settle();
  check.same(stage.values(down, KEY, { r: 1, pr: 1 }), ["value"], "the owner has it");
}

function lastNode(check: Check): void {
  const stage = new Stage(5);
  for (const node of [0, 1, 2, 3]) stage.cluster.kill(node);
  stage.run(3_000);
  const keys = ["sib/a", "sib/b", "sib/c", "sib/d", "sib/e", "sib/f"];
  for (const key of keys) {
    const put = stage.put(4, key, `value of ${key}`, { w: 1 });
    check.equal(put.outcome, "done", `${key} is taken by the last node`);
    check.same(stage.values(4, key, { r: 1 }), [`value of ${key}`], "and read back from it");
  }
  for (const node of [0, 1, 2, 3]) stage.cluster.start(node);
  stage.settle();
  for (const key of keys) {
    check.same(stage.values(0, key), [`value of ${key}`], `${key} is there when all are back`);
  }
}

function absence(check: Check): void {
  const stage = new Stage(3);
  stage.put(0, KEY, "value", { w: "all" });
  stage.settle();
  stage.cluster.wipe(2);
  stage.run(100);
  stage.cluster.start(2);
  stage.until("it is a member again", () => stage.cluster.node(2)?.membership.ready === true);
  stage.isolate(2);
  const alone = stage.get(2, KEY, { r: 1 });
  check.equal(alone.code, "absence-unknown", "the wiped disk does not say that nothing is there");
  check.equal(stage.get(2, "sib/never-written", { r: 1 }).code, "absence-unknown", "nor here");
  stage.healNetwork();
  stage.settle();
  check.equal(stage.get(2, "sib/never-written", { r: 1 }).code, "not-found", "now its word counts");
  stage.isolate(2);
  check.same(stage.values(2, KEY, { r: 1 }), ["value"], "and it has the object again");
}

function twin(check: Check): void {
  const stage = new Stage(3);
  const id = stage.requestId();
  const results: string[] = [];
  for (const node of [0, 1, 2]) {
    stage.begin(node, KEY, "value", { requestId: id }, ({ outcome }) => results.push(outcome));
  }
  stage.until("all are answered", () => results.length === 3);
  check.same(results, ["done", "done", "done"], "each coordinator acknowledges");
  stage.settle();
  for (let node = 0; node < 3; node++) {
    check.same(stage.values(node, KEY), ["value"], `one version at node ${node}`);
  }
}

function lateTwin(check: Check): void {
  const stage = new Stage(3);
  const id = stage.requestId();
  stage.put(0, KEY, "old", { requestId: id });
  const { context } = stage.get(0, KEY);
  stage.put(0, KEY, "new", { context, w: "all" });
  for (let node = 0; node < 3; node++) stage.put(node, KEY, "old", { requestId: id });
  stage.settle();
  for (let node = 0; node < 3; node++) {
    check.same(stage.values(node, KEY), ["new"], `node ${node} shows what replaced it`);
  }
}

/** Overwrites "old" through one owner alone, which is then the only one that knows, and restarts it. */
function restarted(check: Check): void {
  const stage = new Stage(3);
  const { owners } = stage.preference(KEY);
  const [first, second, third] = owners;
  const requestId = stage.requestId();
  stage.isolate(first);
  stage.put(first, KEY, "old", { requestId, w: 1 });
  const { context } = stage.get(first, KEY, { r: 1 });
  stage.put(first, KEY, "new", { context, w: 1 });
  stage.cluster.kill(first);
  stage.run(1_000);
  stage.cluster.start(first);
  stage.until("it runs", () => stage.cluster.node(first) !== null);
  stage.put(second, KEY, "old", { requestId });
  check.same(stage.values(third, KEY), ["old"], "the others cannot know");
  stage.healNetwork();
  stage.settle();
  for (const node of owners) check.same(stage.values(node, KEY), ["new"], `node ${node}`);
}

/** A write and what overwrote it were hints of one stand-in, which handed over only the latter. */
function askedRetry(check: Check): void {
  const stage = new Stage(5);
  const requestId = stage.requestId();
  const { owners, others } = stage.preference(KEY);
  const [left, right] = others;
  stage.partition([left], owners, [right]);
  stage.run(5_000);
  check.equal(stage.put(left, KEY, "old", { requestId, w: 1 }).fallbacks, 1, "a stand-in has it");
  const { context } = stage.get(left, KEY, { r: 1 });
  check.equal(stage.put(left, KEY, "new", { context, w: 1 }).fallbacks, 1, "and its successor");
  stage.cluster.kill(left);
  stage.run(500);
  stage.cluster.start(left);
  for (const owner of owners) stage.cluster.cut(left, owner, false);
  for (const owner of owners) stage.cluster.cut(owner, left, false);
  stage.until("the owners have it", () => stage.values(owners[2], KEY, { r: 1 })[0] === "new");
  // It tells with its hints what they superseded, also where it was restarted before.
  stage.cluster.kill(left);
  stage.healNetwork();
  stage.run(5_000);
  for (const node of [...owners, right]) {
    const retry = stage.put(node, KEY, "old", { requestId });
    check.equal(retry.outcome, "done", `done through ${node}`);
    check.same(stage.values(node, KEY), ["new"], `and nothing is back at ${node}`);
  }
}

/** A retry on one side of a partition, its first attempt and what overwrote it on the other. */
function blindRetry(check: Check): void {
  const stage = new Stage(5);
  const { owners } = stage.preference(KEY);
  const requestId = stage.requestId();
  stage.partition([owners[0], owners[1]]);
  stage.run(5_000);
  stage.put(owners[0], KEY, "old", { requestId });
  const { context } = stage.get(owners[0], KEY);
  stage.put(owners[0], KEY, "new", { context });
  check.equal(stage.put(owners[2], KEY, "old", { requestId }).outcome, "done", "it is taken");
  for (const node of [owners[0], owners[1]]) {
    stage.cluster.kill(node);
    stage.run(500);
    stage.cluster.start(node);
  }
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 5; node++) check.same(stage.values(node, KEY), ["new"], `node ${node}`);
}

function lateDelete(check: Check): void {
  const stage = new Stage(3);
  const requestId = stage.requestId();
  stage.put(0, KEY, "old");
  stage.delete(0, KEY, { requestId });
  const { context } = stage.get(1, KEY);
  stage.put(1, KEY, "new", { context });
  stage.run(2_000);
  for (let node = 0; node < 3; node++) {
    const retry = stage.delete(node, KEY, { requestId });
    check.equal(retry.outcome, "done", "the delete was done");
    check.same(stage.values(node, KEY), ["new"], "and is not done again");
  }
}

function lateCreate(check: Check): void {
  const stage = new Stage(3);
  const requestId = stage.requestId();
  const precondition = { absent: true, etags: [] };
  const first = stage.put(0, KEY, "value", { requestId, precondition });
  stage.run(2_000);
  const again = stage.put(1, KEY, "value", { requestId, precondition });
  check.same([again.outcome, again.etag], ["done", first.etag], "the same version");
  const other = stage.put(2, KEY, "value", { requestId: stage.requestId(), precondition });
  check.equal(other.code, "precondition-failed", "another write is another matter");
}

function lateLastWrite(check: Check): void {
  const stage = new Stage(5);
  const key = "last/price";
  const requestId = stage.requestId();
  const { owners, others } = stage.preference(key);
  stage.put(owners[0], key, "old", { requestId, w: "all" });
  stage.put(owners[1], key, "new", { w: "all" });
  stage.run(2_000);
  for (const node of [...owners, ...others]) {
    check.equal(stage.put(node, key, "old", { requestId }).outcome, "done", `retry through ${node}`);
    check.same(stage.values(node, key), ["new"], "the later write stays");
  }
  for (const node of owners) stage.cluster.kill(node);
  stage.run(1_000);
  for (const node of owners) stage.cluster.start(node);
  stage.until("they run", () => owners.every((node) => stage.cluster.node(node) !== null));
  stage.run(5_000);
  for (const node of [...owners, ...others]) {
    stage.put(node, key, "old", { requestId });
    check.same(stage.values(node, key), ["new"], "after a restart, too");
  }
}

function blindLastWrite(check: Check): void {
  const stage = new Stage(3);
  const key = "last/price";
  const { owners } = stage.preference(key);
  const requestId = stage.requestId();
  stage.partition([owners[0], owners[1]]);
  stage.run(3_000);
  stage.put(owners[0], key, "old", { requestId });
  stage.put(owners[1], key, "new");
  stage.run(3_000);
  stage.put(owners[2], key, "old", { requestId, w: 1 });
  stage.healNetwork();
  stage.settle();
  for (const node of owners) check.same(stage.values(node, key), ["new"], `node ${node}`);
}

function staleReturns(check: Check): void {
  const stage = new Stage(3);
  stage.put(0, KEY, "value", { w: "all" });
  const { context } = stage.get(0, KEY);
  stage.cluster.kill(2);
  stage.run(2_000);
  const deleted = stage.delete(0, KEY, { context });
  check.equal(deleted.outcome, "done", "two nodes delete");
  stage.run(600_000);
  stage.cluster.start(2);
  stage.until("it runs", () => stage.cluster.node(2) !== null);
  check.equal(stage.get(2, KEY).code, "not-found", "it asks another, and is outvoted");
  stage.settle();
  for (let node = 0; node < 3; node++) {
    check.equal(stage.get(node, KEY, { r: 1 }).code, "not-found", `nothing came back at ${node}`);
  }
}

function lastWriteWins(check: Check): void {
  const stage = new Stage(3);
  const key = "last/price";
  stage.put(0, key, "first");
  stage.cluster.jumpClock(1, -1_500);
  const { context } = stage.get(1, key);
  stage.put(1, key, "second", { context });
  stage.settle();
  check.same(stage.values(0, key), ["second"], "a slow clock does not lose what saw the other");
  stage.partition([0]);
  stage.run(3_000);
  stage.put(0, key, "left", { w: 1 });
  stage.put(2, key, "right", { w: 1 });
  stage.healNetwork();
  stage.settle();
  const values = stage.values(1, key);
  check.equal(values.length, 1, "one of two concurrent writes stays");
  for (const node of [0, 2]) check.same(stage.values(node, key), values, "the same everywhere");
}

function hedged(check: Check): void {
  const stage = new Stage(5);
  stage.put(0, "sib/basket", "value", { w: 3 });
  const { owners, others } = stage.preference("sib/basket");
  for (const slow of owners) {
    // Nobody has noticed yet, whatever the reader hands its request to.
    stage.run(5_000);
    stage.cluster.pause(slow, 4_000);
    for (const reader of others) {
      const beganMs = stage.world.elapsedMs;
      check.same(stage.values(reader, "sib/basket"), ["value"], `through ${reader} while ${slow} stands still`);
      const tookMs = stage.world.elapsedMs - beganMs;
      check.ok(tookMs < 400, `it took ${tookMs} ms`);
    }
  }
}

function unreachable(check: Check): void {
  const stage = new Stage(3);
  stage.put(0, "sib/basket", "value", { w: 3 });
  for (const node of [1, 2]) stage.cluster.kill(node);
  stage.run(5_000);
  const beganMs = stage.world.elapsedMs;
  const { outcome, code } = stage.get(0, "sib/basket");
  check.same([outcome, code], ["refused", "quorum-unreachable"], "two of three are down");
  check.ok(stage.world.elapsedMs - beganMs < 50, "at once");
  check.same(stage.values(0, "sib/basket", { r: 1 }), ["value"], "one can still answer for itself");
}
