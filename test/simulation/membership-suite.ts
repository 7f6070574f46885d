/**
 * What becomes of the data when members come and go, told as short stories on a simulated cluster.
 * Each name is the promise.
 */

import type { Order } from "../../server/membership/administration.ts";
import type { Case, Check } from "../suite.ts";
import { hintsOf, surplusOf } from "./inspection.ts";
import { Stage } from "./stage.ts";

const KEYS = 48;
const LIMIT_MS = 120_000;

export const suite: Case[] = [
  { name: "a node joins: it gets its share, and who lost a partition gives its copy up", run: join },
  { name: "while an owner is down no copy of its partitions is given up", run: ownerDown },
  { name: "a node leaves: when it may go, nobody lacks what it held", run: leave },
  { name: "a node that leaves with hints stays until they are delivered", run: leaveWithHints },
  { name: "hints for a removed node go to those who own its partitions now", run: orphanedHints },
  { name: "a node is replaced: its heir has its share, and all copies are there again", run: replace },
];

function fill(stage: Stage, check: Check): void {
  const running = stage.cluster.inside.filter((node) => stage.cluster.isUp(node));
  for (let index = 0; index < KEYS; index++) {
    const node = running[index % running.length];
    check.equal(stage.put(node, `sib/${index}`, `value ${index}`).outcome, "done", `put ${index}`);
  }
}

/** Every value, through every member, from three primaries. */
function checkAll(stage: Stage, check: Check): void {
  for (const node of stage.cluster.inside) {
    const missing: number[] = [];
    for (let index = 0; index < KEYS; index++) {
      const values = stage.values(node, `sib/${index}`, { r: 3, pr: 3 });
      if (values.length !== 1 || values[0] !== `value ${index}`) missing.push(index);
    }
    check.same(missing, [], `what is missing at node ${node}`);
  }
}

/** Stages at one node, and commits there. */
function commit(stage: Stage, node: number, order: Order): void {
  const administration = stage.cluster.node(node)?.membership.administration;
  if (administration === undefined) throw new Error(`node ${node} is down`);
  const staging = administration.stage([order]);
  if (staging.status !== "done") throw new Error(staging.sentence);
  const { version, token } = administration.plan(() => 0);
  const ended: string[] = [];
  administration.commit({ version, token, isForced: false }, (outcome) => {
    ended.push("sentence" in outcome ? outcome.sentence : "");
  });
  stage.until("the commit ends", () => ended.length > 0);
  if (ended[0] !== "") throw new Error(ended[0]);
}

function held(stage: Stage, node: number): number {
  return stage.cluster.node(node)?.objects?.stats().objects ?? -1;
}

function owned(stage: Stage, node: number): number {
  const membership = stage.cluster.node(node)?.membership;
  if (membership === undefined) return -1;
  const { current } = membership.layouts;
  return current.slotsOfNodes()[current.indexOf(membership.self.id)];
}

const isLean = (stage: Stage) => () => surplusOf(stage.cluster) === 0;

function join(check: Check): void {
  const stage = new Stage(3, 2, 1);
  fill(stage, check);
  stage.settle();
  check.equal(held(stage, 0), KEYS, "of three nodes each holds everything");
  stage.cluster.enter(3, false);
  stage.settle();
  stage.until("nobody holds what it does not own", isLean(stage), LIMIT_MS);
  check.equal(owned(stage, 3), 12, "a quarter of 48 slots");
  const sum = [0, 1, 2, 3].reduce((total, node) => total + held(stage, node), 0);
  check.equal(sum, 3 * KEYS, "three copies of each object, no more");
  checkAll(stage, check);
}

