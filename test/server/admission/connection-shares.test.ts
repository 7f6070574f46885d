/** Descriptors shared out: files always keep their part, what was asked for is never exceeded. */

import t from "tap";
import { connectionShares, DESCRIPTORS_MIN } from "../../../server/admission/connection-shares.ts";

const ASKED = { http: 10_000, peers: 10_000 };

t.test("where descriptors are few, files have a quarter of them at least", (tt) => {
  tt.same(connectionShares(DESCRIPTORS_MIN, ASKED), { http: 18, peers: 6 }, "64: 24 for files");
  tt.same(connectionShares(1024, ASKED), { http: 564, peers: 188 }, "1024: 256 for files");
  for (let max = DESCRIPTORS_MIN; max < 70_000; max += 97) {
    const { http, peers } = connectionShares(max, ASKED);
    const rest = max - http - peers;
    const wanted = Math.max(24, Math.min(4096, Math.floor(max / 4))) + 16;
    if (rest < wanted) tt.fail(`of ${max} descriptors ${rest} are left, wanted are ${wanted}`);
    if (http < 1 || peers < 1) tt.fail(`${max} descriptors let nobody in`);
  }
  tt.end();
});

t.test("where they suffice, what was asked for is given, and no more", (tt) => {
  tt.same(connectionShares(1_000_000, ASKED), ASKED, "a million");
  tt.same(connectionShares(Infinity, ASKED), ASKED, "nobody knows how many");
  tt.same(connectionShares(1024, { http: 5, peers: 7 }), { http: 5, peers: 7 }, "less was asked for");
  tt.end();
});
