/**
 * PUT and GET as frames: from nodes that forward, and from clients of the binary protocol. Each frame
 * becomes the request that HTTP would have made of it, and its end becomes a RESULT.
 */

import { KIND_GET, KIND_PUT, REPLY_BIT, type FrameView } from "../../core/frame.ts";
import { TIMEOUT_MS_MAX } from "../../core/limits.ts";
import { ObjectName, checkName } from "../../core/object-name.ts";
import { decodeMeta, isShowable, type PayloadMeta } from "../../core/payload.ts";
import { isRequestId } from "../../core/request-id.ts";
import { STATUS_MALFORMED } from "../../core/replica-frames.ts";
import {
  GET_FORWARDED,
  PUT_DELETE,
  PUT_FORWARDED,
  PUT_IF_ABSENT,
  PUT_RETURN_BODY,
  PUT_STAGED,
  readGet,
  readPut,
  type PutBody,
} from "../../core/request-frames.ts";
import type { Connection } from "../wire/connection.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import type { Coordinator } from "./coordinator.ts";
import { encodeEnded, encodeForClient, quorumOfByte, refused, unknown, type Ended } from "./results.ts";
import type { PutRequest } from "./store.ts";

const decoder = new TextDecoder();
const NO_META: PayloadMeta = { contentType: "application/octet-stream", meta: [] };

/** Registers the two kinds. */
export function serveRequests(peers: Peers, coordinator: Coordinator): void {
  const replyTo = answers(coordinator);
  peers.onRequest(KIND_PUT, (frame, connection, from) => {
    const body = readPut(frame.bytes, frame.start, frame.end);
    const request = body === null ? null : putRequestOf(body);
    if (body === null || request === null) return refuseFrame(frame, connection);
    const isForwarded = (body.flags & PUT_FORWARDED) !== 0;
    const reply = replyTo(frame, connection, from);
    const forbidden = refusalOf(from, "write", request.name.bytes, request.name.bucketLength);
    if (forbidden !== null) return reply(forbidden);
    if ((body.flags & PUT_STAGED) === 0) return coordinator.putFor(request, isForwarded, reply);
    const { name } = request;
    const requestId = body.requestId.slice();
    const staged = from.role === "peer" ? coordinator.stagedFor(name, requestId) : null;
    if (staged === null) return reply(refused("overloaded", "The value that came before has been given up"));
    return coordinator.putFor({ ...request, staged }, isForwarded, (ended) => {
      coordinator.dropStaged(name, requestId);
      reply(ended);
    });
  });
  peers.onRequest(KIND_GET, (frame, connection, from) => {
    const body = readGet(frame.bytes, frame.start, frame.end);
    if (body === null || checkName(body.name) !== "" || !isTimeout(body.timeoutMs)) {
      return refuseFrame(frame, connection);
    }
    const name = new ObjectName(body.name.slice());
    const r = quorumOfByte(body.r);
    const pr = quorumOfByte(body.pr);
    const request = { name, options: { r, pr, timeoutMs: body.timeoutMs } };
    const isForwarded = (body.flags & GET_FORWARDED) !== 0;
    const forbidden = refusalOf(from, "read", name.bytes, name.bucketLength);
    const reply = replyTo(frame, connection, from);
    if (forbidden !== null) return reply(forbidden);
    return coordinator.getFor(request, isForwarded, reply);
  });
}

/** What the token of a client does not allow in a bucket, the first `length` bytes; null: it does. */
export function refusalOf(
  { permission }: PeerIdentity,
  need: "read" | "write",
  bucket: Uint8Array,
  length: number,
): Ended | null {
  if (permission === null) return null;
  const sentence = permission.refusal(need, bucket, length);
  if (sentence !== "") return refused("forbidden", sentence);
  const waitMs = permission.takeTurn();
  if (waitMs === 0) return null;
  const detail = `The token has sent as many requests as it may, want ${waitMs} ms of rest`;
  return { ...refused("rate-limited", detail), retryAfterMs: waitMs };
}

/** The request in a frame, its bytes copied; null where a field is out of range. */
function putRequestOf(body: PutBody): PutRequest | null {
  const isDelete = (body.flags & PUT_DELETE) !== 0;
  const meta = body.meta.length === 0 ? NO_META : decodeMeta(body.meta, body.meta.length);
  if (checkName(body.name) !== "" || meta === null || !isShowable(meta) || !isTimeout(body.timeoutMs)) return null;
  const etags = decoder.decode(body.etags);
  const absent = (body.flags & PUT_IF_ABSENT) !== 0;
  return {
    name: new ObjectName(body.name.slice()),
    context: decoder.decode(body.context),
    requestId: isRequestId(body.requestId) ? body.requestId.slice() : null,
    meta,
    body: body.body.slice(),
    isDelete,
    ttlSeconds: body.ttlSeconds,
    returnBody: (body.flags & PUT_RETURN_BODY) !== 0,
    precondition:
      absent || etags !== "" ? { absent, etags: etags === "" ? [] : etags.split(",") } : null,
    options: {
      w: quorumOfByte(body.w),
      dw: quorumOfByte(body.dw),
      pw: quorumOfByte(body.pw),
      timeoutMs: body.timeoutMs,
    },
  };
}

function isTimeout(timeoutMs: number): boolean {
  return timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX;
}

function refuseFrame(frame: FrameView, connection: Connection): void {
  const { kind, correlation, layout } = frame;
  connection.reserve(kind | REPLY_BIT, 0, STATUS_MALFORMED, correlation, layout, 0);
}

type Reply = (ended: Ended) => void;

/**
 * How answers go back: with the number of the layout that this node reads by, from which a client learns that its own is
 * stale; and to a client with nothing in them but what it is shown.
 */
function answers(coordinator: Coordinator) {
  return (frame: FrameView, connection: Connection, from: PeerIdentity): Reply => {
    const { kind, correlation } = frame;
    const encode = (ended: Ended): Uint8Array =>
      from.role === "client" ? encodeForClient(ended, coordinator.nowMs) : encodeEnded(ended);
    const send = (bytes: Uint8Array): boolean => {
      const layout = coordinator.layoutNumber;
      const offset = connection.reserve(kind | REPLY_BIT, 0, 0, correlation, layout, bytes.length);
      if (offset >= 0) connection.buffer.set(bytes, offset);
      return offset >= 0;
    };
    return (ended) => {
      if (send(encode(ended))) return;
      const detail = "The siblings together are too large for one answer; ask one of the owners";
      send(encodeEnded(unknown("read-timeout", detail, ended.result)));
    };
  };
}
