/**
 * The handshake: who is at either end of a connection, and whether they go together.
 *
 *   dialler                                       listener
 *     HELLO {protocol, cluster, node, name, role} ──►   judged by judgeHello and the admit hook
 *     ◄── HELLO reply {protocol, cluster, node, name}   status 0
 *     ◄── HELLO reply {error}                           status says why; then it closes
 *   judged by judgeWelcome
 *
 * Fields that are not known are ignored, so that a proof of the cluster's secret can be added
 * without a new protocol number. A HELLO may come twice (it is repeated until answered); the second
 * is answered like the first.
 */

import {
  PROTOCOL_VERSION,
  STATUS_OK,
  STATUS_WRONG_CLUSTER,
  STATUS_WRONG_NODE,
  STATUS_WRONG_PROTOCOL,
} from "../../core/frame.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";

/** Until the handshake is done a frame may be this large, no larger. */
export const HELLO_BYTES_MAX = 4096;
/** Names of nodes, clusters: longer ones are malformed. */
const TEXT_CHARS_MAX = 255;

/** A member; a client; a node that asks to become a member. */
export type Role = "peer" | "client" | "joining";

/** Who is at the other end. */
export interface PeerIdentity {
  /** 16 hexadecimal digits; null: a client. */
  readonly nodeId: string | null;
  readonly clusterId: string | null;
  readonly role: Role;
  /** What its operator calls it; for logs. */
  readonly name: string;
}

/** Who we are; read anew for each handshake, since a node joins a cluster while it runs. */
export interface LocalIdentity {
  /** Null before the node is a member. */
  clusterId(): string | null;
  readonly nodeId: string;
  readonly name: string;
}

/** Why a handshake failed: a status of core/frame and one sentence. */
export interface Refusal {
  readonly status: number;
  readonly sentence: string;
}

export const ACCEPTED: Refusal = { status: STATUS_OK, sentence: "" };

/** What either side says of itself. */
export interface Greeting extends PeerIdentity {
  readonly protocol: number;
}

export function encodeHello(local: LocalIdentity, role: Role): Uint8Array {
  const node = role === "client" ? null : local.nodeId;
  return encodeMessage({
    protocol: PROTOCOL_VERSION,
    cluster: local.clusterId(),
    node,
    name: local.name,
    role,
  });
}

export function encodeWelcome(local: LocalIdentity): Uint8Array {
  return encodeMessage({
    protocol: PROTOCOL_VERSION,
    cluster: local.clusterId(),
    node: local.nodeId,
    name: local.name,
  });
}

/** Reads a HELLO or a welcome (whose role is "peer" by default); null where it is malformed. */
export function decodeGreeting(bytes: Uint8Array, start: number, end: number): Greeting | null {
  const body = decodeMessage(bytes, start, end);
  if (typeof body !== "object" || body === null) return null;
  const fields = body as Readonly<Record<string, unknown>>;
  const { protocol, cluster = null, node = null, name = "", role = "peer" } = fields;
  if (typeof protocol !== "number") return null;
  // Of another protocol nothing more is known than its number.
  if (protocol !== PROTOCOL_VERSION) {
    return { protocol, nodeId: null, clusterId: null, role: "client", name: "" };
  }
  if (!isShortText(name) || (cluster !== null && !isShortText(cluster))) return null;
  if (node !== null && !isNodeId(node)) return null;
  if (role !== "peer" && role !== "client" && role !== "joining") return null;
  if ((node === null) !== (role === "client")) return null;
  return { protocol, nodeId: node, clusterId: cluster, role, name };
}

/** The listener's judgement. */
export function judgeHello(hello: Greeting, local: LocalIdentity): Refusal {
  const protocol = judgeProtocol(hello);
  if (protocol !== ACCEPTED) return protocol;
  const cluster = local.clusterId();
  if (hello.role === "peer" && (cluster === null || hello.clusterId !== cluster)) {
    return wrongCluster(hello.clusterId, cluster);
  }
  // A client or a joining node may not know the cluster, but one that names it must name ours.
  if (hello.clusterId !== null && hello.clusterId !== cluster) {
    return wrongCluster(hello.clusterId, cluster);
  }
  return ACCEPTED;
}

/** The dialler's judgement. @param expectedId the node that should be there, "" when any may be */
export function judgeWelcome(
  welcome: Greeting,
  local: LocalIdentity,
  role: Role,
  expectedId: string,
): Refusal {
  const protocol = judgeProtocol(welcome);
  if (protocol !== ACCEPTED) return protocol;
  const cluster = local.clusterId();
  if (role === "peer" && welcome.clusterId !== cluster) {
    return wrongCluster(welcome.clusterId, cluster);
  }
  if (expectedId !== "" && welcome.nodeId !== expectedId) {
    const sentence = `Found node ${welcome.nodeId} (${welcome.name}), wanted node ${expectedId}`;
    return { status: STATUS_WRONG_NODE, sentence };
  }
  return ACCEPTED;
}

function judgeProtocol(greeting: Greeting): Refusal {
  if (greeting.protocol === PROTOCOL_VERSION) return ACCEPTED;
  const sentence = `Got protocol ${greeting.protocol}, this node speaks ${PROTOCOL_VERSION}`;
  return { status: STATUS_WRONG_PROTOCOL, sentence };
}

function wrongCluster(theirs: string | null, ours: string | null): Refusal {
  const sentence = `Got cluster ${theirs ?? "none"}, this node is in ${ours ?? "none yet"}`;
  return { status: STATUS_WRONG_CLUSTER, sentence };
}

function isShortText(value: unknown): value is string {
  return typeof value === "string" && value.length <= TEXT_CHARS_MAX;
}

function isNodeId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
}
