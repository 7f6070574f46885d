/**
 * Work in the background of the whole cluster, as an administrator at any node sees it: how transfers stand, what
 * goes on at which pace, and what is paused, told by every member. One whose disk did not take an order has not
 * followed it, and counts among those that did not answer; its log says why.
 */

import { type Background, BACKGROUND_KINDS, type BackgroundKind } from "./admission/background.ts";
import type { PauseOrder, WorkReport, WorksReport } from "./http/http-node.ts";
import { askAll, type Answered } from "./membership/ask-all.ts";
import type { Membership } from "./membership/membership.ts";
import type { NodePauses } from "./node-pauses.ts";
import type { Log } from "./ports/log.ts";
import type { Replication } from "./replication/replication.ts";
import type { Peers } from "./wire/peers.ts";

const ASK_TIMEOUT_MS = 5_000;

export interface NodeWorkParts {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly replication: Replication;
  readonly background: Background;
  readonly pauses: NodePauses;
  readonly log: Log;
  /** What 99 % of the last minute's requests took at most, ms. */
  p99Ms(): number;
}

export class NodeWork {
  readonly #parts: NodeWorkParts;

  constructor(parts: NodeWorkParts) {
    this.#parts = parts;
    parts.peers.onMessage("work", (_body, from, reply, refuse) => {
      if (from.role === "peer") reply(this.#own());
      else refuse("members alone are answered");
    });
    parts.peers.onMessage("work-pause", (body, from, reply, refuse) => {
      const order = from.role === "peer" ? readPause(body) : null;
      if (order === null) return refuse("work-pause wants a kind of work, the id of a node or null, and true or false");
      const problem = this.#take(order);
      return problem === "" ? reply(this.#own()) : refuse(problem);
    });
  }

  /** How it stands at every member. */
  status(done: (report: WorksReport) => void): void {
    this.#ask("work", null, this.#own(), done);
  }

  /** Pauses or resumes a kind at every member that answers, or at one; calls back with how it stands then. */
  pause(order: PauseOrder, done: (report: WorksReport) => void): void {
    const own = this.#take(order) === "" ? this.#own() : undefined;
    this.#ask("work-pause", [order.kind, order.node, order.isPaused], own, done);
  }

  #ask(type: string, body: unknown, own: unknown, done: (report: WorksReport) => void): void {
    askAll(this.#parts.membership.members, type, body, ASK_TIMEOUT_MS, own, (answers) => done(reportOf(answers)));
  }

  /** Follows an order that is meant for this node; "" or why it cannot. */
  #take({ kind, node, isPaused }: PauseOrder): string {
    const { pauses, log, membership } = this.#parts;
    const { id, name } = membership.self;
    if (node !== null && node !== id && node !== name) return "";
    const problem = pauses.set(kind, isPaused);
    if (problem !== "") log.error("an order to pause or resume cannot be kept", { kind, isPaused, problem });
    return problem;
  }

  #own(): Omit<WorkReport, "node" | "name"> {
    const { replication, background, p99Ms } = this.#parts;
    return {
      transfer: replication.transferReport,
      handoff: replication.hints.report(),
      reaping: replication.reapingReport,
      background: background.report(),
      bytesPerSecondMax: Math.round(background.bytesPerSecond),
      p99Ms: p99Ms(),
    };
  }
}

function readPause(body: unknown): PauseOrder | null {
  if (!Array.isArray(body) || body.length !== 3) return null;
  const [name, node, isPaused] = body as [unknown, unknown, unknown];
  const kind: BackgroundKind | undefined = BACKGROUND_KINDS.find((known) => known === name);
  if (kind === undefined || typeof isPaused !== "boolean") return null;
  return node === null || typeof node === "string" ? { kind, node, isPaused } : null;
}

function reportOf(answers: readonly Answered[]): WorksReport {
  const told = answers.filter(({ error, answer }) => error === "" && isReport(answer));
  return {
    members: told.map(({ member, answer }) => ({ ...(answer as WorkReport), node: member.id, name: member.name })),
    silent: answers.filter((one) => !told.includes(one)).map(({ member }) => member.name),
  };
}

/** A member of another version may tell something else: it counts as silent. */
function isReport(value: unknown): value is Omit<WorkReport, "node" | "name"> {
  if (typeof value !== "object" || value === null) return false;
  const { transfer, background } = value as Partial<WorkReport>;
  return typeof transfer === "object" && typeof transfer?.left === "number" && Array.isArray(background);
}
