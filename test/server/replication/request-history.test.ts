/** What a restarted node remembers of superseded writes, from what its log shows. */

import t from "tap";
import { payloadChecksum } from "../../../core/version-set.ts";
import { HintRequests } from "../../../server/replication/hint-requests.ts";
import { requestHistory } from "../../../server/replication/request-history.ts";
import { RequestList } from "../../../server/replication/request-list.ts";
import { SupersededRequests } from "../../../server/replication/superseded.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { FIRST_VERSION, type OneVersion, requestIdOf, setOfOne } from "./one-version.ts";

const A: OneVersion = { actor: "a", counter: 1, body: "alpha", request: 1 };
const B: OneVersion = { actor: "b", counter: 1, body: "beta", request: 2, over: [A] };
const POSITION = 77;

function checksumOf(version: OneVersion): number {
  return payloadChecksum(setOfOne(version).head, FIRST_VERSION);
}

function bed() {
  const superseded = new SupersededRequests();
  const history = requestHistory(superseded, new SimulatedClock(new World(), "n"));
  const knows = ({ request = 0, ...rest }: OneVersion): boolean =>
    superseded.has(requestIdOf(request), 0, checksumOf({ request, ...rest }), POSITION, 0);
  return { history, knows };
}

t.test("a version that the next record of its name lacks was superseded", (tt) => {
  const { history, knows } = bed();
  history.replaced(POSITION, setOfOne(A).head, setOfOne(B).head);
  tt.same([knows(A), knows(B)], [true, false], "A, by B");
  tt.end();
});

t.test("a version whose twin lives on was not", (tt) => {
  const { history, knows } = bed();
  history.replaced(POSITION, setOfOne(A).head, setOfOne({ ...A, actor: "z", over: [A] }).head);
  tt.equal(knows(A), false, "its write is live");
  tt.end();
});

t.test("a note tells of writes; what is no head and no note tells nothing", (tt) => {
  const { history, knows } = bed();
  const list = new RequestList();
  list.add(requestIdOf(2), 0, checksumOf(B));
  history.noted(POSITION, list.toBytes());
  history.noted(POSITION, new Uint8Array(19).fill(9));
  history.replaced(POSITION, new Uint8Array(50).fill(9), setOfOne(B).head);
  tt.same([knows(A), knows(B)], [false, true], "B");
  tt.end();
});

t.test("of hints that were handed over nothing is remembered, of others what was superseded", (tt) => {
  const superseded = new SupersededRequests();
  const hints = new HintRequests(superseded);
  const history = requestHistory(superseded, new SimulatedClock(new World(), "n"), hints);
  for (const position of [POSITION, POSITION + 1]) {
    history.replaced(position, setOfOne(A).head, setOfOne(B).head);
  }
  history.removed(POSITION);
  const knows = (position: number): boolean =>
    superseded.has(requestIdOf(1), 0, checksumOf(A), position, 0) && hints.of(position).length > 0;
  tt.same([knows(POSITION), knows(POSITION + 1)], [false, true], "only what is still kept");
  tt.end();
});
