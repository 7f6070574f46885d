/**
 * The handshake: who is at either end of a connection, and whether they go together.
 *
 *   dialler                                       listener
 *     HELLO {protocol, cluster, node, name, role} ──►   judged by judgeHello and the admit hook
 *     ◄── HELLO reply {protocol, cluster, node, name}   status 0
 *     ◄── HELLO reply {error}                           status says why; then it closes
 *   judged by judgeWelcome
 *
 * Where the cluster has a secret a challenge comes between (secret.ts), and a client brings a token. Fields
 * that are not known are ignored. A HELLO may come twice (it is repeated until answered); the second is
 * answered like the first.
 */

import {
  PROTOCOL_VERSION,
  STATUS_NOT_PROVED,
  STATUS_OK,
  STATUS_WRONG_CLUSTER,
  STATUS_WRONG_NODE,
  STATUS_WRONG_PROTOCOL,
} from "../../core/frame.ts";
import type { Channel } from "../ports/network.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";
import { isEqualInConstantTime, NONCE_BYTES, PROOF_BYTES, proofOf } from "./secret.ts";

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
  /** What a client may do; null: all that its role may. */
  readonly permission: Permission | null;
}

/** What the token of a client allows, looked up at each request: tokens are taken back. */
export interface Permission {
  /**
   * "" where it may read or write objects of a bucket, the first `length` bytes; else one sentence.
   * @param bucket null: what is asked is about none
   */
  refusal(need: "read" | "write", bucket: Uint8Array | null, length?: number): string;
  /** Counts a request: 0, or the milliseconds after which it may come again. */
  takeTurn(): number;
}

/** Who we are; read anew for each handshake, since a node joins a cluster while it runs. */
export interface LocalIdentity {
  /** Null before the node is a member. */
  clusterId(): string | null;
  readonly nodeId: string;
  readonly name: string;
  /** The cluster's; null: whoever reaches this node may come in. */
  readonly secret: Uint8Array | null;
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
  /** Drawn for the connection by a side that proves the secret; empty: none. */
  readonly nonce: Uint8Array;
  /** Empty: none. */
  readonly proof: Uint8Array;
  /** What a client brings; "": nothing. */
  readonly token: string;
}

const NOTHING = new Uint8Array(0);

/** What this node says of itself where it dials. @param nonce of the connection; empty: no secret */
export function greetingOf(local: LocalIdentity, role: Role, nonce: Uint8Array): Greeting {
  return {
    protocol: PROTOCOL_VERSION,
    clusterId: local.clusterId(),
    nodeId: role === "client" ? null : local.nodeId,
    name: local.name,
    role,
    permission: null,
    nonce,
    proof: NOTHING,
    token: "",
  };
}

export function encodeHello(greeting: Greeting): Uint8Array {
  const { role, token } = greeting;
  return encodeMessage({ ...said(greeting), role, ...(token === "" ? {} : { token }) });
}

/** The welcome, or the challenge before it. */
export function encodeWelcome(greeting: Greeting): Uint8Array {
  return encodeMessage(said(greeting));
}

function said({ protocol, clusterId, nodeId, name, nonce, proof }: Greeting): object {
  return {
    protocol,
    cluster: clusterId,
    node: nodeId,
    name,
    ...(nonce.length === 0 ? {} : { nonce }),
    ...(proof.length === 0 ? {} : { proof }),
  };
}

/** The greeting with the proof of its side. REQUIRES: both have their nonce. */
export function proved(
  secret: Uint8Array,
  side: "dialler" | "listener",
  own: Greeting,
  other: Greeting,
  channel: Channel | null,
): Greeting {
  const [dialler, listener] = side === "dialler" ? [own, other] : [other, own];
  return { ...own, proof: proofOf(secret, side, dialler, listener, channel?.binding ?? NOTHING) };
}

/** Whether a greeting's proof is that of its side. */
export function isProved(
  secret: Uint8Array,
  side: "dialler" | "listener",
  theirs: Greeting,
  own: Greeting,
  channel: Channel | null,
): boolean {
  if (theirs.nonce.length !== NONCE_BYTES || own.nonce.length !== NONCE_BYTES) return false;
  const wanted = proved(secret, side, { ...theirs, proof: NOTHING }, own, channel).proof;
  return isEqualInConstantTime(theirs.proof, wanted);
}

/** Reads a HELLO or a welcome (whose role is "peer" by default); null where it is malformed. */
export function decodeGreeting(bytes: Uint8Array, start: number, end: number): Greeting | null {
  const body = decodeMessage(bytes, start, end);
  if (typeof body !== "object" || body === null) return null;
  const fields = body as Readonly<Record<string, unknown>>;
  const { protocol, cluster = null, node = null, name = "", role = "peer" } = fields;
  const { nonce = NOTHING, proof = NOTHING, token = "" } = fields;
  if (typeof protocol !== "number") return null;
  // Of another protocol nothing more is known than its number.
  if (protocol !== PROTOCOL_VERSION) return { ...UNKNOWN, protocol };
  if (!isShortText(name) || (cluster !== null && !isShortText(cluster))) return null;
  if (node !== null && !isNodeId(node)) return null;
  if (role !== "peer" && role !== "client" && role !== "joining") return null;
  if ((node === null) !== (role === "client")) return null;
  if (!isBytes(nonce, NONCE_BYTES) || !isBytes(proof, PROOF_BYTES) || !isShortText(token)) return null;
  const who: PeerIdentity = { nodeId: node, clusterId: cluster, role, name, permission: null };
  // Copies: the frame that they stand in goes.
  return { protocol, ...who, nonce: nonce.slice(), proof: proof.slice(), token };
}

const UNKNOWN = {
  nodeId: null,
  clusterId: null,
  role: "client",
  name: "",
  permission: null,
  nonce: NOTHING,
  proof: NOTHING,
  token: "",
} as const;

/** Absent, or just so many. */
function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && (value.length === length || value.length === 0);
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

/** One side has no secret, or another one. */
export function notProved(sentence: string): Refusal {
  return { status: STATUS_NOT_PROVED, sentence };
}

/** What else a wrong proof may mean. */
export function orBetween(channel: Channel | null): string {
  return channel === null ? "" : ", or somebody between the two ends the TLS";
}

function isShortText(value: unknown): value is string {
  return typeof value === "string" && value.length <= TEXT_CHARS_MAX;
}

function isNodeId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
}
