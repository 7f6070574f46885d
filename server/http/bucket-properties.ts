/**
 * Bucket properties as JSON. Here the form is checked: names, kinds of values, bounds; what goes together
 * is the rule of membership/buckets, which owns them. What is refused changes nothing.
 *
 *   {"n": 3, "r": "quorum", "w": 2, "dw": 1, "pr": 0, "pw": 0, "policy": "siblings" | "lww",
 *    "ttlSeconds": 3600, "preset": "merge" | "timestamp" | "read-engine"}
 *
 * A preset is a name for some of the others: merge is policy siblings, timestamp is policy lww,
 * read-engine is r=one and w=all. What is given beside it stands.
 */

import * as v from "valibot";
import { REPLICAS_MAX } from "../../core/limits.ts";
import {
  bucketDefaults,
  type BucketProperties,
  checkProperties,
  presetProperties,
  TTL_SECONDS_MAX,
} from "../membership/buckets.ts";
import type { HttpNode } from "./http-node.ts";
import { QUORUM_WORDS } from "./parameters.ts";
import { Refusal } from "./problem.ts";
import { fields, readAs, type Voice, whole } from "./schema.ts";

function quorum(least: number) {
  const wanted = `a number from ${least} to ${REPLICAS_MAX}, or ${QUORUM_WORDS.join(", ")}`;
  return v.exactOptional(v.union([whole(least, REPLICAS_MAX, wanted), v.picklist(QUORUM_WORDS, wanted)], wanted));
}

export const bucketPropertiesSchema = fields({
  n: v.exactOptional(whole(1, REPLICAS_MAX, `a number from 1 to ${REPLICAS_MAX}`)),
  r: quorum(1),
  w: quorum(1),
  dw: quorum(0),
  pr: quorum(0),
  pw: quorum(0),
  policy: v.exactOptional(v.picklist(["siblings", "lww"], "siblings or lww")),
  ttlSeconds: v.exactOptional(whole(1, TTL_SECONDS_MAX)),
  preset: v.exactOptional(v.picklist(["merge", "timestamp", "read-engine"], "merge, timestamp or read-engine")),
});

const VOICE: Voice = {
  whole: "The body is JSON but no object, want bucket properties.",
  unknown: (name, wanted) => `'${name}' is not a bucket property, want ${wanted}.`,
  absent: "not given",
};

/**
 * Reads properties from JSON text.
 * @param replicas the cluster's N
 * @throws Refusal bad-parameter
 */
export function readBucketProperties(text: string, replicas: number): BucketProperties {
  const { preset, ...given } = readAs(bucketPropertiesSchema, parse(text), VOICE);
  const properties = { ...(preset === undefined ? bucketDefaults : presetProperties(preset)), ...given };
  const wrong = checkProperties(properties, replicas);
  if (wrong !== "") throw new Refusal("bad-parameter", wrong);
  return properties;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("bad-parameter", "The body is not JSON, want an object of properties.");
  }
}

/** What holds for a bucket: the cluster's defaults, and what was given for it on top. */
export function effectiveProperties(node: HttpNode, given: BucketProperties): object {
  const own = Object.entries(given).filter(([, value]) => value !== "default");
  return { ...node.defaults, ...Object.fromEntries(own) };
}
