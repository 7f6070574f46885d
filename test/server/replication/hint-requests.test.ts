/** What is told with a hint: how much, and of how many. */

import t from "tap";
import { REQUEST_BYTES, REQUESTS_MAX } from "../../../core/replica-frames.ts";
import { HINTS_TOLD_MAX, HintRequests } from "../../../server/replication/hint-requests.ts";

function request(number: number): Uint8Array {
  return new Uint8Array(REQUEST_BYTES).fill(number);
}

t.test("a name's newest writes are told, at most eight, until its hint is gone", (tt) => {
  const requests = new HintRequests();
  tt.equal(requests.of(7).length, 0, "none");
  for (let number = 1; number <= REQUESTS_MAX + 2; number++) requests.add(7, request(number));
  const list = requests.of(7);
  const numbers = Array.from({ length: list.length / REQUEST_BYTES }, (_, at) => list[at * 20]);
  tt.same(numbers, [10, 9, 8, 7, 6, 5, 4, 3], "the newest first");
  tt.equal(requests.of(8).length, 0, "another name's are its own");
  requests.drop(7);
  tt.equal(requests.of(7).length, 0, "gone");
  tt.end();
});

t.test("of too many names the oldest are forgotten", (tt) => {
  const requests = new HintRequests();
  for (let name = 0; name < HINTS_TOLD_MAX; name++) requests.add(name, request(1));
  requests.add(0, request(2));
  requests.add(HINTS_TOLD_MAX, request(1));
  tt.equal(requests.of(0).length, 2 * REQUEST_BYTES, "one that was added to is young again");
  tt.equal(requests.of(1).length, 0, "the oldest is gone");
  tt.equal(requests.of(2).length, REQUEST_BYTES, "the next is not");
  tt.end();
});
