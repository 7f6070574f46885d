/**
 * Several versions at once: 300 Multiple Choices, in the form that `Accept` asks for.
 *
 *   multipart/mixed   the default, and for any other Accept: a part a sibling, its bytes unchanged
 *   application/json  {"context", "siblings": [{"value" (base64), "contentType", "time", "meta"}]}
 *   application/cbor  the same with the values as byte strings
 *
 * A single version never comes through here: it is always its own bytes.
 */

import { Encoder } from "cbor-x";
import type { Result, Sibling } from "../coordination/store.ts";
import { concatenate, containsBytes, encodeBase64, fromLatin1 } from "./bytes.ts";
import { httpDate } from "./http-date.ts";
import { encodeHeaderText } from "./request-headers.ts";

export type SiblingsForm = "multipart/mixed" | "application/json" | "application/cbor";

const FORMS: readonly SiblingsForm[] = ["multipart/mixed", "application/json", "application/cbor"];

/** The form of the highest quality in `Accept`, the earlier of equals; a * means the default. */
export function chooseForm(accept: string | null): SiblingsForm {
  if (accept === null) return "multipart/mixed";
  let best: SiblingsForm = "multipart/mixed";
  let bestQuality = 0;
  for (const range of accept.split(",")) {
    const [type, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const form = FORMS.find((known) => known === type);
    const quality = qualityOf(parameters);
    if (form === undefined || quality <= bestQuality) continue;
    best = form;
    bestQuality = quality;
  }
  return best;
}

function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    if (!parameter.startsWith("q=")) continue;
    const quality = Number(parameter.slice(2));
    return quality >= 0 && quality <= 1 ? quality : 0;
  }
  return 1;
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
  const siblings = result.siblings.map((sibling) => describe(sibling, encodeValue(sibling.body)));
  return { context: result.context, siblings };
}

function describe(sibling: Sibling, value: string | Uint8Array): Record<string, unknown> {
  const described: Record<string, unknown> = {
    value,
    contentType: sibling.meta.contentType,
    time: new Date(sibling.timeMs).toISOString(),
    meta: Object.fromEntries(sibling.meta.meta),
  };
  if (sibling.expiryMs > 0) described["expires"] = new Date(sibling.expiryMs).toISOString();
  return described;
}

const encoder = new TextEncoder();

/** RFC 2046: every part between boundaries, each with its own headers and its bytes unchanged. */
function encodeMultipart(result: Result): { body: Uint8Array; contentType: string } {
  const boundary = chooseBoundary(result);
  const pieces: Uint8Array[] = [];
  for (const sibling of result.siblings) {
    pieces.push(encodePartHead(boundary, sibling), sibling.body);
  }
  pieces.push(encoder.encode(`\r\n--${boundary}--\r\n`));
  return { body: concatenate(pieces), contentType: `multipart/mixed; boundary=${boundary}` };
}

function encodePartHead(boundary: string, sibling: Sibling): Uint8Array {
  let head = `\r\n--${boundary}\r\nContent-Type: ${sibling.meta.contentType}\r\n`;
  head += `Content-Length: ${sibling.body.length}\r\n`;
  head += `Last-Modified: ${httpDate(sibling.timeMs)}\r\n`;
  for (const [name, value] of sibling.meta.meta) {
    head += `Halo-Meta-${name}: ${encodeHeaderText(value)}\r\n`;
  }
  return fromLatin1(head + "\r\n");
}

/** A boundary that stands in no body; the same siblings get the same one. */
function chooseBoundary(result: Result): string {
  for (let attempt = 0;; attempt++) {
    const boundary = attempt === 0 ? `halo-${result.etag}` : `halo-${result.etag}-${attempt}`;
    const bytes = encoder.encode(`--${boundary}`);
    if (result.siblings.every((sibling) => !containsBytes(sibling.body, bytes))) return boundary;
  }
}
