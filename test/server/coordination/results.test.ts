/** How requests end, and how an end travels back to the node that handed the request on. */

import t from "tap";
import { decodeResult } from "../../../core/request-frames.ts";
import { encodeMeta, encodePayload } from "../../../core/payload.ts";
import {
  encodeEnded,
  type Ended,
  copyOf,
  endedOf,
  finished,
  quorumByte,
  quorumOfByte,
  refused,
  unknown,
} from "../../../server/coordination/results.ts";
import type { ErrorCode, Quorum } from "../../../server/coordination/store.ts";
import { readNeed } from "../../../server/coordination/quorum.ts";
import { shownVersions, siblingsOf } from "../../../server/coordination/view.ts";
import { setOfOne } from "../replication/one-version.ts";

/** Every code that a request can end with: a type-checked list. */
const CODES: Record<ErrorCode, true> = {
  "bad-parameter": true,
  "bad-context": true,
  "wrong-type": true,
  "stale-layout": true,
  "stale-request": true,
  "precondition-failed": true,
  "value-too-large": true,
  overloaded: true,
  "quorum-unreachable": true,
  "absence-unknown": true,
  "clock-skew": true,
  "too-many-siblings": true,
  "not-ready": true,
  "write-unknown": true,
  "read-timeout": true,
  "disk-full": true,
  "hints-full": true,
  "memory-full": true,
  "files-full": true,
  forbidden: true,
  "rate-limited": true,
};

/** An end as it arrives at the other node. */
function travelled(ended: Ended): Ended {
  const bytes = encodeEnded(ended);
  const body = decodeResult(bytes, 0, bytes.length);
  if (body === null) throw new Error("the result cannot be read");
  const arrived = endedOf(body, body.set === null ? null : copyOf(body.set), 0);
  bytes.fill(0xdb);
  return arrived;
}

t.test("an answer with its siblings arrives as it was, in bytes of its own", (tt) => {
  const meta = encodeMeta({ contentType: "text/plain", meta: [["a", "b"]] });
  const payload = encodePayload(meta, new Uint8Array(5).fill(3));
  const { head } = setOfOne({ actor: "a", counter: 1, body: "x".repeat(payload.length) });
  // The metadata's length, in the one version's entry.
  head[8 + 30] = meta.length;
  head[8 + 48] = payload.length - meta.length;
  const set = { head, payloads: [payload] };
  const siblings = siblingsOf(set, shownVersions(set, 0)) ?? [];
  tt.equal(siblings.length, 1, "one sibling");
  const parts = { context: "c0ntext", etag: "e7a6", primaries: 2, fallbacks: 1, siblings };
  const ended = finished("", parts, set);
  tt.same(travelled(ended), ended, "all of it");
  tt.end();
});

t.test("every refusal and every unknown outcome arrives with its code and sentence", (tt) => {
  for (const code of Object.keys(CODES) as ErrorCode[]) {
    const ended = refused(code, `Because of ${code}: größer`, "c0ntext");
    tt.same(travelled(ended), ended, code);
  }
  for (const code of ["write-unknown", "read-timeout"] as const) {
    const ended = unknown(code, "It took too long", { primaries: 1, fallbacks: 1 });
    tt.same(travelled(ended), ended, `${code}, unknown`);
  }
  const parts = { context: "", etag: "", primaries: 3, fallbacks: 0, siblings: [] };
  tt.same(
    travelled(finished("not-found", parts, null)),
    finished("not-found", parts, null),
    "not found",
  );
  tt.end();
});

t.test("a quorum travels as a byte; a number that no byte can say is refused there", (tt) => {
  const quorums: Quorum[] = ["default", "one", "quorum", "all", 0, 1, 3, 250];
  for (const quorum of quorums) tt.equal(quorumOfByte(quorumByte(quorum)), quorum, `${quorum}`);
  for (const wrong of [252, 255, 256, 1e9, -1, 1.5, NaN]) {
    const arrived = quorumOfByte(quorumByte(wrong));
    const need = readNeed(
      { r: arrived, pr: 0, timeoutMs: 1 },
      {},
      { r: 1, w: 1, dw: 0, pr: 0, pw: 0 },
      8,
      8,
    );
    tt.equal(typeof need, "string", `${wrong} arrives as ${arrived} and is refused`);
  }
  tt.end();
});
