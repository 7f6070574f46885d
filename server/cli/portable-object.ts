/**
 * An object outside a cluster: its key and its versions, each with what a client gave it. No context, no dots:
 * whoever takes it in makes versions of his own. What `halo export` writes and `halo import` reads, in two
 * forms (portable-lines.ts, portable-tar.ts).
 *
 *   key     bytes          any
 *   version value          a large one in pieces, as they come
 *           content type, content encoding, metadata, when it was written and when it goes
 */

import { encodeBase64Url } from "../http/bytes.ts";
import { decodeHeaderText, encodeHeaderText, META_PREFIX } from "../http/request-headers.ts";
import type { OutgoingValue } from "./value-streams.ts";

export interface PortableVersion {
  /** `length` is null only for a large one of which nobody told it. */
  readonly value: OutgoingValue;
  readonly contentType: string;
  /** "": none. */
  readonly contentEncoding: string;
  readonly meta: Readonly<Record<string, string>>;
  /** When it was written, and when it goes, in ISO 8601; "": nobody knows; never. */
  readonly time: string;
  readonly expires: string;
}

export interface PortableObject {
  readonly key: Uint8Array;
  /** One at least. */
  readonly versions: readonly PortableVersion[];
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A key as text where it is text: {"key"}, else {"key64"}. */
export function describeKey(key: Uint8Array): { readonly key: string } | { readonly key64: string } {
  try {
    return { key: decoder.decode(key) };
  } catch {
    // Bytes that are no UTF-8.
    return { key64: encodeBase64Url(key) };
  }
}

/** What a node's answer says of the one version that it carries. */
export function versionOf(headers: Headers, value: OutgoingValue): PortableVersion {
  const meta: Record<string, string> = {};
  headers.forEach((text, name) => {
    if (name.startsWith(META_PREFIX)) meta[name.slice(META_PREFIX.length)] = decodeHeaderText(text) ?? text;
  });
  const modified = headers.get("last-modified");
  return {
    value,
    contentType: headers.get("content-type") ?? "",
    contentEncoding: headers.get("content-encoding") ?? "",
    meta,
    time: modified === null ? "" : new Date(modified).toISOString(),
    expires: headers.get("halo-expires") ?? "",
  };
}

/** The headers of the put that stores a version; null: it is gone already. */
export function headersOf(version: PortableVersion, nowMs: number): Record<string, string> | null {
  const headers: Record<string, string> = {};
  if (version.contentType !== "") headers["Content-Type"] = version.contentType;
  if (version.contentEncoding !== "") headers["Content-Encoding"] = version.contentEncoding;
  for (const [name, text] of Object.entries(version.meta)) {
    headers[`${META_PREFIX}${name}`] = encodeHeaderText(text);
  }
  if (version.expires === "") return headers;
  const leftMs = Date.parse(version.expires) - nowMs;
  if (leftMs <= 0) return null;
  headers["Halo-TTL"] = String(Math.ceil(leftMs / 1000));
  return headers;
}
