/**
 * A node whose clock is far ahead: what it stamps stays with the names that it wrote, no other node follows, and
 * once its clock is right its own stamps are of the present again.
 */

import { newestStamp } from "../../core/version-set.ts";
import { stampMs } from "../../core/clock-entry.ts";
import { ObjectName } from "../../core/object-name.ts";
import { SKEW_MS_MAX_DEFAULT } from "../../core/limits.ts";
import type { Case, Check } from "../suite.ts";
import { Stage } from "./stage.ts";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 86_400_000;
const AHEAD = 2;
const NODES = 3;

export const suite: Case[] = [
  { name: "a last write wins over one that was stamped before, whatever its coordinator has read", run: partitioned },
  { name: "a name with a stamp of next year takes last writes, and no other name follows it", run: confined },
  { name: "a clock that was set right stamps by the present, at once and after a restart", run: corrected },
  { name: "what expires lives as long as was said, whoever's clock is an hour off", run: expiry },
];

function partitioned(check: Check): void {
  const stage = new Stage(NODES);
  const [near, far] = [0, 1];
  taint(stage, "sib/by-the-mad-clock");
  const { context } = stage.get(near, "sib/by-the-mad-clock");
  stage.put(near, "sib/by-the-mad-clock", "read and written again", { context });
  stage.partition([near]);
  stage.run(3_000);
  check.equal(stage.put(near, "last/price", "earlier", { w: 1 }).outcome, "done", "on one side");
  stage.run(10_000);
  check.equal(stage.put(far, "last/price", "later", { w: 1 }).outcome, "done", "ten seconds later, on the other");
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < NODES; node++) {
    check.same(stage.values(node, "last/price"), ["later"], `what node ${node} shows`);
  }
}

function confined(check: Check): void {
  const stage = new Stage(NODES);
  // No peer has told it the time yet as it starts, so nothing keeps it from writing where the last write wins.
  stage.cluster.kill(AHEAD);
  stage.cluster.jumpClock(AHEAD, YEAR_MS);
  stage.partition([AHEAD]);
  stage.cluster.start(AHEAD);
  stage.run(1_000);
  check.equal(stage.put(AHEAD, "last/tainted", "of next year", { w: 1 }).outcome, "done", "nobody can warn it");
  stage.healNetwork();
  stage.settle();
  stage.cluster.mendClock(AHEAD);
  for (let node = 0; node < NODES; node++) {
    const value = `after it, by node ${node}`;
    check.equal(stage.put(node, "last/tainted", value).outcome, "done", value);
    check.same(stage.values((node + 1) % NODES, "last/tainted"), [value], "it is what is read");
    check.equal(stage.put(node, `last/${node}`, "elsewhere").outcome, "done", "another name");
    check.ok(isOfThePresent(stage, node, `last/${node}`), `node ${node} stamps other names by the present`);
  }
}

function corrected(check: Check): void {
  const stage = new Stage(NODES);
  taint(stage, "sib/by-the-mad-clock");
  check.equal(stage.put(AHEAD, "last/at-once", "right").outcome, "done", "its clock is right");
  check.ok(isOfThePresent(stage, AHEAD, "last/at-once"), "and so is its stamp");
  stage.cluster.kill(AHEAD);
  stage.cluster.start(AHEAD);
  stage.settle();
  check.equal(stage.put(AHEAD, "last/restarted", "right").outcome, "done", "after a restart");
  check.ok(isOfThePresent(stage, AHEAD, "last/restarted"), "it has not taken up the old stamp again");
}

function expiry(check: Check): void {
  const stage = new Stage(NODES);
  for (const byMs of [HOUR_MS, -HOUR_MS]) {
    stage.cluster.jumpClock(AHEAD, byMs);
    for (let node = 0; node < NODES; node++) {
      const key = `sib/by ${node}, ${byMs}`;
      check.equal(stage.put(node, key, "kept", { ttlSeconds: 60 }).outcome, "done", key);
      stage.run(50_000);
      for (let reader = 0; reader < NODES; reader++) {
        check.same(stage.values(reader, key), ["kept"], `${key}, read through ${reader} before it expires`);
      }
      stage.run(12_000);
      for (let reader = 0; reader < NODES; reader++) {
        check.same(stage.values(reader, key), [], `${key}, read through ${reader} once it has expired`);
      }
    }
    stage.cluster.mendClock(AHEAD);
  }
}

/** A write by a clock that is a year ahead, and then set right. */
function taint(stage: Stage, key: string): void {
  stage.cluster.jumpClock(AHEAD, YEAR_MS);
  stage.put(AHEAD, key, "of next year");
  stage.cluster.mendClock(AHEAD);
}

/** Whether what a node holds of a name was stamped as it was written, or a little ahead. */
function isOfThePresent(stage: Stage, node: number, key: string): boolean {
  const outcome = stage.cluster.node(node)?.objects?.readHead(new ObjectName(new TextEncoder().encode(key)));
  if (outcome?.status !== "found") return false;
  const { head } = outcome.set;
  return stampMs(head, newestStamp(head, 0)) <= stage.cluster.dateMs + SKEW_MS_MAX_DEFAULT;
}
