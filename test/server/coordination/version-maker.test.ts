/**
 * A coordinator's new version: a retry makes none, stamps rise above all that was seen, limits
 * hold.
 */

import t from "tap";
import { HybridClock } from "../../../core/hybrid-clock.ts";
import { SIBLINGS_MAX } from "../../../core/limits.ts";
import { compareStamps, entryCounter, stampMs } from "../../../core/clock-entry.ts";
import {
  isTombstone,
  newestStamp,
  payloadChecksum,
  POLICY_LWW,
  versionExpiryMs,
  versionPolicy,
  versionStamp,
  writeHeadCounts,
} from "../../../core/version-set.ts";
import { clockOfHead, NO_CONTEXT } from "../../../server/coordination/context-clock.ts";
import { VersionMaker, type VersionPlan } from "../../../server/coordination/version-maker.ts";
import { NOTHING } from "../../../server/replication/change.ts";
import { eventOver } from "../../../server/replication/event.ts";
import { STATUS_DONE, STATUS_FULL } from "../../../core/replica-frames.ts";
import { SupersededRequests } from "../../../server/replication/superseded.ts";
import { DiskError } from "../../../storage/disk.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { setOfOne } from "../replication/one-version.ts";
import { nameOf } from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const AHEAD_MS = 2_000;

class Bed {
  readonly clock = new SimulatedClock(new World(), "n");
  readonly hybridClock = new HybridClock(0, 0, AHEAD_MS);
  readonly superseded = new SupersededRequests();
  /** Greatest time that was covered before the dot was given out. */
  coveredMs = 0;
  counter = 0;
  isDiskFull = false;

  maker(plan: Partial<VersionPlan> = {}): VersionMaker {
    const { clock, hybridClock, superseded } = this;
    const parts = { clock, hybridClock, superseded, clockEntriesMax: 10, dots: this.#dots() };
    return new VersionMaker(parts, {
      context: NO_CONTEXT,
      requestId: new Uint8Array(16).fill(1),
      isTombstone: false,
      isLastWriteWins: false,
      isContextRead: false,
      payload: Uint8Array.of(0, 1, 2, 3),
      metaLength: 1,
      expiryMs: 0,
      seen: new HybridClock(0, 0),
      lateMs: null,
      dotAsPair: true,
      ...plan,
    });
  }

  #dots() {
    return {
      actor: new Uint8Array(8).fill(0x6e),
      nextCounter: () => {
        if (this.isDiskFull) throw new DiskError("ENOSPC", "no space left");
        return ++this.counter;
      },
      coverStamp: (ms: number) => {
        this.coveredMs = Math.max(this.coveredMs, ms);
      },
    };
  }
}

t.test("a retry of what is held makes no version, and answers with the one that is there", (tt) => {
  const bed = new Bed();
  const first = eventOver(NAME, NOTHING, bed.maker());
  const retry = bed.maker();
  tt.equal(retry.make(NAME, first.set.head), null, "no version");
  tt.same([...retry.entry], [...first.set.head.subarray(8, 64)], "the entry that is held");
  tt.equal(bed.counter, 1, "and no dot is spent");
  const other = bed.maker({ payload: Uint8Array.of(0, 9) });
  tt.ok(other.make(NAME, first.set.head), "the same id with another content is another write");
  tt.end();
});

t.test("a retry of what was superseded makes no version", (tt) => {
  const bed = new Bed();
  const { entry } = bed.maker().make(NAME, NOTHING.head) ?? { entry: new Uint8Array(56) };
  bed.superseded.remember(entry, 32, payloadChecksum(entry, 0), NAME.position0, 0);
  const late = bed.maker();
  tt.equal(late.make(NAME, NOTHING.head), null, "no version");
  tt.equal(late.isSuperseded, true, "and it says why");
  const elsewhere = bed.maker().make(nameOf("cart/user-18"), NOTHING.head);
  tt.ok(elsewhere, "under another name it is another write");
  tt.end();
});

t.test("a stamp is above the wall clock's and any held or seen, and covered first", (tt) => {
  const bed = new Bed();
  const nowMs = bed.clock.nowMs();
  const held = setOfOne({ actor: "h", counter: 1, body: "", stampMs: nowMs + 1_000 }).head;
  const seen = setOfOne({ actor: "s", counter: 1, body: "", stampMs: nowMs + 2_000 }).head;
  const made = (plan: Partial<VersionPlan>, head: Uint8Array): Uint8Array =>
    bed.maker(plan).make(NAME, head)?.entry.slice() ?? new Uint8Array(56);
  const plain = made({}, NOTHING.head);
  tt.equal(stampMs(plain, versionStamp(0)), nowMs, "the wall clock's");
  const above = made({}, held);
  tt.equal(
    compareStamps(above, versionStamp(0), held, newestStamp(held, 0)),
    1,
    "above what is held",
  );
  const informed = made({ context: clockOfHead(seen) }, NOTHING.head);
  tt.equal(
    compareStamps(informed, versionStamp(0), seen, newestStamp(seen, 0)),
    1,
    "and what was seen",
  );
  tt.ok(bed.coveredMs >= stampMs(informed, versionStamp(0)), "it was covered on disk");
  tt.same([plain, above, informed].map((entry) => entryCounter(entry, 0)), [1, 2, 3], "dots rise");
  tt.end();
});

