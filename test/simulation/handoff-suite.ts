/**
 * An owner that was down comes back, and every delivery of a hint to it is lost once, or either side dies as it is
 * sent (C10): at the end it has everything, once, and no hint is left.
 */

import { PURPOSE_HINT } from "../../core/replica-frames.ts";
import { Replication } from "../../server/replication/replication.ts";
import type { Case, Check } from "../suite.ts";
import { hintsOf } from "./inspection.ts";
import { Stage } from "./stage.ts";

const KEYS = 12;
const BACK = 2;
const AWAY_MS = 2_000;

type Trouble = "nothing" | "lost" | "answer lost" | "owner dies" | "keeper dies";

export const suite: Case[] = [
  { name: "each delivery is lost once", run: (check) => everyDelivery(check, "lost") },
  { name: "each delivery's answer is lost once", run: (check) => everyDelivery(check, "answer lost") },
  { name: "the owner dies at each delivery", run: (check) => everyDelivery(check, "owner dies") },
  { name: "who keeps the hint dies at each delivery", run: (check) => everyDelivery(check, "keeper dies") },
];

function everyDelivery(check: Check, trouble: Trouble): void {
  const quiet = comeBackWith("nothing", -1);
  check.ok(quiet.deliveries >= KEYS / 2, `${quiet.deliveries} deliveries when nothing happens`);
  for (let at = 0; at < quiet.deliveries; at++) {
    const { wrong, hasStruck } = comeBackWith(trouble, at);
    check.ok(hasStruck, `delivery ${at} was made`);
    check.same(wrong, [], `${trouble} at delivery ${at}: what is wrong`);
  }
}

interface Outcome {
  readonly deliveries: number;
  readonly hasStruck: boolean;
  readonly wrong: string[];
}

function comeBackWith(trouble: Trouble, at: number): Outcome {
  const stage = new Stage(5, 4);
  stage.cluster.kill(BACK);
  stage.run(5_000);
  const others = [0, 1, 3, 4];
  for (let index = 0; index < KEYS; index++) stage.put(others[index % 4], `sib/${index}`, `value ${index}`);
  let deliveries = 0;
  let hasStruck = false;
  const deliver = Replication.prototype.deliver;
  Replication.prototype.deliver = function (this: Replication, member, name, set, how, load, done): void {
    const isStruck = how.purpose === PURPOSE_HINT && deliveries++ === at;
    if (!isStruck) return deliver.call(this, member, name, set, how, load, done);
    hasStruck = true;
    const timeout = (): void => done({ failure: "timeout", status: 0, isDurable: false, digest0: 0, digest1: 0 });
    if (trouble === "lost") return void stage.world.after(how.timeoutMs, timeout);
    if (trouble === "answer lost") return deliver.call(this, member, name, set, how, load, timeout);
    const keeper = others.find((node) => stage.cluster.node(node)?.membership.memberById(member.id) === member) ?? 0;
    const dying = trouble === "owner dies" ? BACK : keeper;
    // Not from inside a call of the node that dies.
    stage.world.after(0, () => {
      stage.cluster.kill(dying);
      stage.world.after(AWAY_MS, () => stage.cluster.start(dying));
      if (dying === BACK) timeout();
    });
  };
  try {
    stage.cluster.start(BACK);
    stage.settle();
    // Who was down is held for well again.
    stage.run(10_000);
  } finally {
    Replication.prototype.deliver = deliver;
  }
  return { deliveries, hasStruck, wrong: wrongOf(stage) };
}

/** What is missing, or there twice, by reads from all owners; and hints that are left. */
function wrongOf(stage: Stage): string[] {
  const wrong: string[] = [];
  for (const node of stage.cluster.inside) {
    for (let index = 0; index < KEYS; index++) {
      const values = stage.values(node, `sib/${index}`, { r: 3, pr: 3 });
      if (values.join() !== `value ${index}`) wrong.push(`${index} at node ${node}: ${values.join()}`);
    }
  }
  const left = hintsOf(stage.cluster);
  return left === 0 ? wrong : [...wrong, `${left} hints are left`];
}
