/** The keys of the benchmarks: both forms are written in place and name the same key. */

import t from "tap";
import {
  FIRST_KEY,
  FIRST_KEY_BASE64,
  KEY_BYTES,
  writeKey,
  writeKeyBase64,
} from "../../../bench/load/key.ts";

t.test("writeKey() and writeKeyBase64() write one key in two forms", (t) => {
  const plain = new TextEncoder().encode(`<${FIRST_KEY}>`);
  const base64 = new TextEncoder().encode(`<${FIRST_KEY_BASE64}>`);
  for (const index of [0, 7, 999, 1000, 123_456_789_012, 999_999_999_999]) {
    writeKey(plain, 1, index);
    writeKeyBase64(base64, 1, index);
    const key = `key${String(index).padStart(12, "0")}k`;
    t.equal(key.length, KEY_BYTES);
    t.equal(new TextDecoder().decode(plain), `<${key}>`);
    t.equal(new TextDecoder().decode(base64), `<${btoa(key)}>`);
  }
  t.end();
});
