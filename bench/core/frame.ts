/**
 * What does a frame cost to write, and to read?
 *
 * The frames of a put and a get between nodes: REPLICATE with a set of one version of 100 bytes,
 * FETCH, and the reply with that set. Writing goes from fields to a frame in memory that is there;
 * reading from bytes as a network hands them over, through the cutter, to a view that says where the
 * body's fields lie. The reference is cbor-x on the same fields, with the length before it that a stream
 * needs. (Ours also looks whether the set's head is well-formed; to cbor-x it is bytes.)
 */

import { Encoder } from "cbor-x";
import { readU32, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { FrameReader } from "../../core/frame-reader.ts";
import {
  FRAME_HEADER_BYTES,
  type FrameView,
  KIND_FETCH,
  KIND_REPLICATE,
  REPLY_BIT,
  writeFrameHeader,
} from "../../core/frame.ts";
import {
  type FetchBody,
  type FetchedBody,
  fetchedLength,
  FetchedView,
  fetchLength,
  FetchView,
  readFetch,
  readFetched,
  readReplicate,
  type ReplicateBody,
  replicateLength,
  ReplicateView,
  WANT_SET,
  type WireSet,
  writeFetch,
  writeFetched,
  writeReplicate,
} from "../../core/replica-frames.ts";
import { ENTRY_BYTES, PAIR, writeEntry } from "../../core/clock-entry.ts";
import {
  HEAD_BYTES,
  VERSION_BYTES,
  versionOffset,
  writeHeadCounts,
  writeVersion,
} from "../../core/version-set.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const STAMP_MS = 1_795_000_000_000;

/** One kind of frame: its fields, and how the codec takes them. */
interface Message<Body> {
  readonly title: string;
  readonly kind: number;
  readonly body: Body;
  readonly length: (body: Body) => number;
  readonly write: (body: Body, target: Uint8Array, offset: number) => void;
  readonly read: (bytes: Uint8Array, start: number, end: number) => boolean;
}

const random = new SeededRandom(1);
const cbor = new Encoder({ useRecords: false, tagUint8Array: false });
const target = new Uint8Array(4096);
let correlation = 0;

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  return bytes;
}

/** One live version of 100 bytes and its clock. */
function setOfOne(): WireSet {
  const payload = randomBytes(100);
  const actor = randomBytes(8);
  const head = new Uint8Array(HEAD_BYTES + VERSION_BYTES + ENTRY_BYTES);
  writeHeadCounts(head, 0, 1, 1);
  writeVersion(head, versionOffset(0, 0), {
    actor,
    counter: 17,
    policy: 0,
    tombstone: false,
    stampMs: STAMP_MS,
    stampLogical: 0,
    expiryMs: 0,
    requestId: randomBytes(16),
    metaLength: 25,
    bodyLength: payload.length - 25,
    checksum: crc32c(payload, 0, payload.length),
  });
  writeEntry(head, HEAD_BYTES + VERSION_BYTES, actor, 0, 17, PAIR, STAMP_MS, 0);
  return { head, payloads: [payload] };
}

function writing<Body>(message: Message<Body>): Task {
  const { title, kind, body, length, write } = message;
  const works = [
    {
      name: "write",
      run() {
        const bodyLength = length(body);
        writeFrameHeader(target, 0, kind, 0, 0, ++correlation, 7, bodyLength);
        write(body, target, FRAME_HEADER_BYTES);
        keep(target[FRAME_HEADER_BYTES]);
      },
    },
    {
      name: "cbor-x encode",
      isReference: true,
      run() {
        const bytes = cbor.encode([kind, 0, 0, ++correlation, 7, body]);
        writeU32(target, 0, bytes.length);
        target.set(bytes, 4);
        keep(target[4]);
      },
    },
  ];
  return { title: `write ${title}`, works };
}

function reading<Body>(message: Message<Body>): Task {
  const { title, kind, body, length, write, read } = message;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + length(body));
  writeFrameHeader(frame, 0, kind, 0, 0, 1, 7, length(body));
  write(body, frame, FRAME_HEADER_BYTES);
  const reader = new FrameReader(frame.length, (view: FrameView) => {
    keep(read(view.bytes, view.start, view.end) ? view.correlation : 0);
    return true;
  });
  const encoded = cbor.encode([kind, 0, 0, 1, 7, body]);
  const stream = new Uint8Array(4 + encoded.length);
  writeU32(stream, 0, encoded.length);
  stream.set(encoded, 4);
  const works = [
    { name: "read", run: () => void reader.take(frame) },
    {
      name: "cbor-x decode",
      isReference: true,
      run() {
        const fields = cbor.decode(stream.subarray(4, 4 + readU32(stream, 0)));
        keep(fields[3]);
      },
    },
  ];
  return { title: `read ${title}`, works };
}

const name = new TextEncoder().encode("cart/user-100017");
const set = setOfOne();
const replicateView = new ReplicateView();
const fetchView = new FetchView();
const fetchedView = new FetchedView();
const requests = new Uint8Array(0);
const replicate: Message<ReplicateBody> = {
  title: "REPLICATE, one version of 100 bytes",
  kind: KIND_REPLICATE,
  body: { purpose: 0, flags: 1, round: 3, target: new Uint8Array(8), name, requests, set },
  length: (body) => replicateLength(body.name, body.requests, body.set),
  write: writeReplicate,
  read: (bytes, start, end) => readReplicate(bytes, start, end, replicateView),
};
const fetch: Message<FetchBody> = {
  title: "FETCH",
  kind: KIND_FETCH,
  body: { want: WANT_SET, flags: 0, checksum: 0, about: new Uint8Array(14), name },
  length: (body) => fetchLength(body.name),
  write: writeFetch,
  read: (bytes, start, end) => readFetch(bytes, start, end, fetchView),
};
const fetched: Message<FetchedBody> = {
  title: "FETCH's reply, one version of 100 bytes",
  kind: KIND_FETCH | REPLY_BIT,
  body: { isComplete: true, isSuperseded: false, digest0: 123, digest1: 456, set },
  length: (body) => fetchedLength(body.set),
  write: writeFetched,
  read: (bytes, start, end) => readFetched(bytes, start, end, fetchedView),
};

await ask("What does a frame cost to write, and to read?", [
  writing(replicate),
  reading(replicate),
  writing(fetch),
  reading(fetch),
  writing(fetched),
  reading(fetched),
]);
