/**
 * Bucket properties as JSON. Here the form is checked: names, kinds of values; what the values
 * may be is the rule of membership/buckets, which owns them. What is refused changes nothing.
 *
 *   {"n": 3, "r": "quorum", "w": 2, "dw": 1, "pr": 0, "pw": 0, "policy": "siblings" | "lww",
 *    "ttlSeconds": 3600, "preset": "merge" | "timestamp" | "read-engine"}
 *
 * A preset is a name for some of the others: merge is policy siblings, timestamp is policy lww,
 * read-engine is r=one and w=all. What is given beside it stands.
 */

import type { Quorum } from "../coordination/store.ts";
import {
  type BucketProperties,
  checkProperties,
  type ConflictPolicy,
  presetProperties,
} from "../membership/buckets.ts";
import { QUORUM_NAMES } from "../membership/charter.ts";
import type { HttpNode } from "./http-node.ts";
import { Refusal } from "./problem.ts";
import { excerpt } from "./target.ts";

/** Fields of BucketProperties while they are being filled. */
type Draft = { -readonly [Name in keyof BucketProperties]: BucketProperties[Name] };

const NAMES = ["n", ...QUORUM_NAMES, "policy", "ttlSeconds", "preset"];

/**
 * Reads properties from JSON text.
 * @param replicas the cluster's N
 * @throws Refusal bad-parameter
 */
export function readBucketProperties(text: string, replicas: number): BucketProperties {
  const given = parseObject(text);
  const draft: Draft = presetOf(given.get("preset"));
  for (const [name, value] of given) setProperty(draft, name, value);
  const wrong = checkProperties(draft, replicas);
  if (wrong !== "") throw new Refusal("bad-parameter", wrong);
  return draft;
}

function parseObject(text: string): Map<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Refusal("bad-parameter", "The body is not JSON, want an object of properties.");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Refusal("bad-parameter", "The body is JSON but no object, want bucket properties.");
  }
  return new Map(Object.entries(parsed));
}

function presetOf(value: unknown): Draft {
  if (value === undefined) return { policy: "siblings" };
  if (value === "merge" || value === "timestamp" || value === "read-engine") {
    return { ...presetProperties(value) };
  }
  throw badValue("preset", value, "merge, timestamp or read-engine");
}

function setProperty(draft: Draft, name: string, value: unknown): void {
  if (name === "preset") return;
  const quorum = QUORUM_NAMES.find((known) => known === name);
  if (quorum !== undefined) draft[quorum] = quorumOf(name, value);
  else if (name === "policy") draft.policy = policyOf(value);
  else if (name === "n" || name === "ttlSeconds") draft[name] = numberOf(name, value);
  else {
    const wanted = `want ${NAMES.join(", ")}`;
    throw new Refusal("bad-parameter", `'${excerpt(name)}' is not a bucket property, ${wanted}.`);
  }
}

function policyOf(value: unknown): ConflictPolicy {
  if (value === "siblings" || value === "lww") return value;
  throw badValue("policy", value, "siblings or lww");
}

function numberOf(name: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw badValue(name, value, "a number");
}

function quorumOf(name: string, value: unknown): Quorum {
  if (typeof value === "number") return value;
  if (value === "one" || value === "quorum" || value === "all" || value === "default") return value;
  throw badValue(name, value, "a number, or one, quorum, all, default");
}

function badValue(name: string, value: unknown, wanted: string): Refusal {
  const given = excerpt(JSON.stringify(value));
  return new Refusal("bad-parameter", `${name} is ${given}, want ${wanted}.`);
}

/** What holds for a bucket: the cluster's defaults, and what was given for it on top. */
export function effectiveProperties(node: HttpNode, given: BucketProperties): object {
  const own = Object.entries(given).filter(([, value]) => value !== "default");
  return { ...node.defaults, ...Object.fromEntries(own) };
}
