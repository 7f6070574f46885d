/**
 * What client libraries ask beside PUT and GET: where partitions lie, so that each request goes straight to a
 * coordinator, and the keys of a bucket.
 *
 *   layout  [number that the client has]  →  [number, partition bits, owners per partition,
 *                                             [[id, name, address], …], owners or null: it has them,
 *                                             [[bucket, n], …] that have fewer copies]
 *   list    [bucket, prefix, cursor, limit, r, timeout]  →  [outcome, code, detail, ms to wait, [key, …], cursor]
 *
 * The layout is the one that reads use: a coordinator of it coordinates both, reads and writes. Addresses are given
 * each time, since members may move within a layout.
 */

import { writeU16 } from "../../core/bytes.ts";
import { BUCKET_BYTES_MAX, TIMEOUT_MS_MAX } from "../../core/limits.ts";
import type { Membership } from "../membership/membership.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import type { Coordinator } from "./coordinator.ts";
import { refusalOf } from "./remote.ts";
import { quorumOfByte } from "./results.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { ListRequest } from "./store.ts";

/** Bytes of keys from which on a page ends: with what a round adds to it, it fits the smallest frame. */
const PAGE_BYTES_MAX = 512 << 10;
/** Requests for further ones are handed on. */
const BUCKETS_TOLD_MAX = 1_000;
const SLASH = 0x2f;

/** Registers the two messages. */
export function serveClients(peers: Peers, membership: Membership, coordinator: Coordinator): void {
  peers.onMessage("layout", (body, from, reply, refuse) => {
    const refusal = from.permission?.refusal("read", null) ?? "";
    if (refusal !== "") refuse(refusal);
    else if (!Array.isArray(body) || typeof body[0] !== "number") refuse("layout wants [number]");
    else if (!membership.ready) refuse("This node is not a member yet");
    else reply(layoutFor(membership, body[0], from));
  });
  peers.onMessage("list", (body, from, reply, refuse) => {
    const request = readList(body);
    if (request === null) refuse("list wants [bucket, prefix, cursor, limit, r, timeout]");
    else list(coordinator, request, from, reply);
  });
}

function layoutFor(membership: Membership, known: number, from: PeerIdentity): unknown[] {
  const { number, partitionBits, ownersPerPartition, nodes, owners } = membership.layouts.reading;
  const places = nodes.map(({ id, name, address }) => [id, name, membership.memberById(id)?.address ?? address]);
  const rows = known === number ? null : packed(owners);
  return [number, partitionBits, ownersPerPartition, places, rows, fewerCopies(membership, from)];
}

/** Only the first owners coordinate such a bucket. A token is told of its own buckets. */
function fewerCopies({ buckets, layouts }: Membership, { permission }: PeerIdentity): [Uint8Array, number][] {
  const found: [Uint8Array, number][] = [];
  for (const { bucket, properties } of buckets.list()) {
    const { n } = properties;
    const isFewer = n !== undefined && n < layouts.reading.ownersPerPartition;
    if (!isFewer || (permission?.refusal("read", bucket) ?? "") !== "") continue;
    if (found.push([bucket, n]) === BUCKETS_TOLD_MAX) break;
  }
  return found;
}

function packed(owners: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * owners.length);
  for (let slot = 0; slot < owners.length; slot++) writeU16(bytes, 2 * slot, owners[slot]);
  return bytes;
}

function list(
  coordinator: Coordinator,
  request: ListRequest,
  from: PeerIdentity,
  reply: (value: unknown) => void,
): void {
  const forbidden = refusalOf(from, "read", request.bucket, request.bucket.length);
  if (forbidden !== null) {
    const { outcome, code, detail } = forbidden.result;
    return reply([outcome, code, detail, forbidden.retryAfterMs ?? 0, [], ""]);
  }
  return coordinator.list(request, ({ outcome, code, detail, keys, cursor }) => {
    reply([outcome, code, detail, retryAfterMs(code), keys, cursor]);
  });
}

/** Null where the fields are not what they have to be; what they say the coordinator judges. */
function readList(body: unknown): ListRequest | null {
  if (!Array.isArray(body) || body.length !== 6) return null;
  const [bucket, prefix, cursor, limit, r, timeoutMs] = body as unknown[];
  if (!(bucket instanceof Uint8Array) || !(prefix instanceof Uint8Array)) return null;
  if (bucket.length < 1 || bucket.length > BUCKET_BYTES_MAX || bucket.includes(SLASH)) return null;
  if (typeof cursor !== "string" || typeof limit !== "number") return null;
  if (!isWhole(r, 0, 255) || !isWhole(timeoutMs, 1, TIMEOUT_MS_MAX)) return null;
  return { bucket, prefix, cursor, limit, bytesMax: PAGE_BYTES_MAX, r: quorumOfByte(r), timeoutMs };
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}
