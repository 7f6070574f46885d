/** What is told with a hint: how much, and of how many. */

import t from "tap";
import { writeU32 } from "../../../core/bytes.ts";
import { REQUEST_BYTES, REQUESTS_MAX } from "../../../core/replica-frames.ts";
import { HINTS_TOLD_MAX, HintRequests } from "../../../server/replication/hint-requests.ts";
import { SupersededRequests } from "../../../server/replication/superseded.ts";

function request(number: number): Uint8Array {
  return new Uint8Array(REQUEST_BYTES).fill(number);
}

/** The same with its number as the checksum, and an end that spreads as those of real ids do. */
function requestOf(number: number): Uint8Array {
  const bytes = request(number);
  bytes[12] = 0;
  writeU32(bytes, REQUEST_BYTES - 4, number);
  return bytes;
}

t.test("a name's newest writes are told, at most eight, until its hint is gone", (tt) => {
  const requests = new HintRequests(new SupersededRequests());
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
  const requests = new HintRequests(new SupersededRequests());
  for (let name = 0; name < HINTS_TOLD_MAX; name++) requests.add(name, request(1));
  requests.add(0, request(2));
  requests.add(HINTS_TOLD_MAX, request(1));
  tt.equal(requests.of(0).length, 2 * REQUEST_BYTES, "one that was added to is young again");
  tt.equal(requests.of(1).length, 0, "the oldest is gone");
  tt.equal(requests.of(2).length, REQUEST_BYTES, "the next is not");
  tt.end();
});

t.test("with a hint, all that was superseded in it is forgotten: a few, more than are told, and what is told no more", (tt) => {
  const superseded = new SupersededRequests();
  const requests = new HintRequests(superseded);
  const remember = (name: number, count: number): void => {
    for (let number = 1; number <= count; number++) {
      superseded.remember(requestOf(number), 0, number, name, 0);
      requests.add(name, requestOf(number));
    }
  };
  const known = (name: number, count: number): number => {
    let sum = 0;
    for (let number = 1; number <= count; number++) {
      if (superseded.has(requestOf(number), 0, number, name, 0)) sum++;
    }
    return sum;
  };
  for (const count of [3, REQUESTS_MAX + 5]) {
    remember(7, count);
    remember(8, count);
    requests.drop(7);
    tt.same([known(7, count), known(8, count)], [0, count], `${count} of one name, none of another`);
  }
  for (let name = 100; name < 100 + HINTS_TOLD_MAX; name++) requests.add(name, requestOf(1));
  requests.drop(8);
  tt.equal(known(8, REQUESTS_MAX + 5), 0, "also where too many names came later");
  tt.end();
});
