/** What is remembered of superseded writes: which, for how long, and how many. */

import t from "tap";
import { REQUEST_ID_KEPT_MS } from "../../../core/limits.ts";
import { SupersededRequests } from "../../../server/replication/superseded.ts";
import { SeededRandom } from "../../random.ts";

const CHECKSUM = 0xdeadbeef;
const POSITION = 0xcafebabe;

/** Ids that share a set of the table: their last eight bytes are equal. */
function idOf(number: number): Uint8Array {
  const id = new Uint8Array(16);
  id[0] = 1 + number;
  id[12] = 9;
  return id;
}

t.test("a write is known by its id, its content and its name, and by all three only", (tt) => {
  const requests = new SupersededRequests();
  const bytes = new Uint8Array(40);
  bytes.set(idOf(1), 20);
  requests.remember(bytes, 20, CHECKSUM, POSITION, 0);
  tt.equal(requests.has(idOf(1), 0, CHECKSUM, POSITION, 0), true, "the write");
  tt.equal(requests.has(idOf(2), 0, CHECKSUM, POSITION, 0), false, "another id");
  tt.equal(requests.has(idOf(1), 0, CHECKSUM + 1, POSITION, 0), false, "another content");
  tt.equal(requests.has(idOf(1), 0, CHECKSUM, POSITION + 1, 0), false, "another name");
  tt.end();
});

t.test("it is remembered as long as a retry may come", (tt) => {
  const requests = new SupersededRequests();
  requests.remember(idOf(1), 0, CHECKSUM, POSITION, 5_000);
  const at = (elapsedMs: number) => requests.has(idOf(1), 0, CHECKSUM, POSITION, elapsedMs);
  tt.equal(at(5_000 + REQUEST_ID_KEPT_MS - 1), true, "just within");
  tt.equal(at(5_000 + REQUEST_ID_KEPT_MS), false, "not longer");
  requests.remember(idOf(1), 0, CHECKSUM, POSITION, 100_000);
  tt.equal(at(100_000 + REQUEST_ID_KEPT_MS - 1), true, "seen again, it is remembered anew");
  tt.end();
});

t.test("a version without an id is nobody's retry", (tt) => {
  const requests = new SupersededRequests();
  requests.remember(new Uint8Array(16), 0, CHECKSUM, POSITION, 0);
  tt.equal(requests.has(new Uint8Array(16), 0, CHECKSUM, POSITION, 0), false, "sixteen zeros");
  tt.end();
});

t.test("of ids that share a set the last four are known, each in one place", (tt) => {
  const requests = new SupersededRequests();
  const knows = (number: number) => requests.has(idOf(number), 0, CHECKSUM, POSITION, 100);
  for (const number of [1, 2, 3, 1, 4]) {
    requests.remember(idOf(number), 0, CHECKSUM, POSITION, 10 + number);
  }
  tt.same([1, 2, 3, 4].map(knows), [true, true, true, true], "four");
  requests.remember(idOf(2), 0, CHECKSUM, POSITION, 50);
  requests.remember(idOf(5), 0, CHECKSUM, POSITION, 60);
  tt.same([1, 2, 3, 4, 5].map(knows), [false, true, true, true, true], "the oldest made room");
  tt.end();
});

t.test("ids that do not share all of their last bits make room by themselves", (tt) => {
  const requests = new SupersededRequests();
  const ids = Array.from({ length: 16 }, (_, number) => {
    const id = idOf(number);
    id[13] = number << 2;
    return id;
  });
  for (const id of ids) requests.remember(id, 0, CHECKSUM, POSITION, 1);
  const known = ids.filter((id) => requests.has(id, 0, CHECKSUM, POSITION, 2)).length;
  tt.equal(known, 16, "all are known");
  tt.end();
});

t.test("a thousand random ids are all known at once", (tt) => {
  const requests = new SupersededRequests();
  const random = new SeededRandom(1);
  const ids = Array.from({ length: 1_000 }, () => {
    const id = new Uint8Array(16);
    random.fill(id);
    return id;
  });
  for (const id of ids) requests.remember(id, 0, CHECKSUM, POSITION, 1);
  const lost = ids.filter((id) => !requests.has(id, 0, CHECKSUM, POSITION, 2)).length;
  tt.equal(lost, 0, "none is lost");
  tt.end();
});
