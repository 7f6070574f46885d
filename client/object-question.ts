/** PUT and GET as questions: their bodies (core/request-frames), whom to ask, what an answer comes to. */

import { toHex } from "../core/bytes.ts";
import { CONTEXT_BYTES_MAX, CONTEXT_READER_AT, contextFromTextInto } from "../core/context.ts";
import { KIND_GET, KIND_PUT, type FrameView } from "../core/frame.ts";
import {
  decodeResult,
  type GetBody,
  getLength,
  PUT_DELETE,
  PUT_IF_ABSENT,
  type PutBody,
  putLength,
  RESULT_CODES,
  RESULT_OUTCOMES,
  type ResultBody,
  writeGet,
  writePut,
} from "../core/request-frames.ts";
import type { Question, Verdict } from "./question.ts";

/** Reads what it needs of a result before it returns. */
export type ReadResult<Value> = (result: ResultBody) => Value;

export function getQuestion<Value>(get: GetBody, read: ReadResult<Value>): Question<Value> {
  return {
    kind: KIND_GET,
    timeoutMs: get.timeoutMs,
    isWrite: false,
    mayRace: true,
    lateCode: "read-timeout",
    route: (routes) => routes.route(get.name, false, ""),
    length: () => getLength(get),
    write: (target, offset, timeoutMs) => writeGet({ ...get, timeoutMs }, target, offset),
    judge: (frame) => judgeResult(frame, read),
  };
}

/** @param context as text, whose reader is asked first: it has what the write supersedes */
export function putQuestion<Value>(put: PutBody, context: string, read: ReadResult<Value>): Question<Value> {
  const reader = readerOf(context);
  const isConditional = put.etags.length > 0 || (put.flags & PUT_IF_ABSENT) !== 0;
  const readsFirst = isConditional || ((put.flags & PUT_DELETE) !== 0 && context === "");
  return {
    kind: KIND_PUT,
    timeoutMs: put.timeoutMs,
    isWrite: true,
    // Each attempt of a write that reads first may supersede something else.
    mayRace: !readsFirst,
    lateCode: "write-unknown",
    route: (routes) => routes.route(put.name, true, reader),
    length: () => putLength(put),
    write: (target, offset, timeoutMs) => writePut({ ...put, timeoutMs }, target, offset),
    judge: (frame) => judgeResult(frame, read),
  };
}

const decoded = new Uint8Array(CONTEXT_BYTES_MAX + 8);
const NOBODY = "0".repeat(16);

/** Id of the node that answered the read of a context first; "" for none. Only a hint: the node checks the context. */
function readerOf(context: string): string {
  if (context === "" || contextFromTextInto(context, decoded) < CONTEXT_READER_AT + 8) return "";
  const reader = toHex(decoded, CONTEXT_READER_AT, CONTEXT_READER_AT + 8);
  return reader === NOBODY ? "" : reader;
}

function judgeResult<Value>(frame: FrameView, read: ReadResult<Value>): Verdict<Value> {
  const result = decodeResult(frame.bytes, frame.start, frame.end);
  if (result === null) return unreadable();
  const outcome = RESULT_OUTCOMES[result.outcome];
  if (outcome === "done") return { kind: "done", value: read(result) };
  const { detail, context, retryAfterMs } = result;
  return { kind: outcome, code: RESULT_CODES[result.code], detail, context, retryAfterMs };
}

/** A node of a later version, perhaps: what it did is not known. */
export function unreadable<Value>(): Verdict<Value> {
  const detail = "The node's answer cannot be read";
  return { kind: "unknown", code: "read-timeout", detail, context: "", retryAfterMs: 0 };
}
