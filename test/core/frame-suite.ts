/**
 * The frame's header and its reader: the same bytes, the same frames, however the network cuts
 * them.
 */

import {
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  frameBytesMax,
  FrameView,
  KIND_MESSAGE,
  readFrame,
  REPLY_BIT,
  writeFrameHeader,
} from "../../core/frame.ts";
import { FrameReader } from "../../core/frame-reader.ts";
import { VALUE_BYTES_MAX_LIMIT } from "../../core/limits.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";

const LIMIT = 100_000;

function frame(correlation: number, bodyLength: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + bodyLength);
  writeFrameHeader(bytes, 0, KIND_MESSAGE, 0, 0, correlation, 0, bodyLength);
  for (let index = 0; index < bodyLength; index++) bytes[16 + index] = correlation * 31 + index;
  return bytes;
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, one) => sum + one.length, 0));
  let offset = 0;
  for (const one of frames) {
    bytes.set(one, offset);
    offset += one.length;
  }
  return bytes;
}

/** A reader that keeps what it reads: "correlation:length:sum of the body". */
function keeping(limit = LIMIT): { reader: FrameReader; seen: string[] } {
  const seen: string[] = [];
  const reader = new FrameReader(limit, (view) => {
    seen.push(digestOf(view));
    return true;
  });
  return { reader, seen };
}

function digestOf(view: FrameView): string {
  let sum = 0;
  for (let index = view.start; index < view.end; index++) {
    sum = (sum * 31 + view.bytes[index]) >>> 0;
  }
  return `${view.correlation}:${view.end - view.start}:${sum}`;
}

function wholeDigests(frames: readonly Uint8Array[]): string[] {
  return frames.map((one) => {
    const view = new FrameView();
    readFrame(one, 0, view);
    return digestOf(view);
  });
}

/** A header whose length field says `length`. */
function lengthOnly(length: number): Uint8Array {
  const bytes = frame(1, 0);
  new DataView(bytes.buffer).setUint32(0, length >>> 0, true);
  return bytes;
}

