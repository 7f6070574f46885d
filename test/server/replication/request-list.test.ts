/** Lists of writes: how many, how old, and back again. */

import t from "tap";
import { REQUEST_ID_KEPT_MS } from "../../../core/limits.ts";
import { REQUEST_BYTES, REQUESTS_MAX } from "../../../core/replica-frames.ts";
import {
  eachRequest,
  RequestList,
  requestIsYoung,
} from "../../../server/replication/request-list.ts";
import { EPOCH_MS } from "../../simulation/clock.ts";
import { requestIdOf } from "./one-version.ts";

function listed(bytes: Uint8Array): number[][] {
  const found: number[][] = [];
  eachRequest(bytes, (offset, checksum) => found.push([bytes[offset + 15], checksum]));
  return found;
}

t.test("a list gives what was added, the first eight", (tt) => {
  const list = new RequestList();
  for (let request = 1; request <= REQUESTS_MAX + 1; request++) {
    list.add(requestIdOf(request), 0, 0xffffff00 + request);
  }
  const bytes = list.toBytes();
  tt.equal(bytes.length, REQUESTS_MAX * REQUEST_BYTES, "no more than that");
  const wanted = Array.from({ length: REQUESTS_MAX }, (_, at) => [at + 1, 0xffffff01 + at]);
  tt.same(listed(bytes), wanted, "in order");
  tt.same(listed(bytes.subarray(0, REQUEST_BYTES + 7)), wanted.slice(0, 1), "no half ones");
  list.clear();
  tt.equal(list.toBytes().length, 0, "cleared");
  tt.end();
});

t.test("a write is worth a word as long as it may be retried, by a clock an hour ahead", (tt) => {
  const limitMs = EPOCH_MS + REQUEST_ID_KEPT_MS + 3_600_000;
  tt.equal(requestIsYoung(requestIdOf(1), 0, limitMs - 1), true, "just within");
  tt.equal(requestIsYoung(requestIdOf(1), 0, limitMs), false, "not longer");
  tt.equal(requestIsYoung(requestIdOf(1), 0, EPOCH_MS - 9_999_999), true, "of the future");
  tt.end();
});
