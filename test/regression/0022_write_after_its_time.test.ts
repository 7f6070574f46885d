/**
 * `make sim SEED=507956`, and 508464 (2026-11-27). A node outside the preference list was to hand a put on, and could not
 * reach the coordinator for all of the request's time, 30 s. Then it made the write itself, although nobody waited for
 * it any more: its client had sent it again through another node long ago, that had been overwritten, and the
 * partition had gone to owners who knew of neither. So the old value came back. A put whose time is over is not begun;
 * and one that has waited is asked about as a retry is, before anything is made of it.
 */

import t from "tap";
import { drawRequestId } from "../../core/request-id.ts";
import type { CoordinatorParts } from "../../server/coordination/parts.ts";
import { afterWaiting, type PutCase } from "../../server/coordination/put-case.ts";
import { nameOf, SmallCluster } from "../server/replication/small-cluster.ts";
import { simulate } from "../simulation/simulation.ts";

const NAME = nameOf("cart/user-17");

t.test("a put whose time is over is refused, and nothing of it is written", (tt) => {
  const cluster = new SmallCluster(3);
  const [owner] = cluster.preference(NAME);
  const { outcome, code } = owner.put(NAME, "late", { timeoutMs: 0 });
  tt.same({ outcome, code }, { outcome: "refused", code: "quorum-unreachable" });
  tt.same(cluster.nodes.map((node) => node.held(NAME)), [null, null, null], "nobody holds anything");
  tt.end();
});

t.test("a put that has waited may be a retry, unless its client gave no request id", (tt) => {
  let nowMs = 1_767_225_600_000;
  const requestId = drawRequestId(nowMs, (bytes) => bytes.fill(7));
  const parts = { ports: { clock: { nowMs: () => nowMs } } } as unknown as CoordinatorParts;
  const mayBeRetry = (given: Uint8Array | null): boolean => {
    const putCase = { request: { requestId: given }, requestId, mayBeRetry: false } as unknown as PutCase;
    return afterWaiting(parts, putCase).mayBeRetry;
  };
  nowMs += 50;
  tt.equal(mayBeRetry(requestId), false, "just now drawn");
  nowMs += 500;
  tt.equal(mayBeRetry(requestId), true, "in half a second a client may have sent it again");
  tt.equal(mayBeRetry(null), false, "nobody can repeat it");
  tt.end();
});

t.test("nothing returns in the seed that showed it", (tt) => {
  tt.same(simulate(507956, { operations: 1_000, keepTrace: false }).violations, []);
  tt.end();
});
