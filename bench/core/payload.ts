/**
 * What does it cost to wrap a value with its metadata, and to read the metadata back?
 *
 * A payload is made once at each put that comes over HTTP, and read at each get: content type and two
 * pairs of user metadata around 100 bytes. Without user metadata the block of the content type is
 * found, not made. The reference is cbor-x on the same content.
 */

import { Encoder } from "cbor-x";
import { decodeMeta, encodeMeta, encodePayload, type PayloadMeta } from "../../core/payload.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const body = new Uint8Array(100);
new SeededRandom(1).fill(body);
const cbor = new Encoder({ useRecords: false, tagUint8Array: false });

function wrapping(title: string, meta: PayloadMeta): Task {
  const works = [
    {
      name: "encodeMeta, encodePayload",
      run() {
        body[0]++;
        keep(encodePayload(encodeMeta(meta), body).length);
      },
    },
    {
      name: "cbor-x encode",
      isReference: true,
      run() {
        body[0]++;
        keep(cbor.encode([meta.contentType, meta.meta, body]).length);
      },
    },
  ];
  return { title: `wrap, ${title}`, works };
}

function reading(title: string, meta: PayloadMeta): Task {
  const block = encodeMeta(meta);
  const payload = encodePayload(block, body);
  const message = cbor.encode([meta.contentType, meta.meta, body]);
  const works = [
    {
      name: "decodeMeta",
      run: () => keep(decodeMeta(payload, block.length)?.contentType.length ?? 0),
    },
    {
      name: "cbor-x decode",
      isReference: true,
      run: () => keep(cbor.decode(message)[0].length),
    },
  ];
  return { title: `read, ${title}`, works };
}

const plain: PayloadMeta = { contentType: "application/json", meta: [] };
const pairs: PayloadMeta = {
  contentType: "application/json",
  meta: [
    ["author", "user-100017"],
    ["revision", "2026-11-21"],
  ],
};

await ask("What does it cost to wrap a value with its metadata?", [
  wrapping("no user metadata", plain),
  wrapping("two pairs", pairs),
  reading("no user metadata", plain),
  reading("two pairs", pairs),
]);
