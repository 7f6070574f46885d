/**
 * How many replicas have to answer: R, W, DW, PR and PW, as given, as defaulted, as numbers.
 *
 *   request  →  bucket  →  cluster        the first that is not "default" counts
 *   one, quorum, all                      of N, or of the members where they are fewer
 *   a number                              up to N; above it is the caller's error (400)
 *
 * W counts as max(W, DW, PW), and R as max(R, PR): what has to be durable, or come from a primary, has
 * to come at all.
 */

import type { Quorum, QuorumDefaults } from "../membership/charter.ts";
import type { ReadOptions, WriteOptions } from "./store.ts";

/** Properties of a bucket that bear on quorums; absent ones fall through to the cluster's. */
export interface QuorumProperties {
  readonly n?: number | undefined;
  readonly r?: Quorum | undefined;
  readonly w?: Quorum | undefined;
  readonly dw?: Quorum | undefined;
  readonly pr?: Quorum | undefined;
  readonly pw?: Quorum | undefined;
}

export interface WriteNeed {
  readonly w: number;
  readonly dw: number;
  readonly pw: number;
}

export interface ReadNeed {
  readonly r: number;
  readonly pr: number;
}

/** Copies of an object: the bucket's N where it is smaller than the cluster's. */
export function copiesOf(bucket: QuorumProperties, clusterReplicas: number): number {
  return Math.min(bucket.n ?? clusterReplicas, clusterReplicas);
}

/**
 * What a write needs, or a sentence that says what is wrong with what was asked.
 * @param copies N of the bucket
 * @param members nodes in the layout
 */
export function writeNeed(
  options: WriteOptions,
  bucket: QuorumProperties,
  defaults: QuorumDefaults,
  copies: number,
  members: number,
): WriteNeed | string {
  const w = count("w", first(options.w, bucket.w, defaults.w), 1, copies, members);
  if (typeof w === "string") return w;
  const dw = count("dw", first(options.dw, bucket.dw, defaults.dw), 0, copies, members);
  if (typeof dw === "string") return dw;
  const pw = count("pw", first(options.pw, bucket.pw, defaults.pw), 0, copies, members);
  if (typeof pw === "string") return pw;
  return { w: Math.max(w, dw, pw), dw, pw };
}

/** What a read needs, or a sentence that says what is wrong with what was asked. */
export function readNeed(
  options: ReadOptions,
  bucket: QuorumProperties,
  defaults: QuorumDefaults,
  copies: number,
  members: number,
): ReadNeed | string {
  const r = count("r", first(options.r, bucket.r, defaults.r), 1, copies, members);
  if (typeof r === "string") return r;
  const pr = count("pr", first(options.pr, bucket.pr, defaults.pr), 0, copies, members);
  if (typeof pr === "string") return pr;
  return { r: Math.max(r, pr), pr };
}

function first(request: Quorum, bucket: Quorum | undefined, cluster: Quorum): Quorum {
  if (request !== "default") return request;
  return bucket === undefined || bucket === "default" ? cluster : bucket;
}

function count(
  name: string,
  given: Quorum,
  least: number,
  copies: number,
  members: number,
): number | string {
  const reachable = Math.min(copies, members);
  if (given === "one") return 1;
  if (given === "quorum") return Math.floor(reachable / 2) + 1;
  if (given === "all") return reachable;
  if (given === "default") return least;
  if (Number.isInteger(given) && given >= least && given <= copies) return given;
  return `Parameter ${name} is ${given}, wanted is a number from ${least} to ${copies}, ` +
    "or one, quorum or all";
}