export const suite: Case[] = [
  {
    name: "writeFrameHeader() writes the sixteen bytes of the specification",
    run(check) {
      const bytes = new Uint8Array(18).fill(0xee);
      writeFrameHeader(bytes, 1, 3 | REPLY_BIT, 7, 0x1234, 0xdeadbeef, 0x01020304, 5);
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      check.equal(
        hex,
        "ee 11 00 00 00 83 07 34 12 ef be ad de 04 03 02 01 ee",
        "little-endian, nothing beyond the header",
      );
    },
  },
  {
    name: "readFrame() gives back every field at its largest",
    run(check) {
      const bytes = new Uint8Array(40);
      writeFrameHeader(bytes, 3, 255, 255, 65_535, 0xffffffff, 0xffffffff, 21);
      const view = new FrameView();
      readFrame(bytes, 3, view);
      const { kind, flags, status, correlation, layout, start, end } = view;
      check.same(
        [kind, flags, status, correlation, layout, start, end],
        [255, 255, 65_535, 0xffffffff, 0xffffffff, 19, 40],
        "unsigned fields",
      );
    },
  },
  {
    name:
      "frameBytesMax() leaves room around the value, at least a mebibyte, never beyond the format",
    run(check) {
      check.equal(frameBytesMax(0), 1 << 20, "small values");
      check.equal(frameBytesMax(1 << 20), (1 << 20) + (256 << 10), "the default");
      check.ok(frameBytesMax(VALUE_BYTES_MAX_LIMIT) <= FRAME_BYTES_MAX, "the largest");
      check.ok(frameBytesMax(VALUE_BYTES_MAX_LIMIT) > VALUE_BYTES_MAX_LIMIT, "the largest fits");
    },
  },
  {
    name: "FrameReader reads the same frames wherever the stream is cut in two",
    run(check) {
      const frames = [frame(1, 0), frame(2, 5), frame(3, 70), frame(4, 1), frame(5, 0)];
      const stream = joined(frames);
      const wanted = wholeDigests(frames);
      for (let cut = 0; cut <= stream.length; cut++) {
        const { reader, seen } = keeping();
        const wrong = reader.take(stream.slice(0, cut)) + reader.take(stream.slice(cut));
        check.same([wrong, ...seen], ["", ...wanted], `cut at ${cut}`);
      }
    },
  },
  {
    name: "FrameReader reads the same frames in pieces of every size from 1 to 40",
    run(check) {
      const frames = [frame(1, 200), frame(2, 0), frame(3, 3), frame(4, 90)];
      const stream = joined(frames);
      for (let size = 1; size <= 40; size++) {
        const { reader, seen } = keeping();
        for (let start = 0; start < stream.length; start += size) {
          reader.take(stream.slice(start, start + size));
        }
        check.same(seen, wholeDigests(frames), `pieces of ${size}`);
      }
    },
  },
  {
    name: "FrameReader reads random frames in random pieces, while lent bytes are scribbled over",
    run(check) {
      const random = new SeededRandom(271_828);
      for (let round = 0; round < 60; round++) {
        const frames: Uint8Array[] = [];
        for (let count = 1 + random.below(8); count > 0; count--) {
          frames.push(frame(random.uint32(), random.below(random.chance(1, 6) ? 90_000 : 300)));
        }
        const stream = joined(frames);
        const { reader, seen } = keeping();
        for (let start = 0; start < stream.length;) {
          const piece = stream.slice(
            start,
            start + 1 + random.below(random.chance(1, 2) ? 40 : 70_000),
          );
          reader.take(piece);
          start += piece.length;
          piece.fill(0xdb);
        }
        check.same(seen, wholeDigests(frames), `round ${round}`);
      }
    },
  },
  {
    name: "FrameReader hands over whole frames where they lie, without a copy",
    run(check) {
      const stream = joined([frame(1, 10), frame(2, 10)]);
      const places: (readonly [boolean, number])[] = [];
      const reader = new FrameReader(LIMIT, (view) => {
        places.push([view.bytes === stream, view.start]);
        return true;
      });
      reader.take(stream);
      check.same(places, [[true, 16], [true, 42]], "the chunk itself");
    },
  },
  {
    name:
      "FrameReader takes the largest frame and refuses lengths of 0, 11, -1, 2^31 and limit + 1",
    run(check) {
      const largest = keeping();
      check.equal(largest.reader.take(frame(9, LIMIT - FRAME_HEADER_BYTES)), "", "at the limit");
      check.equal(largest.seen.length, 1, "one frame");
      for (const length of [0, 11, -1, 2 ** 31, LIMIT - 3]) {
        const { reader, seen } = keeping();
        const wrong = reader.take(joined([frame(1, 2), lengthOnly(length), frame(3, 0)]));
        check.ok(wrong.includes(`${length >>> 0}`), `says what is wrong with ${length}: ${wrong}`);
        check.equal(seen.length, 1, "what came before was read, nothing after");
        reader.take(frame(4, 0));
        check.equal(seen.length, 1, "nothing is read any more");
      }
    },
  },
  {
    name: "FrameReader refuses a wrong length as soon as its fourth byte is there, byte by byte",
    run(check) {
      const { reader, seen } = keeping();
      const bytes = lengthOnly(LIMIT + 1);
      const wrong = [0, 1, 2, 3].map((index) => reader.take(bytes.slice(index, index + 1)) !== "");
      check.same([...wrong, seen.length], [false, false, false, true, 0], "at the fourth");
    },
  },
  {
    name: "FrameReader believes a length only as far as bytes have come",
    run(check) {
      const reader = new FrameReader(FRAME_BYTES_MAX, () => true);
      const announced = 64 << 20;
      const header = new Uint8Array(FRAME_HEADER_BYTES);
      writeFrameHeader(header, 0, KIND_MESSAGE, 0, 0, 1, 0, announced - FRAME_HEADER_BYTES);
      reader.take(header);
      check.ok(reader.heldBytes <= 64 << 10, `a header holds ${reader.heldBytes}`);
      const piece = new Uint8Array(64 << 10);
      let taken = FRAME_HEADER_BYTES;
      for (; taken + piece.length <= announced; taken += piece.length) {
        reader.take(piece);
        if (reader.heldBytes > (taken + piece.length) * 16) {
          check.ok(false, `${taken} hold too much`);
        }
      }
      check.ok(reader.heldBytes <= announced, `nearly whole: ${reader.heldBytes}`);
      reader.take(piece.subarray(0, announced - taken));
      check.equal(reader.heldBytes, 0, "a large buffer is not kept");
    },
  },
  {
    name: "FrameReader stops in the middle of a chunk when its sink has enough",
    run(check) {
      let count = 0;
      const reader = new FrameReader(LIMIT, () => ++count < 2);
      reader.take(joined([frame(1, 0), frame(2, 0), frame(3, 0)]));
      reader.take(frame(4, 0));
      check.equal(count, 2, "two frames");
    },
  },
];
