/**
 * A node joins, and every message of the transfers to it is lost once, or either side dies as it is sent: it
 * gets its share all the same, each chunk once but for those that were under way.
 */

import { Peer } from "../../server/wire/peer.ts";
import type { Case, Check } from "../suite.ts";
import { surplusOf } from "./inspection.ts";
import { Stage } from "./stage.ts";

const KEYS = 40;
const NEWCOMER = 3;
const LIMIT_MS = 120_000;
const AWAY_MS = 2_000;

type Trouble = "nothing" | "lost" | "source dies" | "newcomer dies";

export const suite: Case[] = [
  { name: "each transfer message is lost once", run: (check) => everyMessage(check, "lost") },
  { name: "the source dies at each transfer message", run: (check) => everyMessage(check, "source dies") },
  { name: "the new owner dies at each of them", run: (check) => everyMessage(check, "newcomer dies") },
];

function everyMessage(check: Check, trouble: Trouble): void {
  const quiet = joinWith("nothing", -1);
  check.ok(quiet.messages > 20, `${quiet.messages} messages when nothing happens`);
  check.ok(quiet.chunkBytes > KEYS * 10, `${quiet.chunkBytes} bytes came in chunks`);
  for (let at = 0; at < quiet.messages; at++) {
    const { missing, struck } = joinWith(trouble, at);
    check.ok(struck, `message ${at} was sent`);
    check.same(missing, [], `${trouble} at message ${at}: what is missing`);
  }
}

/** A node joins three; trouble strikes at the message with this number, from 0. */
function joinWith(trouble: Trouble, at: number): Outcome {
  const stage = new Stage(3, 2, 1);
  for (let index = 0; index < KEYS; index++) stage.put(index % 3, `sib/${index}`, `value ${index}`);
  stage.settle();
  let messages = 0;
  let struck = false;
  const call = Peer.prototype.call;
  Peer.prototype.call = function (this: Peer, type, body, timeoutMs, done): void {
    const isStruck = type.startsWith("transfer-") && messages++ === at;
    if (!isStruck) return call.call(this, type, body, timeoutMs, done);
    struck = true;
    return strike(stage, this, trouble, timeoutMs, done);
  };
  try {
    stage.cluster.enter(NEWCOMER, false);
    stage.settle();
    stage.until("nobody holds what it does not own", () => surplusOf(stage.cluster) === 0, LIMIT_MS);
  } finally {
    Peer.prototype.call = call;
  }
  const chunkBytes = stage.cluster.node(NEWCOMER)?.statistics()["transferredBytes"] ?? 0;
  return { messages, struck, missing: missingOf(stage), chunkBytes };
}

interface Outcome {
  readonly messages: number;
  readonly struck: boolean;
  readonly missing: string[];
  readonly chunkBytes: number;
}

type CallDone = Parameters<Peer["call"]>[3];

function strike(stage: Stage, peer: Peer, trouble: Trouble, timeoutMs: number, done: CallDone): void {
  if (trouble === "lost") {
    stage.world.after(timeoutMs, () => done(undefined, "no answer"));
    return;
  }
  const dying = trouble === "source dies" ? Number(peer.address.slice(1, 2)) : NEWCOMER;
  // Not from inside a call of the node that dies.
  stage.world.after(0, () => {
    stage.cluster.kill(dying);
    stage.world.after(AWAY_MS, () => stage.cluster.start(dying));
    if (dying !== NEWCOMER) done(undefined, "closed");
  });
}

/** Values that some node does not read from all three owners. */
function missingOf(stage: Stage): string[] {
  const missing: string[] = [];
  for (const node of stage.cluster.inside) {
    for (let index = 0; index < KEYS; index++) {
      const values = stage.values(node, `sib/${index}`, { r: 3, pr: 3 });
      if (values.length !== 1 || values[0] !== `value ${index}`) missing.push(`${index} at node ${node}`);
    }
  }
  return missing;
}
