/**
 * The hybrid clock on every runtime: whatever the wall clock does, stamps rise.
 */

import { HybridClock, STAMP_LOGICAL_MAX, STAMP_MS_MAX } from "../../core/hybrid-clock.ts";
import { writeStamp } from "../../core/clock-entry.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";

const NOW_MS = 1_790_000_000_000;

function isAfter(clock: HybridClock, ms: number, logical: number): boolean {
  return clock.ms > ms || (clock.ms === ms && clock.logical > logical);
}

export const suite: readonly Case[] = [
  {
    name: "next() follows the wall clock, and counts where that stands still or goes back",
    run(check) {
      const clock = new HybridClock(0, 0);
      const drawn: number[][] = [];
      for (const nowMs of [100, 101, 101, 90, 102]) {
        clock.next(nowMs);
        drawn.push([clock.ms, clock.logical]);
      }
      check.same(
        drawn,
        [
          [100, 0],
          [101, 0],
          [101, 1],
          [101, 2],
          [102, 0],
        ],
        "stamps",
      );
    },
  },
  {
    name: "next() exceeds what was observed, and what was issued before a restart",
    run(check) {
      const clock = new HybridClock(NOW_MS, 5);
      clock.next(NOW_MS - 3_600_000);
      check.same([clock.ms, clock.logical], [NOW_MS, 6], "after the persisted stamp");
      clock.observe(NOW_MS + 50, 7);
      clock.observe(NOW_MS + 50, 3);
      clock.observe(NOW_MS - 50, 60_000);
      clock.next(NOW_MS);
      check.same([clock.ms, clock.logical], [NOW_MS + 50, 8], "after the observed stamp");
      const packed = new Uint8Array(8);
      writeStamp(packed, 0, NOW_MS + 60, 1);
      clock.observeAt(packed, 0);
      clock.observeAt(packed, -1);
      clock.next(NOW_MS);
      check.same([clock.ms, clock.logical], [NOW_MS + 60, 2], "after the packed stamp");
    },
  },
  {
    name: "next() goes one millisecond ahead when the logical part is full",
    run(check) {
      const clock = new HybridClock(NOW_MS, STAMP_LOGICAL_MAX - 1);
      clock.next(NOW_MS);
      check.same([clock.ms, clock.logical], [NOW_MS, STAMP_LOGICAL_MAX], "the last one");
      clock.next(NOW_MS);
      check.same([clock.ms, clock.logical], [NOW_MS + 1, 0], "the one after");
    },
  },
  {
    name: "next() refuses to wrap at the end of 48 bits",
    run(check) {
      const clock = new HybridClock(STAMP_MS_MAX, STAMP_LOGICAL_MAX);
      check.throws(() => clock.next(NOW_MS), "beyond the last stamp");
      check.throws(() => clock.next(NOW_MS), "and again");
    },
  },
  {
    name: "a clock with a bound falls back to a wall clock that went back by more, and resumes no further ahead",
    run(check) {
      const clock = new HybridClock(NOW_MS, 5, 2_000);
      clock.next(NOW_MS - 2_000);
      check.same([clock.ms, clock.logical], [NOW_MS, 6], "back by as much: it waits");
      clock.next(NOW_MS - 2_001);
      check.same([clock.ms, clock.logical], [NOW_MS - 2_001, 0], "back by more: it follows");
      check.same([clock.mayFollow(NOW_MS + 2_000, NOW_MS), clock.mayFollow(NOW_MS + 2_001, NOW_MS)], [true, false], "stamps");
      clock.resume(NOW_MS + 10_000, 7, NOW_MS);
      clock.next(NOW_MS);
      check.same([clock.ms, clock.logical], [NOW_MS + 2_000, 8], "from a bound that is too far ahead");
      clock.resume(NOW_MS + 2_500, 7, NOW_MS + 1_000);
      clock.next(NOW_MS + 1_000);
      check.same([clock.ms, clock.logical], [NOW_MS + 2_500, 8], "from one that is not");
    },
  },
  {
    name: "next() rises through 100,000 random jumps and observations",
    run(check) {
      const random = new SeededRandom(48);
      const clock = new HybridClock(0, 0);
      let broken = 0;
      for (let round = 0; round < 100_000; round++) {
        const [ms, logical] = [clock.ms, clock.logical];
        const seenMs = NOW_MS + random.below(100);
        const seenLogical = random.below(65_536);
        const observes = random.chance(1, 3);
        if (observes) clock.observe(seenMs, seenLogical);
        clock.next(NOW_MS + random.below(100));
        if (!isAfter(clock, ms, logical)) broken++;
        if (observes && !isAfter(clock, seenMs, seenLogical)) broken++;
        if (clock.logical > STAMP_LOGICAL_MAX) broken++;
      }
      check.equal(broken, 0, "stamps that did not rise");
    },
  },
];
