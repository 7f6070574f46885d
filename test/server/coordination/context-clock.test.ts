/** Contexts at the coordinator: what a read gives, what a put gives, and what is refused. */

import t from "tap";
import { clockCovers } from "../../../core/vector-clock.ts";
import { clockCount, clockOffset } from "../../../core/version-set.ts";
import {
  clockOfHead,
  type ContextClock,
  contextOfPut,
  contextOfRead,
  NO_CONTEXT,
  readContext,
} from "../../../server/coordination/context-clock.ts";
import { mergeSets } from "../../../server/replication/merge-sets.ts";
import { FIRST_VERSION, setOfOne } from "../replication/one-version.ts";
import { nameOf } from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const KEY = new Uint8Array(16).fill(9);
const A = setOfOne({ actor: "a", counter: 5, body: "a" });
const B = setOfOne({ actor: "b", counter: 3, body: "b" });
const BOTH = mergeSets(A, B);

function covers(context: ContextClock | null, set: typeof A): boolean {
  if (context === null) return false;
  return clockCovers(context.entries, 0, context.count, set.head, FIRST_VERSION);
}

t.test("a read's context covers all that was shown, and remembers who answered", (tt) => {
  const reader = new Uint8Array(8).fill(0xab);
  const context = readContext(contextOfRead(BOTH.head, reader, KEY, NAME), KEY, NAME);
  tt.same([covers(context, A), covers(context, B)], [true, true], "both versions");
  tt.equal(context?.reader, "ab".repeat(8), "the reader");
  const nobody = readContext(contextOfRead(BOTH.head, null, KEY, NAME), KEY, NAME);
  tt.equal(nobody?.reader, "", "or nobody");
  tt.end();
});

t.test("a put's context covers what it was given and its own version, no sibling beside it", (tt) => {
  const version = A.head.slice(FIRST_VERSION, FIRST_VERSION + 56);
  const blind = readContext(contextOfPut(NO_CONTEXT, BOTH.head, version, KEY, NAME), KEY, NAME);
  tt.same([covers(blind, A), covers(blind, B)], [true, false], "its own alone");
  const given = clockOfHead(B.head);
  const informed = readContext(contextOfPut(given, BOTH.head, version, KEY, NAME), KEY, NAME);
  tt.same([covers(informed, A), covers(informed, B)], [true, true], "and what was given");
  tt.equal(blind?.reader, "", "it remembers no reader");
  tt.end();
});

t.test("no context, and one that is cut, changed, or of another object or cluster", (tt) => {
  tt.equal(readContext("", KEY, NAME), NO_CONTEXT, "none is fine");
  const text = contextOfRead(BOTH.head, null, KEY, NAME);
  tt.equal(readContext(text, KEY, nameOf("cart/user-18")), null, "another object's");
  tt.equal(readContext(text, new Uint8Array(16), NAME), null, "another cluster's");
  for (let place = 0; place < text.length; place++) {
    const letter = text[place] === "A" ? "B" : "A";
    const changed = text.slice(0, place) + letter + text.slice(place + 1);
    if (readContext(changed, KEY, NAME) !== null) tt.fail(`letter ${place} changed is accepted`);
    if (readContext(text.slice(0, place), KEY, NAME) !== null && place > 0) {
      tt.fail(`cut at ${place}`);
    }
  }
  tt.end();
});

t.test("what was read stays what it was when another context is read after it", (tt) => {
  const first = readContext(contextOfRead(A.head, null, KEY, NAME), KEY, NAME);
  readContext(contextOfRead(B.head, null, KEY, NAME), KEY, NAME);
  tt.equal(covers(first, A), true, "its entries are its own");
  const { entries } = clockOfHead(BOTH.head);
  tt.equal(entries.length, clockCount(BOTH.head, 0) * 24, "a head's clock is all of its entries");
  tt.equal(entries.byteOffset - BOTH.head.byteOffset, clockOffset(BOTH.head, 0), "in place");
  tt.end();
});
