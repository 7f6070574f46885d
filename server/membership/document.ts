/**
 * Documents: the CBOR maps that membership stores in files and sends to peers, written plainly and
 * read with suspicion.
 *
 *   encodeDocument({ id, version, … })                →  bytes
 *   new Fields(decodeDocument(bytes)).text("id", 16)  →  the value; or MalformedDocument is thrown
 *
 * A file may be damaged and a peer may be anything, so each field is asked for by its name, its
 * type and its bounds; unknown fields are ignored, so that later versions can add some. Whoever
 * reads a document catches MalformedDocument at one place, where it can refuse the whole of it.
 */

import { decodeMessage, encodeMessage } from "../wire/messages.ts";

/** A document that does not say what was wanted. */
export class MalformedDocument extends Error {}

/** A document as bytes that belong to the caller. */
export function encodeDocument(document: unknown): Uint8Array {
  return encodeMessage(document);
}

/** @throws MalformedDocument */
export function decodeDocument(bytes: Uint8Array): unknown {
  const document = decodeMessage(bytes, 0, bytes.length);
  if (document !== undefined) return document;
  throw new MalformedDocument(`${bytes.length} bytes are no well-formed document`);
}

/** One map of a document, field by field. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws MalformedDocument where the value is no map */
  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new MalformedDocument(`value is ${describe(value)}, wanted is a map`);
    }
    this.#values = { ...value };
  }

  has(name: string): boolean {
    const value = this.raw(name);
    return value !== undefined && value !== null;
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  text(name: string, lengthMax: number): string {
    const value = this.raw(name);
    if (typeof value === "string" && value.length <= lengthMax) return value;
    throw wrong(name, value, `a text of up to ${lengthMax} characters`);
  }

  /** A whole number from `least` to `most`. */
  whole(name: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.raw(name);
    if (typeof value === "number" && Number.isSafeInteger(value)) {
      if (value >= least && value <= most) return value;
    }
    throw wrong(name, value, `a whole number from ${least} to ${most}`);
  }

  /** A copy of the field's bytes. */
  bytes(name: string, lengthMax: number): Uint8Array {
    const value = this.raw(name);
    if (value instanceof Uint8Array && value.length <= lengthMax) return new Uint8Array(value);
    throw wrong(name, value, `up to ${lengthMax} bytes`);
  }

  list(name: string, lengthMax: number): readonly unknown[] {
    const value = this.raw(name);
    if (Array.isArray(value) && value.length <= lengthMax) return value;
    throw wrong(name, value, `a list of up to ${lengthMax}`);
  }

  fields(name: string): Fields {
    return new Fields(this.raw(name));
  }

  /** A node's id: 16 lower-case hexadecimal digits. */
  nodeId(name: string): string {
    const value = this.text(name, 16);
    if (isNodeId(value)) return value;
    throw wrong(name, value, "16 hexadecimal digits");
  }
}

const NODE_ID = /^[0-9a-f]{16}$/;

export function isNodeId(text: string): boolean {
  return NODE_ID.test(text);
}

function wrong(name: string, value: unknown, wanted: string): MalformedDocument {
  return new MalformedDocument(`field ${name} is ${describe(value)}, wanted is ${wanted}`);
}

function describe(value: unknown): string {
  if (value === undefined) return "absent";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return value === null ? "null" : "a map";
  return JSON.stringify(String(value).slice(0, 64));
}
