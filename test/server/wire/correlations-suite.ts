/** The table of waiting requests against a Map. */

import { Correlations } from "../../../server/wire/correlations.ts";
import type { ReplyHandler } from "../../../server/wire/reply-handler.ts";
import { HEAP_NOISE_BYTES, HOT_CALLS, steadyHeapGrowth } from "../../heap-growth.ts";
import { SeededRandom } from "../../random.ts";
import type { Case } from "../../suite.ts";

const nobody: ReplyHandler = { replied: () => {}, failed: () => {} };
const KIND = 4;

function open(table: Correlations, tag: number): number {
  const number = table.peek();
  if (number !== 0) table.open(number, tag & 127, nobody, tag, tag / 2, tag * 3);
  return number;
}

export const suite: Case[] = [
  {
    name: "Correlations keeps random requests apart, as a Map does, also where the numbers wrap",
    run(check) {
      for (const first of [1, 0xffffff00]) {
        const random = new SeededRandom(first);
        const table = new Correlations(5_000, first);
        const model = new Map<number, number>();
        for (let tag = 1; tag <= 20_000; tag++) {
          const number = open(table, tag);
          check.ok(!model.has(number) && number !== 0, `number ${number} is new`);
          model.set(number, tag);
          const waiting = [...model.keys()];
          while (model.size > 0 && random.chance(model.size > 600 ? 2 : 1, 2)) {
            // Mostly the latest, so that the oldest stay and are in the way.
            const age = random.chance(1, 50) ? random.below(waiting.length) : 0;
            const ended = waiting[waiting.length - 1 - Math.min(age, waiting.length - 1)];
            waiting.splice(waiting.indexOf(ended), 1);
            const place = table.find(ended);
            check.equal(place >= 0 ? table.tag(place) : -1, model.get(ended), "its own tag");
            table.end(place);
            model.delete(ended);
            check.equal(table.find(ended), -1, "found no more");
          }
        }
        check.same(table.waiting(), [...model.keys()], "what is left, oldest first");
        check.equal(table.count, model.size, "counted");
      }
    },
  },
  {
    name: "Correlations holds its limit and not one more",
    run(check) {
      const table = new Correlations(1_000);
      const numbers = Array.from({ length: 1_000 }, (_none, tag) => open(table, tag));
      check.equal(new Set(numbers).size, 1_000, "a thousand");
      check.equal(open(table, 1), 0, "no more");
      for (const [tag, number] of numbers.entries()) {
        const place = table.find(number);
        const found = [
          table.kind(place),
          table.tag(place),
          table.startMs(place),
          table.timer(place),
        ];
        check.same(found, [tag & 127, tag, tag / 2, tag * 3], "every column");
      }
      table.end(table.find(numbers[500]));
      check.ok(open(table, 1) !== 0, "room again");
    },
  },
  {
    name: "Correlations lists what waits oldest first, also across the wrap of the numbers",
    run(check) {
      const table = new Correlations(100, 0xfffffff0);
      const numbers = Array.from({ length: 40 }, (_none, tag) => open(table, tag));
      check.ok(numbers[39] < numbers[0], "wrapped");
      check.same(table.waiting(), numbers, "in order");
    },
  },
  {
    name: "Correlations finds nothing for 0 and for numbers that are not waiting",
    run(check) {
      const table = new Correlations(100);
      const number = open(table, 1);
      for (const other of [0, number + 64, number + 2 ** 20, 0xffffffff]) {
        check.equal(table.find(other >>> 0), -1, `${other}`);
      }
    },
  },
  {
    name: "Correlations allocates nothing for a request and its end",
    async run(check) {
      const table = new Correlations(1_000);
      for (let tag = 0; tag < 100; tag++) open(table, tag);
      // Whole numbers: fractions are boxed by V8 on their way into any function.
      const growth = await steadyHeapGrowth((calls) => {
        for (let call = 0; call < calls; call++) {
          const number = table.peek();
          table.open(number, KIND, nobody, call, call, call);
          table.end(table.find(number));
        }
      }, HOT_CALLS);
      check.ok(growth < HEAP_NOISE_BYTES, `${growth} bytes in ${HOT_CALLS} requests`);
    },
  },
];
