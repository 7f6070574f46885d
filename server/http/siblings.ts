/**
 * Several versions at once: 300 Multiple Choices, in the form that `Accept` asks for.
 *
 *   multipart/mixed   the default, and for any other Accept: a part a sibling, its bytes unchanged
 *   application/json  {"context", "siblings": [{"value" (base64), "contentType", "time", "meta"}]},
 *                     and "contentEncoding" and "expires" where they have one
 *   application/cbor  the same with the values as byte strings
 *
 * Each form has an entity tag of its own: they are different bytes (entity-tag.ts).
 *
 * A single version never comes through here: it is always its own bytes.
 */

import { Encoder } from "cbor-x";
import { splitMeta } from "../../core/payload.ts";
import type { Result, Sibling } from "../coordination/store.ts";
import { LargeValue, type Value, valueBytes } from "../coordination/value.ts";
import { concatenate, containsBytes, encodeBase64, fromLatin1 } from "./bytes.ts";
import { httpDate } from "./http-date.ts";
import { readQualities } from "./quality.ts";
import { headerOf } from "./request-headers.ts";
import { Base64Value, type Piece } from "./value-stream.ts";

export type SiblingsForm = "multipart/mixed" | "application/json" | "application/cbor";

const FORMS: readonly SiblingsForm[] = ["multipart/mixed", "application/json", "application/cbor"];
/** What the tag of each form ends with. */
export const TAG_SUFFIXES: Readonly<Record<SiblingsForm, string>> = {
  "multipart/mixed": "",
  "application/json": "-json",
  "application/cbor": "-cbor",
};

/** The form of the highest quality in `Accept`, the earlier of equals; a * means the default. */
export function chooseForm(accept: string | null): SiblingsForm {
  if (accept === null) return "multipart/mixed";
  let best: SiblingsForm = "multipart/mixed";
  let bestQuality = 0;
  for (const [type, quality] of readQualities(accept)) {
    const form = FORMS.find((known) => known === type);
    if (form === undefined || quality <= bestQuality) continue;
    best = form;
    bestQuality = quality;
  }
  return best;
}

/** The body of a 300 and its content type. */
export function encodeSiblings(
  result: Result,
  form: SiblingsForm,
): { body: Uint8Array | string; contentType: string } {
  if (form === "multipart/mixed") return encodeMultipart(result);
  if (form === "application/json") {
    const body = JSON.stringify(describeAll(result, encodeBase64)) + "\n";
    return { body, contentType: form };
  }
  return { body: cbor.encode(describeAll(result, (bytes) => bytes)), contentType: form };
}

const cbor = new Encoder({ useRecords: false, tagUint8Array: false });

type EncodeValue = (body: Uint8Array) => string | Uint8Array;

function describeAll(result: Result, encodeValue: EncodeValue): object {
  const siblings = result.siblings.map((sibling) => {
    return describe(sibling, encodeValue(valueBytes(sibling.body)));
  });
  return { context: result.context, siblings };
}

function describe(sibling: Sibling, value: string | Uint8Array): Record<string, unknown> {
  const { coding, user } = splitMeta(sibling.meta);
  const described: Record<string, unknown> = {
    value,
    contentType: sibling.meta.contentType,
    time: new Date(sibling.timeMs).toISOString(),
    meta: Object.fromEntries(user),
  };
  if (coding !== null) described["contentEncoding"] = coding;
  if (sibling.expiryMs > 0) described["expires"] = new Date(sibling.expiryMs).toISOString();
  return described;
}

const encoder = new TextEncoder();

/** RFC 2046: every part between boundaries, each with its own headers and its bytes unchanged. */
function encodeMultipart(result: Result): { body: Uint8Array; contentType: string } {
  const boundary = chooseBoundary(result);
  const pieces: Uint8Array[] = [];
  for (const sibling of result.siblings) {
    pieces.push(encodePartHead(boundary, sibling), valueBytes(sibling.body));
  }
  pieces.push(encoder.encode(`\r\n--${boundary}--\r\n`));
  return { body: concatenate(pieces), contentType: `multipart/mixed; boundary=${boundary}` };
}

