/**
 * halo backup and halo restore: a node's directory, copied while the node runs, and a directory made
 * of the copy again.
 *
 *   backup   DATA ─► BACKUP     beside the node (storage/log/log-backup says why that is enough)
 *   restore  BACKUP ─► DATA     every checksum checked; the files that make it a node come last
 *
 *   restore  BACKUP ─► a cluster   object by object (restore-into.ts)
 *
 * What is not taken along is what must not be: the actor, whose counters were issued (a restored store
 * draws a new one), and the marks of completeness (it is partial until it was compared with the others,
 * so that its "nothing" counts for nothing before).
 */

import { crc32c } from "../../core/crc32c.ts";
import { type Disk, DiskError, type DiskFile, readFile, replaceFile } from "../../storage/disk.ts";
import {
  type BackupManifest,
  MANIFEST_FILE,
  readManifest,
  writeManifest,
} from "../../storage/backup-manifest.ts";
import { ACTOR_FILE } from "../../storage/actor.ts";
import { type BackupFile, copyChecked, LogBackup } from "../../storage/log/log-backup.ts";
import { NewerFormatError } from "../../storage/log/segment-scan.ts";
import type { ClusterReport } from "../http/http-node.ts";
import { MalformedDocument } from "../membership/document.ts";
import { readStoredState, STATE_FILES } from "../membership/stored-state.ts";
import { systemClock } from "../ports/clock.ts";
import {
  type DataDirectory,
  hardLinks,
  openDataDirectory,
  readDataDirectory,
} from "../ports/disk.ts";
import { writeError, writeOut } from "../ports/process.ts";
import { apiOf, CA_OPTION, TOKEN_OPTION } from "./api.ts";
import { type Command, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, setting, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { bytesText, Progress } from "./progress.ts";
import { restoreInto } from "./restore-into.ts";
import { VERSION } from "./version.ts";

const FOLDERS = ["objects", "hints"];
const CHUNK_BYTES = 1 << 20;
/** What a manifest may name; it came from outside. */
const PATH = /^(?:(?:objects|hints)\/\d{8,}\.log|[a-z]+\.cbor)$/;
export const backupCommand: Command = {
  name: "backup",
  takes: "DIR",
  summary: "copy a node's data to DIR, while the node runs or not",
  examples: ["halo backup /backups/monday --data ./halo-data"],
  about: `Takes hard links of what never changes again where the file system can, and copies elsewhere.
The next backup to the same DIR takes only what is new. It holds all that was acknowledged before it
began. Links share their bytes with the node: a backup against a failing disk belongs on another one.
halo verify DIR checks it. Each node of a cluster needs a backup of its own.`,
  options: [
    setting("data", "DIR", "the node's data", "./halo-data"),
    JSON_OPTION,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: backup,
};

export const restoreCommand: Command = {
  name: "restore",
  takes: "BACKUP",
  summary: "make a node's data directory of a backup",
  examples: ["halo restore /backups/monday --data ./halo-data", "halo restore /backups/monday --into http://10.0.0.1:7070"],
  about: `The directory must be empty or absent. The node comes back as the one that it was, with a new
actor, and compares itself with the others before its "not found" counts. It is for a cluster that is
lost as a whole: restore each node, start them all. A single lost node needs no backup: start it empty
under its name and address, and the others fill it.

With --into, the backup's objects go to a running cluster instead, of any number of nodes: the backups
of all nodes of the old one, one after the other, in any order. All nodes must be up. Bucket properties
are not taken over.`,
  options: [
    setting("data", "DIR", "the directory to make", "./halo-data"),
    option("into", "URL", "a node of the cluster to give the objects to, by its HTTP address"),
    option("older", "", "with --into: also what the cluster may have deleted since and forgotten about"),
    TOKEN_OPTION,
    CA_OPTION,
    JSON_OPTION,
  ],
  positionalsMin: 1,
  positionalsMax: 1,
  run: restore,
};

async function backup(line: CommandLine): Promise<number> {
  const [to = ""] = line.positionals;
  const from = line.text("data");
  const isJson = line.flag("json");
  const sentence = `Cannot back up ${from} to ${to}`;
  return explained(sentence, async () => {
    const { disk: source } = readDataDirectory(from);
    if (!source.exists("objects")) {
      throw new CommandFailure(FAILED, `${sentence}: want a node's data directory in --data`);
    }
    const target = openDataDirectory(to);
    try {
      const log = takeBackup(source, target.disk, hardLinks(from, to), sentence, !isJson);
      const { linked, copied, unchanged, bytesTotal } = log;
      if (isJson) writeOut(`${JSON.stringify({ to, linked, copied, unchanged, bytes: bytesTotal })}\n`);
      else {
        const files = `${linked} segments linked, ${copied} copied, ${unchanged} unchanged`;
        writeOut(`${to}: ${bytesText(bytesTotal)} of records, ${files}\n`);
      }
      return DONE;
    } finally {
      target.release();
    }
  });
}

function takeBackup(
  source: Disk,
  target: Disk,
  link: (from: string, to: string) => boolean,
  sentence: string,
  isShown: boolean,
): LogBackup {
  const before = readManifest(target);
  if (before === null && target.exists(ACTOR_FILE)) {
    throw new CommandFailure(FAILED, `${sentence}: it is a node's data directory, want another`);
  }
  const previous = before?.files ?? [];
  const log = new LogBackup({ source, target, folders: FOLDERS, previous, link });
  const progress = new Progress("backup", isShown);
  for (const _ of log.run()) progress.update(log.bytesDone, log.bytesTotal);
  progress.end();
  // After the log: what the state speaks of may be newer than the data, never older.
  const state = STATE_FILES.flatMap((path) => copyState(source, target, path));
  const files = [...log.files, ...state];
  const taken = new Date(systemClock.nowMs()).toISOString();
  writeManifest(target, { program: `halo ${VERSION}`, taken, ...readStoredState(target), files });
  removeUnlisted(target, previous, files);
  return log;
}

function copyState(source: Disk, target: Disk, path: string): BackupFile[] {
  const bytes = readFile(source, path);
  if (bytes === null) return [];
  replaceFile(target, path, bytes);
  return [{ path, bytes: bytes.length, checksum: crc32c(bytes, 0, bytes.length) }];
}

/** Segments that compaction has taken away since the backup before. */
function removeUnlisted(
  target: Disk,
  previous: readonly BackupFile[],
  files: readonly BackupFile[],
): void {
  const listed = new Set(files.map(({ path }) => path));
  for (const { path } of previous) {
    if (!listed.has(path) && PATH.test(path) && target.exists(path)) target.remove(path);
  }
}

async function restore(line: CommandLine): Promise<number> {
  const [from = ""] = line.positionals;
  const to = line.text("data");
  const isJson = line.flag("json");
  if (line.has("into")) return restoreToCluster(line, from);
  const sentence = `Cannot restore ${from} to ${to}`;
  return explained(sentence, async () => {
    const { disk: source, manifest } = openBackup(from, sentence);
    const target = openDataDirectory(to);
    try {
      checkEmpty(target, sentence);
      const bytes = copyBack(source, target.disk, manifest, !isJson);
      const { node, cluster, taken } = manifest;
      if (isJson) writeOut(`${JSON.stringify({ to, node, cluster, taken, bytes })}\n`);
      else writeOut(`${to}: ${bytesText(bytes)}, node ${node} as of ${taken}, with a new actor\n`);
      return DONE;
    } finally {
      target.release();
    }
  });
}

async function restoreToCluster(line: CommandLine, from: string): Promise<number> {
  const into = line.text("into");
  if (line.has("data")) throw new UsageError("--data and --into are both given, want one of them");
  const api = apiOf(line, into);
  const isJson = line.flag("json");
  const sentence = `Cannot restore ${from} into ${into}`;
  return explained(sentence, async () => {
    const { disk, manifest } = openBackup(from, sentence);
    const { cluster } = await api.json<ClusterReport>({ method: "GET", target: "/cluster" });
    // Rounds of another cluster say nothing about this one.
    const isOlder = line.flag("older") || cluster !== manifest.cluster;
    const restored = await restoreInto(api, disk, isOlder, !isJson);
    const { objects, hints, outdated, damaged } = restored;
    const { node, taken } = manifest;
    if (isJson) writeOut(`${JSON.stringify({ into, node, taken, ...restored })}\n`);
    else writeOut(`${into}: ${objects} objects and ${hints} hints of node ${node} as of ${taken}\n`);
    if (outdated > 0 && !isJson) {
      writeError(`halo: ${outdated} of them may have been deleted since and were left out; --older gives them as well\n`);
    }
    if (damaged === 0) return DONE;
    const why = `${damaged} objects of it are damaged, want a backup of another replica as well`;
    throw new CommandFailure(FAILED, `${from} is restored, but ${why}`);
  });
}

function openBackup(path: string, sentence: string): { disk: Disk; manifest: BackupManifest } {
  const { disk } = readDataDirectory(path);
  const manifest = readManifest(disk);
  if (manifest !== null) return { disk, manifest };
  const why = `${path} has no ${MANIFEST_FILE}, want a directory that halo backup has made`;
  throw new CommandFailure(FAILED, `${sentence}: ${why}`);
}

function checkEmpty({ disk }: DataDirectory, sentence: string): void {
  const found = disk.list("").find((name) => !name.startsWith("lock."));
  if (found === undefined) return;
  throw new CommandFailure(FAILED, `${sentence}: there is ${found} already, want it empty`);
}

/** The bytes that were copied. @throws DiskError where one of them is not what was backed up */
function copyBack(
  source: Disk,
  target: Disk,
  manifest: BackupManifest,
  isShown: boolean,
): number {
  const progress = new Progress("restore", isShown);
  const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const folder of FOLDERS) target.makeFolder(folder);
  // The node's identity is the last file of the list: without it a broken restore is no node.
  for (const file of manifest.files) {
    copyFile(source, target, file, (count) => {
      done += count;
      progress.update(done, total);
    });
  }
  for (const folder of [...FOLDERS, ""]) target.syncFolder(folder);
  progress.end();
  return done;
}

function copyFile(
  source: Disk,
  target: Disk,
  { path, bytes, checksum }: BackupFile,
  done: (count: number) => void,
): void {
  if (!PATH.test(path)) throw new DiskError("EINVAL", `${MANIFEST_FILE} names '${path}'`);
  const from = source.open(path);
  let to: DiskFile | null = null;
  try {
    to = target.open(path, { create: true });
    const copying = copyChecked(from, to, bytes, new Uint8Array(CHUNK_BYTES), done);
    let step = copying.next();
    while (!step.done) step = copying.next();
    if (step.value !== checksum) {
      throw new DiskError("EIO", `${path} of the backup is damaged: its checksum does not match`);
    }
    to.syncNow();
  } finally {
    from.close();
    to?.close();
  }
}

/** Runs a command and says its failure as one sentence. @throws CommandFailure */
async function explained(sentence: string, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    const isKnown = error instanceof DiskError || error instanceof NewerFormatError ||
      error instanceof MalformedDocument;
    throw isKnown ? new CommandFailure(FAILED, `${sentence}: ${error.message}`) : error;
  }
}
