/**
 * Errors as clients see them: application/problem+json (RFC 9457) with a stable `code` and the
 * outcome.
 *
 *   {"type": "urn:halo:error:key-too-long", "title": "Key too long", "status": 414,
 *    "detail": "The key is 4097 bytes, the limit is 4096.",
 *    "code": "key-too-long", "outcome": "refused"}
 *
 * `refused` promises that nothing was written anywhere; `unknown` says that it may have been. A
 * program decides by `code`, a person reads `detail`: one sentence, what was given and what is
 * wanted.
 */

import { retryAfterSeconds } from "../coordination/retry-after.ts";
import type { ErrorCode } from "../coordination/store.ts";

/** The codes that this floor adds to the store's own. */
export type HttpCode =
  | ErrorCode
  | "bad-key"
  | "bad-bucket"
  | "bad-header"
  | "not-found"
  | "method"
  | "slow-request"
  | "length-required"
  | "key-too-long"
  | "unsupported-media-type"
  | "bad-range"
  | "minority"
  | "unauthenticated"
  | "internal";

interface Kind {
  readonly status: number;
  readonly title: string;
}

function kind(status: number, title: string): Kind {
  return { status, title };
}

const KINDS: Readonly<Record<HttpCode, Kind>> = {
  "bad-parameter": kind(400, "Bad parameter"),
  "bad-key": kind(400, "Bad key"),
  "bad-bucket": kind(400, "Bad bucket"),
  "bad-context": kind(400, "Bad context"),
  "bad-header": kind(400, "Bad header"),
  unauthenticated: kind(401, "Unauthenticated"),
  forbidden: kind(403, "Forbidden"),
  "not-found": kind(404, "Not found"),
  method: kind(405, "Method not allowed"),
  "slow-request": kind(408, "Slow request"),
  "wrong-type": kind(409, "Wrong type"),
  "stale-layout": kind(409, "Stale layout"),
  "stale-request": kind(409, "Stale request"),
  minority: kind(409, "Minority"),
  "length-required": kind(411, "Length required"),
  "precondition-failed": kind(412, "Precondition failed"),
  "value-too-large": kind(413, "Value too large"),
  "key-too-long": kind(414, "Key too long"),
  "unsupported-media-type": kind(415, "Unsupported media type"),
  "bad-range": kind(416, "Bad range"),
  "rate-limited": kind(429, "Rate limited"),
  internal: kind(500, "Internal error"),
  overloaded: kind(503, "Overloaded"),
  "quorum-unreachable": kind(503, "Quorum unreachable"),
  "absence-unknown": kind(503, "Absence unknown"),
  "clock-skew": kind(503, "Clock skew"),
  "too-many-siblings": kind(503, "Too many siblings"),
  "not-ready": kind(503, "Not ready"),
  "write-unknown": kind(504, "Write outcome unknown"),
  "read-timeout": kind(504, "Read timed out"),
  "disk-full": kind(507, "Disk full"),
  "hints-full": kind(507, "Hints full"),
  "memory-full": kind(507, "Memory full"),
  "files-full": kind(507, "Too many open files"),
};

/** Every code that there is. */
// Safe: the record has exactly these keys.
export const HTTP_CODES = Object.keys(KINDS) as HttpCode[];

export function statusOf(code: HttpCode): number {
  return KINDS[code].status;
}

/** A request that cannot be served as given. Thrown while it is read, answered in one place. */
export class Refusal extends Error {
  readonly code: HttpCode;
  readonly headers: Readonly<Record<string, string>>;

  /** `detail` is one sentence: what was given, what is wanted. */
  constructor(code: HttpCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.code = code;
    this.headers = headers;
  }
}

/**
 * Says that an answer may be kept, but not used again before it was asked for once more. Of an answer that says nothing
 * browsers and proxies judge by its age: what was written ten days ago they would show for another one.
 */
export const NOT_KEPT = ["Cache-Control", "no-cache"] as const;

/** The answer to a request that failed. */
export function problem(
  code: HttpCode,
  detail: string,
  outcome: "refused" | "unknown",
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { status, title } = KINDS[code];
  const sentence = detail.endsWith(".") ? detail : `${detail}.`;
  const type = `urn:halo:error:${code}`;
  const body = { type, title, status, detail: sentence, code, outcome };
  const [name, value] = NOT_KEPT;
  const all: Record<string, string> = { "Content-Type": "application/problem+json", [name]: value, ...headers };
  const seconds = retryAfterSeconds(code);
  if (seconds > 0) all["Retry-After"] = String(seconds);
  return new Response(JSON.stringify(body) + "\n", { status, headers: all });
}

/** The answer to whatever was thrown: a refusal as it says, anything else as an error of ours. */
export function problemOf(thrown: unknown): Response {
  if (thrown instanceof Refusal) {
    return problem(thrown.code, thrown.message, "refused", thrown.headers);
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return problem("internal", `The node failed while it answered: ${reason}.`, "unknown");
}

/** 405 with the methods that the route has. */
export function methodRefusal(method: string, allowed: string): Refusal {
  return new Refusal("method", `${method} is not a method of this route, it has ${allowed}.`, {
    Allow: allowed,
  });
}

/** Makes an answer inside a callback, where nothing may be thrown: what is becomes the answer. */
export function guarded(answer: () => Response): Response {
  try {
    return answer();
  } catch (thrown) {
    return problemOf(thrown);
  }
}

/** An answer that comes by a callback; what is thrown before that is the answer. */
export function answeredLater(begin: (answer: (response: Response) => void) => void): Promise<Response> {
  return new Promise((resolve) => {
    try {
      begin(resolve);
    } catch (thrown) {
      resolve(problemOf(thrown));
    }
  });
}