function encodePartHead(boundary: string, sibling: Sibling): Uint8Array {
  let head = `\r\n--${boundary}\r\nContent-Type: ${sibling.meta.contentType}\r\n`;
  head += `Content-Length: ${sibling.body.length}\r\n`;
  head += `Last-Modified: ${httpDate(sibling.timeMs)}\r\n`;
  for (const [name, value] of sibling.meta.meta) {
    head += `${headerOf(name, value).join(": ")}\r\n`;
  }
  return fromLatin1(head + "\r\n");
}

/** A boundary that stands in no body; the same siblings get the same one. */
function chooseBoundary(result: Result): string {
  for (let attempt = 0;; attempt++) {
    const boundary = attempt === 0 ? `halo-${result.etag}` : `halo-${result.etag}-${attempt}`;
    const bytes = encoder.encode(`--${boundary}`);
    if (result.siblings.every((sibling) => !containsBytes(valueBytes(sibling.body), bytes))) return boundary;
  }
}

/** The same where values are large: in pieces, of which those are read when their turn comes. */
export function streamSiblings(
  result: Result,
  form: SiblingsForm,
): { body: Piece[]; contentType: string } {
  if (form === "multipart/mixed") return streamMultipart(result);
  const body = form === "application/json" ? jsonPieces(result) : cborPieces(result);
  return { body, contentType: form };
}

/**
 * What stands in no value cannot be found out without reading all of them: here the boundary ends with the
 * end of the context, which is a keyed MAC that nobody can have written into a value.
 */
function streamMultipart(result: Result): { body: Piece[]; contentType: string } {
  const boundary = `halo-${result.etag}-${result.context.replace(/[^A-Za-z0-9]/g, "").slice(-24)}`;
  const pieces: Piece[] = [];
  for (const sibling of result.siblings) {
    pieces.push(encodePartHead(boundary, sibling), sibling.body);
  }
  pieces.push(encoder.encode(`\r\n--${boundary}--\r\n`));
  return { body: pieces, contentType: `multipart/mixed; boundary=${boundary}` };
}

function jsonPieces(result: Result): Piece[] {
  const pieces: Piece[] = [];
  let text = `{"context":${JSON.stringify(result.context)},"siblings":[`;
  result.siblings.forEach((sibling, index) => {
    const rest = JSON.stringify(describe(sibling, "")).slice('{"value":""'.length);
    pieces.push(encoder.encode(`${text}${index === 0 ? "" : ","}{"value":"`));
    pieces.push(base64Of(sibling.body));
    text = `"${rest}`;
  });
  pieces.push(encoder.encode(text + "]}\n"));
  return pieces;
}

function base64Of(value: Value): Piece {
  return value instanceof LargeValue ? new Base64Value(value) : encoder.encode(encodeBase64(value));
}

/** CBOR (RFC 8949) as the encoder writes it: maps and arrays with their counts, then what is in them. */
function cborPieces(result: Result): Piece[] {
  const pieces: Piece[] = [cborHead(5, 2)];
  const add = (...values: unknown[]): void => {
    for (const value of values) pieces.push(cbor.encode(value));
  };
  add("context", result.context, "siblings");
  pieces.push(cborHead(4, result.siblings.length));
  for (const sibling of result.siblings) {
    const { value: _, ...rest } = describe(sibling, "");
    const others = Object.entries(rest);
    pieces.push(cborHead(5, 1 + others.length));
    add("value");
    pieces.push(cborHead(2, sibling.body.length), sibling.body);
    for (const [key, value] of others) add(key, value);
  }
  return pieces;
}

/** Major type and count, in four bytes where it needs so many. */
function cborHead(major: number, count: number): Uint8Array {
  if (count < 24) return Uint8Array.of(major * 32 + count);
  const bytes = [count >>> 24, count >>> 16, count >>> 8, count].map((byte) => byte & 255);
  return Uint8Array.of(major * 32 + 26, ...bytes);
}
