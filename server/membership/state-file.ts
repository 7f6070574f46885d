/**
 * Small files that are replaced whole: the identity, the cluster state, the votes.
 *
 *    0  "halo"          4 bytes
 *    4  format          u8: 1; a larger one was written by a newer version and is refused
 *    5  reserved        3 bytes, zero
 *    8  checksum        u32: CRC-32C over the document
 *   12  document        CBOR
 *
 * A file is replaced by writing a new one, syncing it and renaming it, so after any crash there is
 * the old one or the new one. A damaged one is never taken for an absent one: a node that forgot
 * what it promised could found a second ring beside its own cluster.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { type Disk, readFile, replaceFile } from "../../storage/disk.ts";
import { decodeDocument, encodeDocument, MalformedDocument } from "./document.ts";

const MAGIC = Uint8Array.of(0x68, 0x61, 0x6c, 0x6f);
const FORMAT = 1;
const FORMAT_AT = 4;
const CHECKSUM_AT = 8;
const DOCUMENT_AT = 12;

/** Replaces the file, durably. @throws DiskError */
export function saveDocument(disk: Disk, path: string, document: unknown): void {
  const packed = encodeDocument(document);
  const bytes = new Uint8Array(DOCUMENT_AT + packed.length);
  bytes.set(MAGIC);
  bytes[FORMAT_AT] = FORMAT;
  bytes.set(packed, DOCUMENT_AT);
  writeU32(bytes, CHECKSUM_AT, crc32c(bytes, DOCUMENT_AT, bytes.length));
  replaceFile(disk, path, bytes);
}

/** The file's document; null where there is no file. @throws DiskError, MalformedDocument */
export function loadDocument(disk: Disk, path: string): unknown {
  const bytes = readFile(disk, path);
  if (bytes === null) return null;
  if (bytes.length < DOCUMENT_AT || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new MalformedDocument(`File ${path} is damaged: it does not begin as it should`);
  }
  if (bytes[FORMAT_AT] > FORMAT) {
    throw new MalformedDocument(
      `File ${path} is of format ${bytes[FORMAT_AT]}, this version reads up to ${FORMAT}`,
    );
  }
  if (readU32(bytes, CHECKSUM_AT) !== crc32c(bytes, DOCUMENT_AT, bytes.length)) {
    throw new MalformedDocument(`File ${path} is damaged: its checksum does not match`);
  }
  return decodeDocument(bytes.subarray(DOCUMENT_AT));
}
