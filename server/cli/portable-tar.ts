/**
 * Objects as a tar archive, a file for each version, which other tools can unpack and make.
 *
 *   user-17            the value; modified when it was written
 *   user%2F18          a key as it stands in a path
 *   user-19~1          of several versions, the second
 *     HALO.key64  HALO.sibling  HALO.type  HALO.coding  HALO.expires  HALO.meta.NAME     pax records of it
 *
 * What has no HALO.key64 was made by others: its path is its key. Values stream both ways, one after the other
 * (POSIX.1-2001, pax interchange format).
 */

import { createTarDecoder, createTarPacker, type ParsedTarEntry, type TarHeader } from "modern-tar";
import { STREAM_BYTES_MIN } from "../../core/limits.ts";
import { encodePath } from "../http/target.ts";
import { decodeBase64Url, encodeBase64Url } from "../http/bytes.ts";
import { PortableError } from "./portable-lines.ts";
import type { PortableObject, PortableVersion } from "./portable-object.ts";
import { type OutgoingValue, streamFrom } from "./value-streams.ts";

const META = "HALO.meta.";
const encoder = new TextEncoder();

/** An archive that is written entry by entry. */
export class TarWriter {
  readonly #write: (piece: Uint8Array) => Promise<void>;
  readonly #packer = createTarPacker();
  readonly #written: Promise<void>;

  constructor(write: (piece: Uint8Array) => Promise<void>) {
    this.#write = write;
    this.#written = this.#pass();
  }

  async #pass(): Promise<void> {
    for await (const piece of this.#packer.readable) await this.#write(piece);
  }

  async add({ key, versions }: PortableObject): Promise<void> {
    for (const [index, version] of versions.entries()) {
      const { length, body } = version.value;
      if (length === null) throw new PortableError("A value has no length, which tar wants first");
      const entry = this.#packer.controller.add(headerOf(key, index, version, length)).getWriter();
      if (body instanceof Uint8Array) await entry.write(body);
      else for await (const piece of body) await entry.write(piece);
      await entry.close();
    }
  }

  /** Writes the end of the archive. */
  end(): Promise<void> {
    this.#packer.controller.finalize();
    return this.#written;
  }
}

function headerOf(key: Uint8Array, index: number, version: PortableVersion, size: number): TarHeader {
  const { contentType, contentEncoding, meta, time, expires } = version;
  const pax: Record<string, string> = { "HALO.key64": encodeBase64Url(key) };
  if (index > 0) pax["HALO.sibling"] = String(index);
  if (contentType !== "") pax["HALO.type"] = contentType;
  if (contentEncoding !== "") pax["HALO.coding"] = contentEncoding;
  if (expires !== "") pax["HALO.expires"] = expires;
  for (const [name, text] of Object.entries(meta)) pax[META + name] = text;
  return { name: pathOf(key, index), size, mtime: new Date(time === "" ? 0 : time), type: "file", mode: 0o644, pax };
}

/** As in a path, so that no key leaves the folder that it is unpacked in. */
function pathOf(key: Uint8Array, index: number): string {
  const text = encodePath(key).replaceAll("/", "%2F").replace(/^\.{1,2}$/, (dots) => dots.replaceAll(".", "%2E"));
  return index === 0 ? text : `${text}~${index}`;
}

/** A version of an archive, and whether it goes beside the one before, which has the same key. */
export interface TarEntry {
  readonly key: Uint8Array;
  readonly isSibling: boolean;
  readonly version: PortableVersion;
}

/** The files of an archive; each has to be read to its end before the next. @throws PortableError */
export async function* readTar(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const source = streamFrom(pieces).pipeThrough(createTarDecoder({ strict: true }));
  let before = "";
  try {
    for await (const entry of source) {
      if (entry.header.type !== "file" && entry.header.type !== undefined) {
        await entry.body.cancel();
        continue;
      }
      const read = await entryOf(entry);
      const name = encodeBase64Url(read.key);
      if (read.isSibling && name !== before) throw new PortableError(`${entry.header.name} is a sibling, and what it belongs to is not before it`);
      before = name;
      yield read;
    }
  } catch (error) {
    if (error instanceof PortableError) throw error;
    throw new PortableError(`The archive breaks off or is none (${error instanceof Error ? error.message : String(error)})`);
  }
}

async function entryOf({ header, body }: ParsedTarEntry): Promise<TarEntry> {
  const { name, size, mtime, pax = {} } = header;
  const key64 = pax["HALO.key64"];
  const key = key64 === undefined ? encoder.encode(name.replace(/^(\.\/)+/, "")) : decodeBase64Url(key64);
  if (key === null || key.length === 0) throw new PortableError(`${name} has HALO.key64 '${key64}', want base64url`);
  const meta = Object.entries(pax).filter(([record]) => record.startsWith(META));
  const version = {
    value: await valueOf(body, size),
    contentType: pax["HALO.type"] ?? "",
    contentEncoding: pax["HALO.coding"] ?? "",
    meta: Object.fromEntries(meta.map(([record, text]) => [record.slice(META.length), text])),
    time: mtime?.toISOString() ?? "",
    expires: pax["HALO.expires"] ?? "",
  };
  return { key, isSibling: pax["HALO.sibling"] !== undefined, version };
}

/** A small one whole, so that it can be sent twice. */
async function valueOf(body: ReadableStream<Uint8Array>, length: number): Promise<OutgoingValue> {
  if (length > STREAM_BYTES_MIN) return { body, length };
  return { body: new Uint8Array(await new Response(body).arrayBuffer()), length };
}
