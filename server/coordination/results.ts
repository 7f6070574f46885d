/** How requests end: the three outcomes as values, and the set that a forwarded answer carries. */

import {
  QUORUM_ALL,
  QUORUM_DEFAULT,
  QUORUM_ONE,
  QUORUM_QUORUM,
  RESULT_CODES,
  RESULT_OUTCOMES,
  encodeResult,
  type ResultBody,
} from "../../core/request-frames.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { isLarge, ownPayload } from "../../storage/large-payload.ts";
import { onWire } from "../replication/wire-set.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { ErrorCode, Outcome, Quorum, Result } from "./store.ts";
import { shownSet, shownVersions, siblingsOf } from "./view.ts";

/** A result and the set behind its siblings, which travels where the result is forwarded. */
export interface Ended {
  readonly result: Result;
  readonly set: VersionSet | null;
  /** When another try has a chance, where that is known better than by the code. */
  readonly retryAfterMs?: number;
}

const NOTHING = {
  detail: "",
  context: "",
  etag: "",
  primaries: 0,
  fallbacks: 0,
  siblings: [],
} as const;

/** Nothing was written anywhere. @param replicas that were read before that was known */
export function refused(
  code: ErrorCode,
  detail: string,
  context = "",
  { primaries, fallbacks }: { primaries: number; fallbacks: number } = NOTHING,
): Ended {
  const result: Result = { ...NOTHING, outcome: "refused", code, detail, context, primaries, fallbacks };
  return { result, set: null };
}

/** It may have happened. */
export function unknown(
  code: "write-unknown" | "read-timeout",
  detail: string,
  replicas: { primaries: number; fallbacks: number },
): Ended {
  const { primaries, fallbacks } = replicas;
  return {
    result: { ...NOTHING, outcome: "unknown", code, detail, primaries, fallbacks },
    set: null,
  };
}

export function finished(
  code: "" | "not-found",
  parts: Pick<Result, "context" | "etag" | "primaries" | "fallbacks" | "siblings">,
  set: VersionSet | null,
): Ended {
  const { context, etag, primaries, fallbacks, siblings } = parts;
  const detail = code === "" ? "" : "No object is stored under this name";
  return {
    result: { outcome: "done", code, detail, context, etag, primaries, fallbacks, siblings },
    set,
  };
}

/** An answer as it travels back to the node that forwarded. */
export function encodeEnded(ended: Ended): Uint8Array {
  const { result, set } = ended;
  return encodeResult({
    outcome: RESULT_OUTCOMES.indexOf(result.outcome),
    code: RESULT_CODES.indexOf(result.code),
    primaries: result.primaries,
    fallbacks: result.fallbacks,
    context: result.context,
    detail: result.detail,
    etag: result.etag,
    retryAfterMs: ended.retryAfterMs ?? retryAfterMs(result.code),
    set: set === null ? null : onWire(set),
  });
}

/**
 * An answer as it travels to a client: of the set, the versions alone that it is shown, so that no clock of its own
 * decides what has expired. A value that is streamed does not fit an answer.
 */
export function encodeForClient(ended: Ended, nowMs: number): Uint8Array {
  const { result, set } = ended;
  if (set === null) return encodeEnded(ended);
  const shown = shownSet(set, nowMs);
  if (!shown.payloads.some(isLarge)) return encodeEnded({ result, set: shown.payloads.length === 0 ? null : shown });
  const detail = "The value is too large for the binary protocol; read it over HTTP";
  return encodeEnded(refused("value-too-large", detail, result.context));
}

/** A forwarded answer as this node's own; `set` is the one in it, with the large payloads fetched. */
export function endedOf(body: ResultBody, set: VersionSet | null, nowMs: number): Ended {
  const siblings = set === null ? [] : (siblingsOf(set, shownVersions(set, nowMs)) ?? []);
  const outcome: Outcome = RESULT_OUTCOMES[body.outcome];
  const { context, detail, etag, primaries, fallbacks } = body;
  return {
    result: {
      outcome,
      code: RESULT_CODES[body.code],
      detail,
      context,
      etag,
      primaries,
      fallbacks,
      siblings,
    },
    set,
  };
}

export function copyOf(set: VersionSet): VersionSet {
  return {
    head: set.head.slice(),
    payloads: set.payloads.map(ownPayload),
  };
}

const QUORUM_BYTES = {
  default: QUORUM_DEFAULT,
  one: QUORUM_ONE,
  quorum: QUORUM_QUORUM,
  all: QUORUM_ALL,
} as const;

/** A quorum as a byte; a number beyond what a byte can say stays too large to be met. */
export function quorumByte(quorum: Quorum): number {
  if (typeof quorum === "string") return QUORUM_BYTES[quorum];
  return Number.isInteger(quorum) && quorum >= 0 ? Math.min(quorum, QUORUM_ALL - 1) : QUORUM_ALL - 1;
}

export function quorumOfByte(byte: number): Quorum {
  if (byte === QUORUM_DEFAULT) return "default";
  if (byte === QUORUM_ONE) return "one";
  if (byte === QUORUM_QUORUM) return "quorum";
  return byte === QUORUM_ALL ? "all" : byte;
}
