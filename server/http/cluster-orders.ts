/**
 * What administrators send, from JSON to orders: every field by its name, its type and its bounds; an
 * unknown field is refused, since it is most often a mistyped one.
 */

import * as v from "valibot";
import { BUCKET_BYTES_MAX, PARTITIONS_MAX } from "../../core/limits.ts";
import { CAPACITY_MAX } from "../../core/placement/terms.ts";
import { BACKGROUND_KINDS } from "../admission/background.ts";
import type { CommitOrder, Order } from "../membership/administration.ts";
import { ZONE_CHARS_MAX } from "../membership/member.ts";
import type { MemberReport, PauseOrder, RepairWish } from "./http-node.ts";
import { Refusal } from "./problem.ts";
import { fields, list, readAs, type Schema, text, type Voice, whole } from "./schema.ts";
import { excerpt } from "./target.ts";

/** Changes in one order: one a node, and a cluster has fewer nodes. */
export const CHANGES_MAX = 1_000;
const NODE_CHARS_MAX = 255;
const SLASH = 0x2f;

const node = text(1, NODE_CHARS_MAX);

/** Of join, leave and remove. */
export const orderSchema = fields({ node });
export const replaceSchema = fields({ node, by: node });

const CHANGES = ["join", "leave", "remove", "replace", "change"] as const;
const changeSchema = v.variant("change", [
  fields({ change: v.picklist(["join", "leave", "remove"]), node }),
  fields({ change: v.literal("replace"), node, by: node }),
  fields({
    change: v.literal("change"),
    node,
    capacity: v.exactOptional(whole(1, CAPACITY_MAX)),
    zone: v.exactOptional(text(0, ZONE_CHARS_MAX)),
  }),
], `one of ${CHANGES.join(", ")}`);

export const stageSchema = fields({
  changes: list(changeSchema, 1, CHANGES_MAX, `a list of 1 to ${CHANGES_MAX} changes`),
});

export const revertSchema = fields({ node: v.exactOptional(node) });

const PLAN = "the 8 hexadecimal digits that the plan shows";
export const commitSchema = fields({
  version: whole(1, Number.MAX_SAFE_INTEGER, "the number of the layout that was looked at"),
  plan: v.exactOptional(v.pipe(v.string(PLAN), v.regex(/^([0-9a-f]{8})?$/, PLAN))),
  force: v.exactOptional(v.boolean("true or false")),
});

export const repairSchema = v.pipe(
  fields({
    partition: v.exactOptional(whole(0, PARTITIONS_MAX - 1)),
    bucket: v.exactOptional(text(1, BUCKET_BYTES_MAX)),
  }),
  v.check(
    ({ partition, bucket }) => partition === undefined || bucket === undefined,
    "partition and bucket are both given, want one of them or none",
  ),
  v.metadata({ not: { required: ["partition", "bucket"] } }),
);

export const pauseSchema = fields({
  kind: v.picklist(BACKGROUND_KINDS, `one of ${BACKGROUND_KINDS.join(", ")}`),
  node: v.exactOptional(node),
});

function read<Output>(schema: Schema<Output>, value: unknown, names: string): Output {
  const voice: Voice = {
    whole: `The body is no JSON object, want one of ${names}.`,
    unknown: (name, wanted) => `There is no field '${name}', want ${wanted}.`,
    absent: "not given",
  };
  return readAs(schema, value, voice);
}

/** {"changes": […]} @throws Refusal */
export function readOrders(value: unknown): Order[] {
  return read(stageSchema, value, "changes").changes;
}

/** The one change that a route is named after. @throws Refusal */
export function readOrder(value: unknown, change: Exclude<Order["change"], "change">): Order {
  if (change === "replace") return { change, ...read(replaceSchema, value, "node, by") };
  return { change, ...read(orderSchema, value, "node") };
}

/** The node whose staged change is dropped; null: all of them. @throws Refusal */
export function readRevert(value: unknown): string | null {
  return read(revertSchema, value, "node").node ?? null;
}

/** @throws Refusal */
export function readCommit(value: unknown): CommitOrder {
  const { version, plan = "", force = false } = read(commitSchema, value, "version, plan, force");
  return { version, token: plan, isForced: force };
}

/** {}, {"partition": 17} or {"bucket": "cart"} @throws Refusal */
export function readRepair(value: unknown, partitions: number): RepairWish {
  const { partition = null, bucket } = read(repairSchema, value, "partition, bucket");
  if (bucket !== undefined) {
    const name = new TextEncoder().encode(bucket);
    if (name.length <= BUCKET_BYTES_MAX && !name.includes(SLASH)) return { partition: null, bucket: name };
    throw wrong("bucket", bucket, `1 to ${BUCKET_BYTES_MAX} bytes without a slash`);
  }
  if (partition === null || partition < partitions) return { partition, bucket: null };
  throw wrong("partition", partition, `a number from 0 to ${partitions - 1}`);
}

/** {"kind": "scrub"} or {"kind": "scrub", "node": "n3"} @throws Refusal */
export function readPause(value: unknown, members: readonly MemberReport[], isPaused: boolean): PauseOrder {
  const { kind, node: given = null } = read(pauseSchema, value, "kind, node");
  if (given === null || members.some(({ id, name }) => id === given || name === given)) {
    return { kind, node: given, isPaused };
  }
  throw wrong("node", given, "the name or the id of a member");
}

function wrong(name: string, value: unknown, wanted: string): Refusal {
  return new Refusal("bad-parameter", `${name} is ${excerpt(JSON.stringify(value))}, want ${wanted}.`);
}
