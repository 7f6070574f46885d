/** Laws of vector clocks, with fast-check, which shrinks what fails to the smallest clocks that do. */

import fc from "fast-check";
import t from "tap";
import {
  AFTER,
  BEFORE,
  clockCompare,
  clockIsWellFormed,
  EQUAL,
} from "../../core/vector-clock.ts";
import { type ModelClock, modelMerge, packClock } from "../model/vector-clock-model.ts";
import { seedFrom } from "../random.ts";
import { countOf, descends, merged } from "./whole-clocks.ts";

/** fast-check prints seed and path of what fails; the full campaign is CASES=1000000. */
const options = {
  seed: seedFrom(process.env.SEED, 1978),
  numRuns: seedFrom(process.env.CASES, 5_000),
};

const dot = fc.tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 1, max: 6 }));
const seen = fc.record({ stamp: fc.nat(15), pinned: fc.boolean() });
const clock = fc.array(fc.tuple(dot, seen), { maxLength: 9 }).map((list): ModelClock =>
  new Map(list.map(([[actor, counter], what]) => [`${actor}:${counter}`, what]))
);

function same(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

t.test(`what fast-check finds: ${options.numRuns} triples, SEED=${options.seed}`, (tt) => {
  const triple = fc.property(clock, clock, clock, (first, second, third) => {
    const [one, two, three] = [first, second, third].map(packClock);
    const both = merged(one, two);
    const order = clockCompare(one, 0, countOf(one), two, 0, countOf(two));
    return (
      same(both, packClock(modelMerge(first, second))) &&
      same(merged(both, three), merged(one, merged(two, three))) &&
      clockIsWellFormed(both, 0, countOf(both), both.length) &&
      descends(both, one) && descends(both, two) &&
      (!descends(three, one) || !descends(three, two) || descends(three, both)) &&
      (order === EQUAL || order === AFTER) === descends(one, two) &&
      (order === EQUAL || order === BEFORE) === descends(two, one)
    );
  });
  const result = fc.check(triple, options);
  tt.notOk(result.failed, fc.defaultReportMessage(result) ?? "the laws hold");
  tt.end();
});
