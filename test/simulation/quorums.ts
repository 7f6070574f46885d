/**
 * Quorums as simulated clients ask for them, and what an answer of "done" must then have.
 */

import type { Quorum, ReadOptions, Result, WriteOptions } from "../../server/coordination/store.ts";
import type { SeededRandom } from "../random.ts";

/** The least that an answer of "done" may have taken part. */
export interface Enough {
  readonly replicas: number;
  readonly primaries: number;
  /** Of the replicas, those that had the write durably. */
  readonly durable: number;
}

export interface DrawnRead {
  readonly options: ReadOptions;
  readonly enough: Enough;
}

export interface DrawnWrite {
  readonly options: WriteOptions;
  readonly enough: Enough;
}

/** Draws R and PR, or takes the defaults. `owners` is N, or the members if fewer. */
export function drawRead(
  random: SeededRandom,
  owners: number,
  timeoutMs: number,
  varied: boolean,
): DrawnRead {
  const r = varied ? drawQuorum(random, owners) : "default";
  const pr = varied && random.chance(1, 10) ? 1 + random.below(owners) : 0;
  const replicas = Math.max(countOf(r, owners, "quorum"), pr);
  return { options: { r, pr, timeoutMs }, enough: { replicas, primaries: pr, durable: 0 } };
}

/** Draws W, DW and PW, or takes the defaults. */
export function drawWrite(
  random: SeededRandom,
  owners: number,
  timeoutMs: number,
  varied: boolean,
): DrawnWrite {
  const w = varied ? drawQuorum(random, owners) : "default";
  const dw = varied ? drawDurable(random, owners) : "default";
  const pw = varied && random.chance(1, 10) ? 1 + random.below(owners) : 0;
  const durable = countOf(dw, owners, 1);
  const replicas = Math.max(countOf(w, owners, "quorum"), durable, pw);
  return { options: { w, dw, pw, timeoutMs }, enough: { replicas, primaries: pw, durable } };
}

/** How many replicas a quorum means. */
export function countOf(quorum: Quorum, owners: number, fallback: Quorum): number {
  if (quorum === "default") return countOf(fallback, owners, 1);
  if (quorum === "one") return 1;
  if (quorum === "all") return owners;
  if (quorum === "quorum") return (owners - (owners % 2)) / 2 + 1;
  return Math.min(quorum, owners);
}

/** "" where an answer of "done" had what was asked for, else what it lacked. */
export function shortfall(result: Result, enough: Enough): string {
  const replicas = result.primaries + result.fallbacks;
  if (replicas >= enough.replicas && result.primaries >= enough.primaries) return "";
  const had = `${result.primaries} primaries and ${result.fallbacks} fallbacks`;
  const wanted = `${enough.replicas} replicas, ${enough.primaries} of them primaries`;
  return `done with ${had}; wanted ${wanted}`;
}

const named: readonly Quorum[] = ["default", "default", "quorum", "one", "all"];

function drawQuorum(random: SeededRandom, owners: number): Quorum {
  if (random.chance(1, 3)) return 1 + random.below(owners);
  return named[random.below(named.length)];
}

function drawDurable(random: SeededRandom, owners: number): Quorum {
  if (random.chance(1, 4)) return 0;
  return random.chance(1, 2) ? "default" : drawQuorum(random, owners);
}