t.test("a stamp from far ahead is exceeded under its name, and the store's clock does not follow", (tt) => {
  const bed = new Bed();
  const nowMs = bed.clock.nowMs();
  const stampOf = (head: Uint8Array, plan: Partial<VersionPlan> = {}): number => {
    return stampMs(bed.maker(plan).make(NAME, head)?.entry ?? NOTHING.head, versionStamp(0));
  };
  const far = nowMs + AHEAD_MS + 1;
  const held = setOfOne({ actor: "h", counter: 1, body: "", stampMs: far }).head;
  tt.equal(stampOf(held), far, "above what is held");
  tt.equal(stampOf(NOTHING.head, { context: clockOfHead(held) }), far, "above what was shown");
  tt.equal(stampOf(NOTHING.head, { seen: new HybridClock(far, 0) }), far, "above what others hold");
  tt.equal(stampOf(NOTHING.head), nowMs, "the next one is of the present");
  tt.ok(bed.coveredMs < far, "and no restart takes up the far one");
  tt.equal(stampOf(NOTHING.head, { seen: new HybridClock(far - 1, 0) }), far - 1, "one within bounds is followed");
  tt.equal(stampOf(NOTHING.head), far - 1, "by later ones, too");
  tt.end();
});

t.test("the entry says what the write is", (tt) => {
  const bed = new Bed();
  const none = new Uint8Array(0);
  const entryOf = (plan: Partial<VersionPlan>): Uint8Array =>
    bed.maker(plan).make(NAME, NOTHING.head)?.entry.slice() ?? none;
  const lww = entryOf({ isLastWriteWins: true, expiryMs: 5_000_000_000_000 });
  tt.equal(versionPolicy(lww, 0), POLICY_LWW, "policy");
  tt.equal(versionExpiryMs(lww, 0), 5_000_000_000_000, "expiry");
  tt.equal(
    isTombstone(entryOf({ isTombstone: true, payload: none, metaLength: 0 }), 0),
    true,
    "tombstone",
  );
  tt.end();
});

t.test("the hundredth version is the last; a dot that cannot be reserved is a full disk", (tt) => {
  const bed = new Bed();
  const head = new Uint8Array(8 + 56 * (SIBLINGS_MAX + 1));
  writeHeadCounts(head, 0, SIBLINGS_MAX, 0);
  tt.equal(bed.maker().check(head), "", "a hundred");
  writeHeadCounts(head, 0, SIBLINGS_MAX + 1, 0);
  tt.match(
    bed.maker().check(head),
    /100 siblings already and the limit is 100: read it/,
    "one more",
  );
  bed.isDiskFull = true;
  const full = eventOver(NAME, NOTHING, bed.maker());
  tt.same([full.status, full.detail], [STATUS_FULL, "no space left"], "full");
  bed.isDiskFull = false;
  tt.equal(eventOver(NAME, NOTHING, bed.maker()).status, STATUS_DONE, "and room again");
  tt.end();
});

t.test("a last write that comes late is stamped by its request, or just above what it saw", (tt) => {
  const nowMs = new Bed().clock.nowMs();
  const stampOf = (observedMs: number, held = NOTHING.head): number => {
    const bed = new Bed();
    const seen = new HybridClock(observedMs, 0);
    const made = bed.maker({ isLastWriteWins: true, seen, lateMs: nowMs - 5_000 }).make(NAME, held);
    return stampMs(made?.entry ?? NOTHING.head, versionStamp(0)) - nowMs;
  };
  tt.equal(stampOf(0), -5_000, "nobody holds anything");
  tt.equal(stampOf(nowMs - 9_000), -5_000, "what others hold is older");
  tt.equal(stampOf(nowMs - 1_000), -1_000, "others hold something newer");
  const held = setOfOne({ actor: "a", counter: 1, body: "a", policy: POLICY_LWW, stampMs: nowMs });
  tt.equal(stampOf(0, held.head), 0, "this node holds something newer");
  tt.end();
});
