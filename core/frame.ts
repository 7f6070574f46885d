/**
 * The frame: what travels between nodes, and between a client library and a node. Pure codec.
 *
 *    0        4      5       6        8             12       16
 *   ┌────────┬──────┬───────┬────────┬─────────────┬────────┬───────────────┐
 *   │ length │ kind │ flags │ status │ correlation │ layout │ body          │
 *   │ u32    │ u8   │ u8    │ u16    │ u32         │ u32    │ length - 12   │
 *   └────────┴──────┴───────┴────────┴─────────────┴────────┴───────────────┘
 *   length       bytes that follow these four: 12 to the receiver's limit
 *   kind         what it is; bit 7 marks the reply to the kind in the low seven bits
 *   status       of a reply: 0 done, else why not; 0 in a request
 *   correlation  chosen by who asks, repeated by who answers
 *   layout       number of the layout that the sender acted under; 0: none
 *
 * Everything is little-endian. The bodies of the hot kinds are in core/request-frames and
 * core/replica-frames; the rest is CBOR. Numbers are on the wire: append, never renumber.
 * server/PROTOCOL.md is the specification in prose.
 */

import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";
import { VALUE_BYTES_MAX_LIMIT } from "./limits.ts";

/** The protocol that this source speaks; a HELLO with another number is refused. */
export const PROTOCOL_VERSION = 1;

/** Bytes before the body. */
export const FRAME_HEADER_BYTES = 16;
/** Bytes of the length field itself, which it does not count. */
export const FRAME_LENGTH_BYTES = 4;
/** The smallest legal length field: the rest of the header and no body. */
export const FRAME_LENGTH_MIN = FRAME_HEADER_BYTES - FRAME_LENGTH_BYTES;
/** No configuration allows a frame beyond this: the largest value and a mebibyte around it. */
export const FRAME_BYTES_MAX = VALUE_BYTES_MAX_LIMIT + (1 << 20);

/** Set in the kind of every reply. */
export const REPLY_BIT = 0x80;

/** Client or forwarding node to coordinator. */
export const KIND_PUT = 1;
export const KIND_GET = 2;
/** Coordinator to replica. */
export const KIND_REPLICATE = 3;
export const KIND_FETCH = 4;
/** A slice of a large payload for a node that lacks it (core/body-frames). */
export const KIND_BODY = 6;
/** The handshake: first frame of a connection, CBOR. */
export const KIND_HELLO = 16;
/** Empty, answered empty. */
export const KIND_PING = 17;
/** CBOR [type, body], answered by a CBOR value. */
export const KIND_MESSAGE = 18;

export const STATUS_OK = 0;
/** Statuses from here on belong to the wire itself; those of the hot kinds stay below. */
export const STATUS_WIRE = 0xff00;
/** The receiver knows no such kind, or nobody serves it there. Body: CBOR {error}. */
export const STATUS_UNKNOWN_KIND = STATUS_WIRE + 1;
/** The receiver knows no such message type. Body: CBOR {error}. */
export const STATUS_UNKNOWN_TYPE = STATUS_WIRE + 2;
/** The receiver declines the message. Body: CBOR {error}. */
export const STATUS_REFUSED = STATUS_WIRE + 3;
/** Why a HELLO is refused. Body: CBOR {error}; the connection is closed after it. */
export const STATUS_WRONG_PROTOCOL = STATUS_WIRE + 16;
export const STATUS_WRONG_CLUSTER = STATUS_WIRE + 17;
export const STATUS_WRONG_NODE = STATUS_WIRE + 18;
export const STATUS_NOT_ADMITTED = STATUS_WIRE + 19;
/** HELLO refused: the cluster's secret, or a client's token, was not proved. */
export const STATUS_NOT_PROVED = STATUS_WIRE + 20;
/** HELLO answered with a proof of the cluster's secret: the same is wanted in return. */
export const STATUS_CHALLENGE = STATUS_WIRE + 21;

/** A frame as its receiver sees it: the header's fields, and where the body lies. */
export class FrameView {
  kind = 0;
  flags = 0;
  status = 0;
  correlation = 0;
  layout = 0;
  /** Holds the body at [start, end); valid only during the callback that hands the view over. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
}

const NO_BYTES = new Uint8Array(0);

/**
 * The limit for a node that takes values of up to `valueBytesMax`: room for what surrounds them, at
 * least 1 MiB.
 * @hot
 */
export function frameBytesMax(valueBytesMax: number): number {
  return Math.min(FRAME_BYTES_MAX, Math.max(1 << 20, valueBytesMax + (256 << 10)));
}

/** Writes the 16 bytes before a body of `bodyLength` bytes. @hot */
export function writeFrameHeader(
  target: Uint8Array,
  offset: number,
  kind: number,
  flags: number,
  status: number,
  correlation: number,
  layout: number,
  bodyLength: number,
): void {
  writeU32(target, offset, FRAME_LENGTH_MIN + bodyLength);
  target[offset + 4] = kind;
  target[offset + 5] = flags;
  writeU16(target, offset + 6, status);
  writeU32(target, offset + 8, correlation);
  writeU32(target, offset + 12, layout);
}

/** The length field at `offset`, unchecked. REQUIRES: four bytes there. @hot */
export function readFrameLength(bytes: Uint8Array, offset: number): number {
  return readU32(bytes, offset);
}

/**
 * Points the view at the frame at `offset`. REQUIRES: the whole frame is there, its length was
 * checked.
 * @hot
 */
export function readFrame(bytes: Uint8Array, offset: number, view: FrameView): void {
  view.kind = bytes[offset + 4];
  view.flags = bytes[offset + 5];
  view.status = readU16(bytes, offset + 6);
  view.correlation = readU32(bytes, offset + 8);
  view.layout = readU32(bytes, offset + 12);
  view.bytes = bytes;
  view.start = offset + FRAME_HEADER_BYTES;
  view.end = offset + FRAME_LENGTH_BYTES + readU32(bytes, offset);
}
