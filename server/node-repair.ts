/** Repairs of the whole cluster, as an administrator at any node sees them: begun at and told by every member. */

import { bucketTag } from "../core/object-name.ts";
import type { RepairsReport, RepairWish } from "./http/http-node.ts";
import { askAll, type Answered } from "./membership/ask-all.ts";
import type { Membership } from "./membership/membership.ts";
import type { RepairReport } from "./replication/repair.ts";
import type { Replication } from "./replication/replication.ts";

const ASK_TIMEOUT_MS = 5_000;

export class NodeRepair {
  readonly #membership: Membership;
  readonly #replication: Replication;

  constructor(membership: Membership, replication: Replication) {
    this.#membership = membership;
    this.#replication = replication;
  }

  /** Begins it at every member that answers; calls back with how it stands. */
  begin({ partition, bucket }: RepairWish, done: (report: RepairsReport) => void): void {
    const order = { partition, bucketTag: bucket === null ? null : bucketTag(bucket) };
    this.#ask("repair", [order.partition, order.bucketTag], this.#replication.repair(order), done);
  }

  /** How the last one stands at every member. */
  status(done: (report: RepairsReport) => void): void {
    this.#ask("repair-status", null, this.#replication.repairReport, done);
  }

  #ask(type: string, body: unknown, own: RepairReport, done: (report: RepairsReport) => void): void {
    askAll(this.#membership.members, type, body, ASK_TIMEOUT_MS, own, (answers) => done(reportOf(answers)));
  }
}

function reportOf(answers: readonly Answered[]): RepairsReport {
  const told = answers.filter(({ error, answer }) => error === "" && isReport(answer));
  return {
    members: told.map(({ member, answer }) => ({ node: member.id, name: member.name, ...(answer as RepairReport) })),
    silent: answers.filter((one) => !told.includes(one)).map(({ member }) => member.name),
  };
}

function isReport(value: unknown): value is RepairReport {
  if (typeof value !== "object" || value === null) return false;
  const { state, compared, of, differing, repaired, failed } = value as Partial<RepairReport>;
  const counts = [compared, of, differing, repaired];
  return typeof state === "string" && Array.isArray(failed) && counts.every((count) => Number.isInteger(count));
}
