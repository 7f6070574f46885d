/** When another try of a refused request has a chance: by code, told over HTTP and over the binary protocol alike. */

import type { ErrorCode } from "./store.ts";

const SECONDS: Partial<Record<ErrorCode, number>> = {
  overloaded: 1,
  "quorum-unreachable": 1,
  "absence-unknown": 5,
  "not-ready": 1,
  "hints-full": 5,
  "files-full": 5,
};

/** Seconds; 0 where waiting does not help. */
export function retryAfterSeconds(code: string): number {
  // Safe: a code that is not in the table has no entry.
  return SECONDS[code as ErrorCode] ?? 0;
}

export function retryAfterMs(code: string): number {
  return retryAfterSeconds(code) * 1000;
}
