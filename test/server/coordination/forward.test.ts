/** A request that is handed on: how long whoever is asked may work for it. */

import t from "tap";
import { readU32 } from "../../../core/bytes.ts";
import { forwardGet, forwardPut, getBodyOf, putBodyOf } from "../../../server/coordination/forward.ts";
import type { Member } from "../../../server/membership/member.ts";
import type { ReplyHandler } from "../../../server/wire/peers.ts";
import type { TimerWheel } from "../../../server/wire/timer-wheel.ts";
import { nameOf } from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const TIMEOUT_MS = 1_000;

interface Sent {
  /** What the frame says, and how long the connection waits. */
  readonly saysMs: number;
  readonly waitsMs: number;
}

/** Members that answer when they are told to, and a clock. */
class Bed {
  nowMs = 0;
  readonly sent: Sent[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly members: Member[];
  readonly wheel = { schedule: () => 1, cancel: () => {} } as unknown as TimerWheel;

  constructor(count: number, timeoutAt: number) {
    this.members = Array.from({ length: count }, () => ({ latencyMs: 1, peer: this.#peer(timeoutAt) }) as unknown as Member);
  }

  #peer(timeoutAt: number): unknown {
    const buffer = new Uint8Array(1_024);
    return {
      buffer,
      request: (_kind: number, _flags: number, _layout: number, _length: number, waitsMs: number, handler: ReplyHandler, index: number) => {
        this.#waiting.push(() => {
          this.sent.push({ saysMs: readU32(buffer, timeoutAt), waitsMs });
          handler.failed(index, "unreachable");
        });
        return 0;
      },
    };
  }

  readonly leftMs = (): number => Math.max(1, TIMEOUT_MS - this.nowMs);

  /** Who was asked last turns out to be away, after so long. */
  away(afterMs: number): void {
    this.nowMs += afterMs;
    this.#waiting.shift()?.();
  }
}

t.test("who is asked second has what the first has left of a request's time", (tt) => {
  const put = new Bed(3, 4);
  const options = { w: "default", dw: "default", pw: "default", timeoutMs: TIMEOUT_MS } as const;
  const request = {
    name: NAME, context: "", requestId: null, meta: { contentType: "", meta: [] }, body: new Uint8Array(3),
    isDelete: false, ttlSeconds: 0, returnBody: false, precondition: null, options,
  };
  let ends = 0;
  const body = putBodyOf(request, new Uint8Array(16));
  forwardPut(put.members, 1, body, null, undefined as never, put.leftMs, () => void ends++);
  const get = new Bed(3, 4);
  const read = getBodyOf({ name: NAME, options: { r: "default", pr: 0, timeoutMs: TIMEOUT_MS } });
  forwardGet(get.members, 1, read, get.wheel, get.leftMs, () => void ends++);
  for (const bed of [put, get]) {
    for (const afterMs of [300, 600, 200]) bed.away(afterMs);
    const wanted = [1_000, 700, 100].map((ms) => ({ saysMs: ms, waitsMs: ms }));
    tt.same(bed.sent, wanted, "in the frame, and at this end");
  }
  tt.equal(ends, 2, "and then there is nobody left");
  tt.end();
});
