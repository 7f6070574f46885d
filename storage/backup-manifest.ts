/**
 * The manifest of a backup: which files belong to it, how long they are, what their checksums are, and
 * of whom it is. Written last and synced: a backup without one is none, and one that broke off leaves
 * the manifest before it in charge.
 *
 *   {"format":1,…,"files":[{"path":"objects/00000001.log","bytes":67108864,"checksum":…},…]}
 *   crc32c 1a2b3c4d        of the line above, in hexadecimal
 */

import { crc32c } from "../core/crc32c.ts";
import { type Disk, DiskError, readFile, replaceFile } from "./disk.ts";
import type { BackupFile } from "./log/log-backup.ts";

export const MANIFEST_FILE = "manifest.json";
const FORMAT = 1;

export interface BackupManifest {
  readonly format: number;
  readonly program: string;
  /** ISO 8601, when it was complete. */
  readonly taken: string;
  /** Ids in hexadecimal; "" where the directory belonged to no cluster yet. */
  readonly node: string;
  readonly cluster: string;
  /** The newest layout that the node knew, and the partitions of the ring; 0: none. */
  readonly layout: number;
  readonly partitions: number;
  readonly files: readonly BackupFile[];
}

const encoder = new TextEncoder();

/** Replaces the manifest, durably. @throws DiskError */
export function writeManifest(disk: Disk, content: Omit<BackupManifest, "format">): void {
  const line = JSON.stringify({ format: FORMAT, ...content });
  replaceFile(disk, MANIFEST_FILE, encoder.encode(`${line}\ncrc32c ${checksumText(line)}\n`));
}

/** The manifest; null where there is none. @throws DiskError "EINVAL" where it cannot be used */
export function readManifest(disk: Disk): BackupManifest | null {
  const bytes = readFile(disk, MANIFEST_FILE);
  if (bytes === null) return null;
  const [line = "", last = ""] = new TextDecoder().decode(bytes).split("\n");
  if (last !== `crc32c ${checksumText(line)}`) throw unusable("its checksum does not match");
  // Safe: the checksum says that these are bytes that writeManifest() has written.
  const manifest = JSON.parse(line) as BackupManifest;
  if (manifest.format === FORMAT) return manifest;
  throw unusable(`it has format ${manifest.format}, this program knows up to ${FORMAT}`);
}

function checksumText(line: string): string {
  const bytes = encoder.encode(line);
  return crc32c(bytes, 0, bytes.length).toString(16).padStart(8, "0");
}

function unusable(why: string): DiskError {
  return new DiskError("EINVAL", `Cannot use ${MANIFEST_FILE}: ${why}`);
}
