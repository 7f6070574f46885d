/** A page of a bucket's keys as a question; any node answers it. */

import { KIND_MESSAGE, type FrameView } from "../core/frame.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";
import { unreadable } from "./object-question.ts";
import type { Question, Verdict } from "./question.ts";

export interface PageOrder {
  readonly bucket: Uint8Array;
  readonly prefix: Uint8Array;
  /** "": the first page. */
  readonly cursor: string;
  readonly limit: number;
  /** A quorum as a byte (core/request-frames). */
  readonly r: number;
  readonly timeoutMs: number;
}

export interface Page {
  readonly keys: readonly Uint8Array[];
  /** "": this is the last one. */
  readonly cursor: string;
}

export function listQuestion(order: PageOrder): Question<Page> {
  const { bucket, prefix, cursor, limit, r, timeoutMs } = order;
  const body = encodeMessage(["list", [bucket, prefix, cursor, limit, r, timeoutMs]]);
  return {
    kind: KIND_MESSAGE,
    timeoutMs,
    isWrite: false,
    // A page is work for many nodes: who makes it is waited for.
    mayRace: false,
    lateCode: "read-timeout",
    route: (routes) => routes.anyone(),
    length: () => body.length,
    write: (target, offset) => target.set(body, offset),
    judge: judgePage,
  };
}

function judgePage(frame: FrameView): Verdict<Page> {
  const answer = decodeMessage(frame.bytes, frame.start, frame.end);
  if (!Array.isArray(answer) || answer.length !== 6) return unreadable();
  const [outcome, code, detail, retryAfterMs, keys, cursor] = answer as unknown[];
  if (outcome === "done" && typeof cursor === "string" && Array.isArray(keys) && keys.every(isKey)) {
    return { kind: "done", value: { keys, cursor } };
  }
  const isSaid = typeof code === "string" && typeof detail === "string" && typeof retryAfterMs === "number";
  if (!isSaid || (outcome !== "refused" && outcome !== "unknown")) return unreadable();
  return { kind: outcome, code, detail, context: "", retryAfterMs };
}

function isKey(key: unknown): key is Uint8Array {
  return key instanceof Uint8Array;
}
