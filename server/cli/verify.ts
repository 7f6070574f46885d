/**
 * halo verify: reads a data directory, or a backup, from the first byte to the last and says what is
 * sound. Changes nothing, takes no lock; a node may be running on it.
 *
 *   0   every checksum holds
 *   1   something is damaged: where, and whose it is if that can be told
 *   2   it cannot be read at all, or is no data directory
 */

import { DiskError } from "../../storage/disk.ts";
import { readManifest } from "../../storage/backup-manifest.ts";
import { type BackupFile, checksumOf } from "../../storage/log/log-backup.ts";
import { NewerFormatError } from "../../storage/log/segment-scan.ts";
import {
  type DamagedPlace,
  LogVerification,
  type VerificationReport,
} from "../../storage/log/verification.ts";
import { toHex } from "../../core/bytes.ts";
import { encodePath } from "../http/target.ts";
import { type ReadableDirectory, readDataDirectory } from "../ports/disk.ts";
import { writeOut } from "../ports/process.ts";
import { type Command, JSON_OPTION } from "./command.ts";
import type { CommandLine } from "./command-line.ts";
import { CANNOT_READ, CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { bytesText, Progress } from "./progress.ts";
import { formatTable } from "./table.ts";

/** The logs of a node. In "hints", each name has the owner's id of 8 bytes before it. */
const FOLDERS = ["objects", "hints"] as const;
const OWNER_BYTES = 8;

export const verifyCommand: Command = {
  name: "verify",
  takes: "DIR",
  summary: "check every byte of a data directory or a backup",
  examples: ["halo verify ./halo-data"],
  about: `Reads all records and checks all their checksums; nothing is changed. A node may be running
on the directory: what it writes meanwhile is not damage.

exit codes: 0 sound, 1 damaged, 2 it cannot be read`,
  options: [JSON_OPTION],
  positionalsMin: 1,
  positionalsMax: 1,
  run: verify,
};

async function verify(line: CommandLine): Promise<number> {
  const [path = ""] = line.positionals;
  const isJson = line.flag("json");
  const { disk, holder } = openDirectory(path);
  if (holder > 0 && !isJson) {
    writeOut(`process ${holder} is running on ${path}: the end of its log may move meanwhile\n`);
  }
  const reports = new Map<string, VerificationReport>();
  for (const folder of FOLDERS) {
    if (disk.exists(folder)) reports.set(folder, verifyFolder(path, disk, folder, !isJson));
  }
  const faults = manifestFaults(path, disk, !isJson);
  let damaged = faults.length;
  for (const report of reports.values()) damaged += report.damaged;
  if (isJson) writeOut(`${JSON.stringify(jsonOf(path, holder, damaged, reports, faults))}\n`);
  else writeOut(textOf(damaged, reports, faults));
  return damaged === 0 ? DONE : FAILED;
}

function openDirectory(path: string): ReadableDirectory {
  let directory: ReadableDirectory;
  try {
    directory = readDataDirectory(path);
  } catch (error) {
    if (error instanceof DiskError) throw unreadable(path, error.message);
    throw error;
  }
  if (FOLDERS.some((folder) => directory.disk.exists(folder))) return directory;
  throw unreadable(path, `it has neither ${FOLDERS.join("/ nor ")}/, want a node's data directory`);
}

function unreadable(path: string, why: string): CommandFailure {
  return new CommandFailure(CANNOT_READ, `Cannot verify ${path}: ${why}`);
}

function verifyFolder(
  path: string,
  disk: ReadableDirectory["disk"],
  folder: string,
  isShown: boolean,
): VerificationReport {
  const progress = new Progress(folder, isShown);
  try {
    const verification = new LogVerification(disk, folder);
    try {
      while (verification.step()) progress.update(verification.bytesDone, verification.bytesTotal);
      return verification.report;
    } finally {
      verification.close();
      progress.end();
    }
  } catch (error) {
    const isKnown = error instanceof DiskError || error instanceof NewerFormatError;
    throw isKnown ? unreadable(`${path}/${folder}`, error.message) : error;
  }
}

/** What a backup's files are not of what its manifest says; none where there is no manifest. */
function manifestFaults(path: string, disk: ReadableDirectory["disk"], isShown: boolean): string[] {
  const faults: string[] = [];
  const progress = new Progress("manifest", isShown);
  try {
    const files = readManifest(disk)?.files ?? [];
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    for (const file of files) {
      const fault = fileFault(disk, file, (count) => progress.update(done += count, total));
      if (fault !== "") faults.push(fault);
    }
    return faults;
  } catch (error) {
    if (error instanceof DiskError) throw unreadable(path, error.message);
    throw error;
  } finally {
    progress.end();
  }
}

/** What is wrong with a file of a backup; "" for a sound one. @throws DiskError */
function fileFault(
  disk: ReadableDirectory["disk"],
  { path, bytes, checksum }: BackupFile,
  done: (count: number) => void,
): string {
  if (!disk.exists(path)) return `${path} is missing`;
  const file = disk.open(path);
  try {
    if (file.size() < bytes) return `${path} has ${file.size()} bytes, wanted are ${bytes}`;
    const found = checksumOf(file, bytes, done);
    return found === checksum ? "" : `${path} fails the checksum that the manifest has of it`;
  } finally {
    file.close();
  }
}

function textOf(
  damaged: number,
  reports: ReadonlyMap<string, VerificationReport>,
  faults: readonly string[],
): string {
  const header = ["", "segments", "records", "bytes", "live", "dead", "damaged", "unsynced tail"];
  const rows = [...reports].map(([folder, report]) => [
    folder,
    String(report.segments),
    String(report.records),
    bytesText(report.bytes),
    String(report.liveObjects),
    String(report.deadObjects),
    String(report.damaged),
    bytesText(report.tailBytes),
  ]);
  let text = formatTable([header, ...rows]);
  for (const [folder, report] of reports) {
    for (const place of report.damages) text += `${placeText(folder, place)}\n`;
    const unlisted = report.damaged - report.damages.length;
    if (unlisted > 0) text += `${folder}: ${unlisted} more damaged places are not listed\n`;
  }
  for (const fault of faults) text += `manifest: ${fault}\n`;
  return text + (damaged === 0 ? "sound\n" : `damaged: ${damaged}\n`);
}

/** "objects 00000001:4711, 312 bytes, cart/user-17 (live): its payload fails its checksum" */
function placeText(folder: string, place: DamagedPlace): string {
  const { segment, offset, bytes, what, hits } = place;
  const file = String(segment).padStart(8, "0");
  const name = nameText(folder, place) ?? "name unknown";
  return `${folder} ${file}:${offset}, ${bytes} bytes, ${name} (${hits}): ${what}`;
}

/** As in a path; a hint's owner before it. */
function nameText(folder: string, { name }: DamagedPlace): string | null {
  if (name === null) return null;
  const isHint = folder === "hints";
  const bytes = isHint ? name.subarray(OWNER_BYTES) : name;
  const slash = bytes.indexOf(0x2f);
  const text = `${encodePath(bytes.subarray(0, slash))}/${encodePath(bytes.subarray(slash + 1))}`;
  return isHint ? `${text} for ${toHex(name, 0, OWNER_BYTES)}` : text;
}

function jsonOf(
  path: string,
  holder: number,
  damaged: number,
  reports: ReadonlyMap<string, VerificationReport>,
  faults: readonly string[],
): object {
  const folders = [...reports].map(([folder, report]) => {
    const damages = report.damages.map((place) => ({ ...place, name: nameText(folder, place) }));
    return [folder, { ...report, damages }] as const;
  });
  const logs = Object.fromEntries(folders);
  return { directory: path, runningProcess: holder, damaged, manifest: faults, ...logs };
}
