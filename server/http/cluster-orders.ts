/**
 * What administrators send, from JSON to orders: every field by its name, its type and its bounds; an
 * unknown field is refused, since it is most often a mistyped one.
 */

import { BUCKET_BYTES_MAX } from "../../core/limits.ts";
import { CAPACITY_MAX } from "../../core/placement/terms.ts";
import { BACKGROUND_KINDS } from "../admission/background.ts";
import type { CommitOrder, Order } from "../membership/administration.ts";
import { ZONE_CHARS_MAX } from "../membership/member.ts";
import type { MemberReport, PauseOrder, RepairWish } from "./http-node.ts";
import { Refusal } from "./problem.ts";

/** Changes in one order: one a node, and a cluster has fewer nodes. */
export const CHANGES_MAX = 1_000;
const NODE_CHARS_MAX = 255;
const SLASH = 0x2f;
const CHANGES = ["join", "leave", "remove", "replace", "change"] as const;

/** {"changes": […]} @throws Refusal */
export function readOrders(value: unknown): Order[] {
  const { changes } = fieldsOf(value, ["changes"]);
  if (!Array.isArray(changes) || changes.length < 1 || changes.length > CHANGES_MAX) {
    throw wrong("changes", changes, `a list of 1 to ${CHANGES_MAX} changes`);
  }
  return changes.map((change: unknown) => readOrder(change, null));
}

/** @param change what is asked for; null: the field `change` says it. @throws Refusal */
export function readOrder(value: unknown, change: Order["change"] | null): Order {
  const named = change === null ? ["change"] : [];
  const fields = fieldsOf(value, [...named, "node", "by", "capacity", "zone"]);
  const kind = change ?? CHANGES.find((known) => known === fields["change"]);
  if (kind === undefined) throw wrong("change", fields["change"], `one of ${CHANGES.join(", ")}`);
  const node = readNode(fields, "node");
  if (kind !== "replace") without(fields, "by", kind);
  if (kind !== "change") {
    without(fields, "capacity", kind);
    without(fields, "zone", kind);
  }
  if (kind === "replace") return { change: kind, node, by: readNode(fields, "by") };
  if (kind !== "change") return { change: kind, node };
  const { capacity, zone } = fields;
  return {
    change: kind,
    node,
    ...(capacity === undefined ? {} : { capacity: readCapacity(capacity) }),
    ...(zone === undefined ? {} : { zone: readText("zone", zone, 0, ZONE_CHARS_MAX) }),
  };
}

/** The node whose staged change is dropped; null: all of them. @throws Refusal */
export function readRevert(value: unknown): string | null {
  const fields = fieldsOf(value, ["node"]);
  return fields["node"] === undefined ? null : readNode(fields, "node");
}

/** @throws Refusal */
export function readCommit(value: unknown): CommitOrder {
  const { version, plan = "", force = false } = fieldsOf(value, ["version", "plan", "force"]);
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) {
    throw wrong("version", version, "the number of the layout that was looked at");
  }
  const token = readText("plan", plan, 0, 8);
  if (token !== "" && !/^[0-9a-f]{8}$/.test(token)) {
    throw wrong("plan", plan, "the 8 hexadecimal digits that the plan shows");
  }
  if (typeof force !== "boolean") throw wrong("force", force, "true or false");
  return { version, token, isForced: force };
}

/** {}, {"partition": 17} or {"bucket": "cart"} @throws Refusal */
export function readRepair(value: unknown, partitions: number): RepairWish {
  const { partition, bucket } = fieldsOf(value, ["partition", "bucket"]);
  if (partition !== undefined && bucket !== undefined) {
    throw new Refusal("bad-parameter", "partition and bucket are both given, want one of them or none.");
  }
  if (bucket !== undefined) {
    const name = new TextEncoder().encode(readText("bucket", bucket, 1, BUCKET_BYTES_MAX));
    if (name.length <= BUCKET_BYTES_MAX && !name.includes(SLASH)) return { partition: null, bucket: name };
    throw wrong("bucket", bucket, `1 to ${BUCKET_BYTES_MAX} bytes without a slash`);
  }
  if (partition === undefined) return { partition: null, bucket: null };
  const isOne = typeof partition === "number" && Number.isInteger(partition) && partition >= 0;
  if (isOne && partition < partitions) return { partition, bucket: null };
  throw wrong("partition", partition, `a number from 0 to ${partitions - 1}`);
}

/** {"kind": "scrub"} or {"kind": "scrub", "node": "n3"} @throws Refusal */
export function readPause(value: unknown, members: readonly MemberReport[], isPaused: boolean): PauseOrder {
  const { kind: name, node: given } = fieldsOf(value, ["kind", "node"]);
  const kind = BACKGROUND_KINDS.find((known) => known === name);
  if (kind === undefined) throw wrong("kind", name, `one of ${BACKGROUND_KINDS.join(", ")}`);
  if (given === undefined) return { kind, node: null, isPaused };
  const node = readText("node", given, 1, NODE_CHARS_MAX);
  if (members.some(({ id, name }) => id === node || name === node)) return { kind, node, isPaused };
  throw wrong("node", given, "the name or the id of a member");
}

function fieldsOf(value: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal("bad-parameter", `The body is no JSON object, want one of ${names.join(", ")}.`);
  }
  for (const name of Object.keys(value)) {
    if (names.includes(name)) continue;
    const wanted = names.length === 0 ? "none" : names.join(", ");
    throw new Refusal("bad-parameter", `There is no field '${name.slice(0, 64)}', want ${wanted}.`);
  }
  // Safe: an object that is no array.
  return value as Record<string, unknown>;
}

function without(fields: Record<string, unknown>, name: string, kind: string): void {
  if (fields[name] === undefined) return;
  throw new Refusal("bad-parameter", `${name} is given for ${kind}, which takes none.`);
}

function readNode(fields: Record<string, unknown>, name: string): string {
  return readText(name, fields[name], 1, NODE_CHARS_MAX);
}

function readText(name: string, value: unknown, least: number, most: number): string {
  if (typeof value === "string" && value.length >= least && value.length <= most) return value;
  throw wrong(name, value, `a text of ${least} to ${most} characters`);
}

function readCapacity(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= CAPACITY_MAX) {
    return value;
  }
  throw wrong("capacity", value, `a whole number from 1 to ${CAPACITY_MAX}`);
}

function wrong(name: string, value: unknown, wanted: string): Refusal {
  const given = value === undefined ? "not given" : JSON.stringify(value)?.slice(0, 64);
  return new Refusal("bad-parameter", `${name} is ${given}, want ${wanted}.`);
}
