/** Deletes are forgotten when all members confirm that nothing can bring the value back, told as short stories. */

import type { Case, Check } from "../suite.ts";
import { Stage } from "./stage.ts";

const KEY = "sib/basket";
const LIMIT_MS = 120_000;

export const suite: Case[] = [
  { name: "a member that is down blocks what it could bring back, and is named", run: memberDown },
  { name: "a node with an empty disk learns which labels count, and its writes are taken", run: emptyDisk },
  { name: "after a restart of all nodes what was refused is refused, and writes go on", run: restart },
  { name: "nodes that join and leave meanwhile bring nothing back", run: comingAndGoing },
];

function stageOf(nodes: number, spares = 0): Stage {
  return new Stage(nodes, 7, spares, { reapAfterMs: 1_000 });
}

function held(stage: Stage): number {
  return stage.cluster.inside.reduce((sum, node) => sum + (stage.cluster.node(node)?.objects?.stats().objects ?? 0), 0);
}

function forget(stage: Stage): void {
  stage.put(0, KEY, "value", { w: 3 });
  const { context } = stage.get(0, KEY);
  stage.delete(0, KEY, { context, w: 3 });
  stage.until("it is forgotten", () => held(stage) === 0, LIMIT_MS);
}

function memberDown(check: Check): void {
  const stage = stageOf(5);
  stage.put(0, KEY, "value", { w: 3 });
  const { owners, others } = stage.preference(KEY);
  stage.cluster.kill(others[1]);
  stage.run(10_000);
  stage.delete(owners[0], KEY, { w: 3 });
  stage.run(60_000);
  check.equal(held(stage), 3, "a tombstone at each owner");
  const stuck = owners.map((node) => stage.work(node).find(({ reaping }) => reaping.stuck !== "")?.reaping.stuck ?? "");
  check.ok(stuck.join().includes(`n${others[1]}`), `told of: ${stuck.join()}`);
  stage.cluster.start(others[1]);
  stage.until("then it is forgotten", () => held(stage) === 0, LIMIT_MS);
  check.equal(stage.get(others[1], KEY).code, "not-found", "and stays so");
}

function emptyDisk(check: Check): void {
  const stage = stageOf(3);
  for (let round = 0; round < 3; round++) forget(stage);
  stage.cluster.kill(2);
  stage.cluster.wipe(2);
  stage.cluster.start(2);
  stage.settle();
  check.equal(stage.put(2, KEY, "again", { w: 3 }).outcome, "done", "through it, at all three");
  check.equal(stage.put(1, KEY, "and again", { w: 3 }).outcome, "done", "and at it");
  check.same(stage.values(0, KEY, { r: 3, pr: 3 }), ["again", "and again"], "all is there");
}

function restart(check: Check): void {
  const stage = stageOf(3);
  for (let round = 0; round < 2; round++) forget(stage);
  for (const node of [0, 1, 2]) stage.cluster.kill(node);
  for (const node of [0, 1, 2]) stage.cluster.start(node);
  stage.settle();
  check.equal(stage.put(1, KEY, "again", { w: 3 }).outcome, "done", "labels are what they were");
  stage.delete(1, KEY, { w: 3 });
  stage.until("and rounds go on", () => held(stage) === 0, LIMIT_MS);
}

function comingAndGoing(check: Check): void {
  const stage = stageOf(4, 1);
  for (let index = 0; index < 20; index++) {
    stage.put(index % 4, `sib/${index}`, "value", { w: 3 });
    if (index % 2 === 0) stage.delete(index % 4, `sib/${index}`, { w: 3 });
  }
  stage.cluster.enter(4, false);
  stage.settle();
  stage.until("what was deleted is forgotten", () => held(stage) === 30, LIMIT_MS);
  for (let index = 0; index < 20; index++) {
    const values = stage.values(4, `sib/${index}`, { r: 3, pr: 3 });
    check.same(values, index % 2 === 0 ? [] : ["value"], `sib/${index}`);
  }
}
