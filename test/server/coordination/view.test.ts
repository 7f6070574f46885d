/** What a client is shown of a set, and under which etag. */

import { valueBytes } from "../../../server/coordination/value.ts";
import { wholeBytes } from "../../../storage/large-payload.ts";
import t from "tap";
import { encodeMeta, encodePayload } from "../../../core/payload.ts";
import { ENTRY_BYTES, PAIR, writeEntry } from "../../../core/clock-entry.ts";
import {
  HEAD_BYTES,
  VERSION_BYTES,
  versionOffset,
  writeHeadCounts,
  writeVersion,
} from "../../../core/version-set.ts";
import { etagOf, shownVersions, siblingsOf } from "../../../server/coordination/view.ts";
import type { VersionSet } from "../../../storage/engine.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Shown {
  readonly value: string;
  readonly stampMs: number;
  readonly request?: number;
  readonly expiryMs?: number;
  readonly isTombstone?: boolean;
}

/** One version an actor, in the order given. */
function setOf(...versions: Shown[]): VersionSet {
  const count = versions.length;
  const head = new Uint8Array(HEAD_BYTES + count * (VERSION_BYTES + ENTRY_BYTES));
  writeHeadCounts(head, 0, count, count);
  const meta = encodeMeta({ contentType: "text/plain", meta: [["color", "red"]] });
  const payloads = versions.map((one, index) => {
    const actor = new Uint8Array(8).fill(index + 1);
    const tombstone = one.isTombstone ?? false;
    const payload = tombstone ? new Uint8Array(0) : encodePayload(meta, encoder.encode(one.value));
    writeVersion(head, versionOffset(0, index), {
      actor,
      counter: 1,
      policy: 0,
      tombstone,
      stampMs: one.stampMs,
      stampLogical: 0,
      expiryMs: one.expiryMs ?? 0,
      requestId: new Uint8Array(16).fill(one.request ?? 0),
      metaLength: tombstone ? 0 : meta.length,
      bodyLength: tombstone ? 0 : payload.length - meta.length,
      checksum: one.value.length,
    });
    const entry = HEAD_BYTES + count * VERSION_BYTES + index * ENTRY_BYTES;
    writeEntry(head, entry, actor, 0, 1, PAIR, one.stampMs, 0);
    return payload;
  });
  return { head, payloads };
}

function valuesAt(set: VersionSet, nowMs: number): string[] | null {
  return siblingsOf(set, shownVersions(set, nowMs))?.map(({ body }) => decoder.decode(valueBytes(body))) ??
    null;
}

t.test("siblings are shown oldest first, with their metadata and times", (tt) => {
  const set = setOf({ value: "late", stampMs: 30 }, { value: "early", stampMs: 10 }, {
    value: "mid",
    stampMs: 20,
  });
  tt.same(valuesAt(set, 100), ["early", "mid", "late"], "by their stamps");
  const [first] = siblingsOf(set, shownVersions(set, 100)) ?? [];
  tt.same(first?.meta, { contentType: "text/plain", meta: [["color", "red"]] }, "metadata");
  tt.equal(first?.timeMs, 10, "time");
  tt.end();
});

t.test("tombstones, what has expired, and retries of what is shown already are not shown", (tt) => {
  const set = setOf(
    { value: "gone", stampMs: 1, isTombstone: true },
    { value: "brief", stampMs: 2, expiryMs: 50 },
    { value: "twin", stampMs: 3, request: 7 },
    { value: "twin", stampMs: 4, request: 7 },
  );
  tt.same(valuesAt(set, 49), ["brief", "twin"], "before it ends");
  tt.same(valuesAt(set, 50), ["twin"], "from then on");
  tt.end();
});

t.test("an etag names the versions that are shown, and not their order", (tt) => {
  const set = setOf({ value: "a", stampMs: 2 }, { value: "b", stampMs: 1 }, {
    value: "c",
    stampMs: 3,
  });
  const etag = etagOf(set.head, [0, 1]);
  tt.match(etag, /^[0-9a-f]{16}$/, "16 digits");
  tt.equal(etagOf(set.head, [1, 0]), etag, "in any order");
  const others = [[0], [1], [0, 2], [1, 2], [0, 1, 2]].map((versions) =>
    etagOf(set.head, versions)
  );
  tt.equal(new Set([etag, ...others]).size, 6, "each selection has its own");
  tt.equal(etagOf(set.head, []), "", "nothing shown, no etag");
  tt.end();
});

t.test("a set whose body is missing or whose metadata is malformed is not shown half", (tt) => {
  const set = setOf({ value: "a", stampMs: 1 }, { value: "b", stampMs: 2 });
  tt.equal(valuesAt({ ...set, payloads: [set.payloads[0], null] }, 100), null, "missing");
  const broken = wholeBytes(set.payloads[1] ?? new Uint8Array(0)).slice();
  broken[0] = 255;
  tt.equal(valuesAt({ ...set, payloads: [set.payloads[0], broken] }, 100), null, "malformed");
  tt.end();
});
