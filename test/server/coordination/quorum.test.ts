/** Quorums: which setting counts, what words mean, and the sentence for a number that cannot be. */

import t from "tap";
import {
  copiesOf,
  type QuorumProperties,
  readNeed,
  writeNeed,
} from "../../../server/coordination/quorum.ts";
import type { Quorum, WriteOptions } from "../../../server/coordination/store.ts";

const CLUSTER = { r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0 } as const;
const NO_BUCKET: QuorumProperties = {};

function write(options: Partial<WriteOptions>, bucket = NO_BUCKET, copies = 3, members = 5) {
  const whole = { w: "default", dw: "default", pw: "default", timeoutMs: 1, ...options } as const;
  return writeNeed(whole, bucket, CLUSTER, copies, members);
}

function read(r: Quorum, pr: Quorum, bucket = NO_BUCKET, copies = 3, members = 5) {
  return readNeed({ r, pr, timeoutMs: 1 }, bucket, CLUSTER, copies, members);
}

t.test("the request counts before the bucket, the bucket before the cluster", (tt) => {
  tt.same(write({}), { w: 2, dw: 1, pw: 0 }, "the cluster's");
  tt.same(write({}, { w: 1, dw: 0 }), { w: 1, dw: 0, pw: 0 }, "the bucket's");
  tt.same(write({ w: 3 }, { w: 1, dw: 0 }), { w: 3, dw: 0, pw: 0 }, "the request's");
  tt.same(write({}, { w: "default" }), { w: 2, dw: 1, pw: 0 }, "a bucket may say default");
  tt.same(read("default", "default"), { r: 2, pr: 0 }, "reads");
  tt.end();
});

t.test("words are of N, or of the members where they are fewer", (tt) => {
  const words = (copies: number, members: number) =>
    (["one", "quorum", "all"] as const).map((r) => {
      const need = read(r, 0, NO_BUCKET, copies, members);
      return typeof need === "string" ? need : need.r;
    });
  tt.same(words(3, 5), [1, 2, 3], "three of five");
  tt.same(words(3, 2), [1, 2, 2], "two members");
  tt.same(words(3, 1), [1, 1, 1], "one member");
  tt.same(words(5, 9), [1, 3, 5], "five");
  tt.same(words(4, 9), [1, 3, 4], "of four a majority is three");
  tt.end();
});

t.test("W counts as the greatest of W, DW and PW, R of R and PR", (tt) => {
  tt.same(write({ w: 1, dw: 3 }), { w: 3, dw: 3, pw: 0 }, "DW");
  tt.same(write({ w: 1, pw: 2 }), { w: 2, dw: 1, pw: 2 }, "PW");
  tt.same(read(1, 3), { r: 3, pr: 3 }, "PR");
  tt.end();
});

t.test("a number up to N is taken, any other refused with a sentence", (tt) => {
  for (const [name, least] of [["w", 1], ["dw", 0], ["pw", 0]] as const) {
    tt.equal(typeof write({ [name]: least }), "object", `${name}=${least}`);
    tt.equal(typeof write({ [name]: 3 }), "object", `${name}=3`);
    for (const wrong of [least - 1, 4, 1.5, NaN]) {
      const sentence =
        `Parameter ${name} is ${wrong}, wanted is a number from ${least} to 3, or one, quorum or all`;
      tt.equal(write({ [name]: wrong }), sentence, `${name}=${wrong}`);
    }
  }
  tt.match(read(4, 0), /^Parameter r is 4, wanted is a number from 1 to 3/, "r");
  tt.match(read(1, 4), /^Parameter pr is 4, wanted is a number from 0 to 3/, "pr");
  tt.match(read(0, 0), /^Parameter r is 0/, "r=0");
  tt.equal(
    typeof write({ w: 3 }, NO_BUCKET, 3, 1),
    "object",
    "N counts, though fewer are members now",
  );
  tt.end();
});

t.test("a bucket may have fewer copies than the cluster, not more", (tt) => {
  tt.equal(copiesOf({}, 3), 3, "the cluster's");
  tt.equal(copiesOf({ n: 2 }, 3), 2, "fewer");
  tt.equal(copiesOf({ n: 5 }, 3), 3, "not more");
  tt.end();
});
