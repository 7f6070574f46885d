/** Ranges of values: what comes of each form of Range and If-Range, small values and large ones. */

import t from "tap";
import { LargeValue } from "../../../server/coordination/value.ts";
import { MemoryStage } from "../../../storage/memory/memory-payload.ts";
import { Face, problemOf } from "./face.ts";

async function faceWith(value: string): Promise<Face> {
  const face = new Face();
  await face.send("PUT", "/kv/b/k", { body: value, headers: { "Content-Type": "text/plain" } });
  return face;
}

t.test("one range is 206 with its bytes and its place", async (t) => {
  const face = await faceWith("0123456789");
  const cases: [string, string, string][] = [
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=4-", "456789", "bytes 4-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=-99", "0123456789", "bytes 0-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
  ];
  for (const [range, bytes, place] of cases) {
    const get = await face.send("GET", "/kv/b/k", { headers: { Range: range } });
    t.equal(get.status, 206, range);
    t.equal(get.headers.get("content-range"), place);
    t.equal(get.headers.get("accept-ranges"), "bytes");
    t.equal(get.headers.get("etag"), '"0000000000000001"');
    t.equal(await get.text(), bytes);
  }
});

t.test("what cannot be had is 416 with the length; other units, several ranges and HEAD get all", async (t) => {
  const face = await faceWith("0123456789");
  for (const range of ["bytes=10-", "bytes=5-4", "bytes=-0", "bytes=-", "bytes=a-b"]) {
    const get = await face.send("GET", "/kv/b/k", { headers: { Range: range } });
    t.equal(get.status, 416, range);
    t.equal(get.headers.get("content-range"), "bytes */10");
    t.match(await problemOf(get), { code: "bad-range", outcome: "refused" });
  }
  for (const range of ["lines=0-1", "bytes=0-1,4-5"]) {
    const get = await face.send("GET", "/kv/b/k", { headers: { Range: range } });
    t.equal(get.status, 200, range);
    t.equal(await get.text(), "0123456789");
  }
  const head = await face.send("HEAD", "/kv/b/k", { headers: { Range: "bytes=0-1" } });
  t.equal(head.status, 200);
  t.equal(head.headers.get("content-length"), "10");
  t.equal(head.headers.get("accept-ranges"), "bytes");
});

t.test("If-Range of this version keeps the range, of another one gives the whole", async (t) => {
  const face = await faceWith("0123456789");
  const statusOf = async (ifRange: string): Promise<number> => {
    return (await face.send("GET", "/kv/b/k", { headers: { Range: "bytes=0-1", "If-Range": ifRange } })).status;
  };
  t.equal(await statusOf('"0000000000000001"'), 206);
  t.equal(await statusOf("Fri, 20 Nov 2026 12:00:01 GMT"), 206);
  t.equal(await statusOf('W/"0000000000000001"'), 200, "it compares strongly");
  t.equal(await statusOf('"0000000000000002"'), 200);
  t.equal(await statusOf("Fri, 20 Nov 2026 12:00:00 GMT"), 200);
});

t.test("siblings have no ranges", async (t) => {
  const face = await faceWith("one");
  await face.send("PUT", "/kv/b/k", { body: "two" });
  t.equal((await face.send("GET", "/kv/b/k", { headers: { Range: "bytes=0-1" } })).status, 300);
});

t.test("of a large value only the range is streamed", async (t) => {
  const value = Buffer.from(Array.from({ length: 200_000 }, (_, index) => `${index}.`).join(""));
  const stage = new MemoryStage(256 << 10);
  stage.append(value, 0, value.length);
  const finished = stage.finish();
  if (finished.status !== "staged") throw new Error(finished.status);
  const meta = { contentType: "text/plain", meta: [] };
  const body = new LargeValue(finished.payload, 0);
  for (const [start, end] of [[0, 1], [7, 600_001], [300_000, 300_010], [value.length - 5, value.length]] as const) {
    const face = new Face();
    face.store.nextResult = { etag: "e", siblings: [{ body, meta, timeMs: 0, expiryMs: 0 }] };
    const get = await face.send("GET", "/kv/b/k", { headers: { Range: `bytes=${start}-${end - 1}` } });
    t.equal(get.status, 206);
    t.equal(get.headers.get("content-length"), String(end - start));
    t.ok(Buffer.from(await get.arrayBuffer()).equals(value.subarray(start, end)), `${start} to ${end}`);
  }
});