function ownerDown(check: Check): void {
  const stage = new Stage(4, 3, 1);
  fill(stage, check);
  stage.settle();
  stage.cluster.enter(4, false);
  const hasRetired = (): boolean => stage.cluster.inside.every((node) => {
    const layouts = stage.cluster.node(node)?.membership.layouts;
    return layouts?.live.length === 1 && layouts.current.nodes.length === 5;
  });
  stage.until("the layout before has retired", hasRetired, LIMIT_MS);
  // Those whom node 4 told in time that it has everything may have given up their copies by now.
  const atKill = [0, 1, 2].map((node) => held(stage, node));
  stage.cluster.kill(4);
  stage.run(60_000);
  check.same([0, 1, 2].map((node) => held(stage, node)), atKill, "what went to node 4 is still here");
  check.ok(surplusOf(stage.cluster) > 0, "and is known to be too much");
  stage.cluster.start(4);
  stage.settle();
  stage.until("then it goes", isLean(stage), LIMIT_MS);
  check.equal([0, 1, 2, 3, 4].reduce((sum, node) => sum + held(stage, node), 0), 3 * KEYS, "3 copies");
  checkAll(stage, check);
}

function leave(check: Check): void {
  const stage = new Stage(4, 4);
  fill(stage, check);
  stage.settle();
  const id = stage.cluster.node(1)?.membership.self.id ?? "";
  commit(stage, 0, { change: "leave", node: "n1" });
  const status = (): string => stage.cluster.node(0)?.membership.memberById(id)?.status ?? "";
  check.equal(status(), "leaving", "at first");
  stage.until("it has left", () => status() === "left", LIMIT_MS);
  check.equal(held(stage, 1), 0, "it holds nothing");
  check.equal(stage.get(1, "sib/0").code, "not-ready", "it takes no requests");
  stage.cluster.retire(1);
  stage.settle();
  checkAll(stage, check);
}

function leaveWithHints(check: Check): void {
  const stage = new Stage(5, 5);
  stage.settle();
  stage.cluster.kill(3);
  stage.run(5_000);
  fill(stage, check);
  const keeper = [0, 1, 2, 4].find((node) => {
    return (stage.cluster.node(node)?.statistics()["hintsPending"] ?? 0) > 0;
  }) ?? -1;
  const id = stage.cluster.node(keeper)?.membership.self.id ?? "";
  const other = keeper === 0 ? 1 : 0;
  commit(stage, other, { change: "leave", node: id });
  stage.run(60_000);
  const status = (): string => stage.cluster.node(other)?.membership.memberById(id)?.status ?? "";
  check.equal(status(), "leaving", "its hints have nobody to go to");
  stage.cluster.start(3);
  stage.until("it has left", () => status() === "left", LIMIT_MS);
  stage.cluster.retire(keeper);
  stage.settle();
  checkAll(stage, check);
}

function orphanedHints(check: Check): void {
  const stage = new Stage(5, 6);
  stage.cluster.kill(4);
  stage.run(5_000);
  fill(stage, check);
  check.ok(hintsOf(stage.cluster) > 0, "writes were kept for it");
  const id = stage.cluster.node(0)?.membership.members.find(({ name }) => name === "n4")?.id ?? "";
  stage.cluster.destroy(4);
  commit(stage, 0, { change: "remove", node: id });
  stage.until("no hint is left", () => hintsOf(stage.cluster) === 0, LIMIT_MS);
  const handedOver = stage.cluster.inside.reduce((sum, node) => {
    return sum + (stage.cluster.node(node)?.statistics()["hintsHandedOver"] ?? 0);
  }, 0);
  check.ok(handedOver > 0, "they were handed over");
  stage.settle();
  checkAll(stage, check);
}

function replace(check: Check): void {
  const stage = new Stage(4, 7, 1);
  fill(stage, check);
  stage.settle();
  const slots = owned(stage, 2);
  stage.cluster.destroy(2);
  stage.run(8_000);
  stage.cluster.enter(4, true);
  const waits = (): boolean => {
    return (stage.cluster.node(0)?.membership.administration.staged.length ?? 0) > 0;
  };
  stage.until("the new node waits", waits, LIMIT_MS);
  commit(stage, 0, { change: "replace", node: "n2", by: "n4" });
  stage.settle();
  check.equal(owned(stage, 4), slots, "slots of the heir");
  const isTrusted = (): boolean => stage.cluster.isReachedByAll(4);
  stage.until("all have found out that it answers", isTrusted, LIMIT_MS);
  checkAll(stage, check);
}
