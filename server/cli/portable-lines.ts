/**
 * Objects as newline-delimited JSON, one a line, in the shape of `halo get --json`:
 *
 *   {"key": "user-17", "siblings": [{"value": "<base64>", "contentType": "text/plain",
 *    "time": "2026-11-27T09:00:00.000Z", "meta": {"by": "ann"}}]}
 *
 * "key64" (base64url) stands for "key" where that is no UTF-8; "contentEncoding" and "expires" are there where a
 * version has them. Written a piece at a time; read a line at a time, since JSON needs all of it.
 */

import { decodeBase64, decodeBase64Url } from "../http/bytes.ts";
import { describeKey, type PortableObject, type PortableVersion } from "./portable-object.ts";
import { Base64Text } from "./value-streams.ts";

/** Two values of 64 MiB, in base64. */
const LINE_BYTES_MAX = 192 << 20;
const FIELDS = ["key", "key64", "siblings", "context"];
const VERSION_FIELDS = ["value", "contentType", "contentEncoding", "time", "meta", "expires"];

const encoder = new TextEncoder();

/** What is wrong with what is read, as a sentence without its full stop; says where. */
export class PortableError extends Error {}

export async function writeLine(
  { key, versions }: PortableObject,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  const name = JSON.stringify(describeKey(key)).slice(0, -1);
  let before = `${name},"siblings":[{"value":"`;
  for (const version of versions) {
    await write(encoder.encode(before));
    await writeValue(version, write);
    await write(encoder.encode(`",${restOf(version)}`));
    before = `,{"value":"`;
  }
  await write(encoder.encode("]}\n"));
}

async function writeValue({ value }: PortableVersion, write: (piece: Uint8Array) => Promise<void>): Promise<void> {
  const base64 = new Base64Text();
  const { body } = value;
  if (body instanceof Uint8Array) await write(encoder.encode(base64.push(body)));
  else for await (const piece of body) await write(encoder.encode(base64.push(piece)));
  await write(encoder.encode(base64.end()));
}

function restOf({ contentType, contentEncoding, time, meta, expires }: PortableVersion): string {
  const described = {
    contentType,
    ...(contentEncoding === "" ? {} : { contentEncoding }),
    ...(time === "" ? {} : { time }),
    meta,
    ...(expires === "" ? {} : { expires }),
  };
  return JSON.stringify(described).slice(1);
}

/** The objects of lines. @throws PortableError at the first that is none */
export async function* readLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<PortableObject> {
  let number = 0;
  for await (const line of linesOf(pieces)) {
    number++;
    if (line.trim() !== "") yield objectOf(line, number);
  }
}

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  let number = 1;
  for await (const piece of pieces) {
    const texts = decoder.decode(piece, { stream: true }).split("\n");
    for (let index = 0; index < texts.length; index++) {
      parts.push(texts[index]);
      length += texts[index].length;
      if (length > LINE_BYTES_MAX) {
        throw new PortableError(`Line ${number} is longer than ${LINE_BYTES_MAX} bytes, want so large a value as tar`);
      }
      if (index === texts.length - 1) break;
      yield parts.join("");
      [parts, length] = [[], 0];
      number++;
    }
  }
  if (length > 0) yield parts.join("");
}

function objectOf(line: string, number: number): PortableObject {
  const wrong = (what: string): PortableError => new PortableError(`Line ${number} ${what}`);
  const given = jsonObject(line);
  if (given === null) throw wrong(`is '${line.slice(0, 64)}', want an object in JSON`);
  checkFields(given, FIELDS, wrong);
  const { siblings } = given;
  if (!Array.isArray(siblings) || siblings.length === 0) throw wrong("has no siblings, want one at least");
  return { key: keyOf(given, wrong), versions: siblings.map((one) => versionOf(one, wrong)) };
}

type Wrong = (what: string) => PortableError;

function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const given: unknown = JSON.parse(text);
    return isObject(given) ? given : null;
  } catch {
    // No JSON at all.
    return null;
  }
}

function isObject(given: unknown): given is Record<string, unknown> {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}

function checkFields(given: Record<string, unknown>, known: readonly string[], wrong: Wrong): void {
  const other = Object.keys(given).find((name) => !known.includes(name));
  if (other !== undefined) throw wrong(`has a field '${other.slice(0, 64)}', want ${known.join(", ")}`);
}

function keyOf({ key, key64 }: Record<string, unknown>, wrong: Wrong): Uint8Array {
  if (typeof key === "string" && key !== "" && key64 === undefined) return encoder.encode(key);
  const bytes = typeof key64 === "string" && key === undefined ? decodeBase64Url(key64) : null;
  if (bytes === null || bytes.length === 0) throw wrong("has no key, want key (text) or key64 (base64url)");
  return bytes;
}

function versionOf(given: unknown, wrong: Wrong): PortableVersion {
  if (!isObject(given)) throw wrong("has a sibling that is no object");
  checkFields(given, VERSION_FIELDS, wrong);
  const { value, meta = {} } = given;
  const body = typeof value === "string" ? decodeBase64(value) : null;
  if (body === null) throw wrong("has a value that is no base64");
  if (!isObject(meta) || !Object.values(meta).every((text) => typeof text === "string")) {
    throw wrong("has a meta that is no object of texts");
  }
  const text = (name: string): string => {
    const found = given[name] ?? "";
    if (typeof found !== "string") throw wrong(`has a ${name} that is no text`);
    return found;
  };
  const expires = text("expires");
  if (expires !== "" && Number.isNaN(Date.parse(expires))) throw wrong(`expires '${expires}', want a time in ISO 8601`);
  return {
    value: { body, length: body.length },
    contentType: text("contentType"),
    contentEncoding: text("contentEncoding"),
    // Safe: they were looked at.
    meta: meta as Record<string, string>,
    time: text("time"),
    expires,
  };
}
