/**
 * halo restore BACKUP --into URL: the objects of a backup, given to a running cluster of any size.
 *
 *   every checksum read ─► live objects and hints ─► POST /cluster/restore ─► all owners, synced
 *
 * Each set goes as the finished state that it is, with its old dots: the cluster's nodes make their own
 * by actors of their own. Several backups, of all nodes of the lost cluster, go one after the other, in
 * any order: what they share is joined, and the newest of it stays. What replaced or deleted an object
 * is in the state; what a log has replaced is not sent. What the cluster may have deleted since, and forgotten that
 * it did, is left out and counted.
 */

import { versionCount } from "../../core/version-set.ts";
import { singleVersion } from "../../core/version-sync.ts";

import type { Disk } from "../../storage/disk.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { LogVerification } from "../../storage/log/verification.ts";
import { concatenate } from "../http/bytes.ts";
import { ANY_ROUND, RESTORE_BODY_BYTES, type RestoreAnswer } from "../http/restore.ts";
import { packState } from "../http/state-list.ts";
import { lengthOf, type Piece, streamOf } from "../http/value-stream.ts";
import { systemClock } from "../ports/clock.ts";
import type { Api } from "./api.ts";
import { CommandFailure, FAILED } from "./exit-code.ts";
import { Progress } from "./progress.ts";

/** In the hint store, a name has the owner's id before it. */
const OWNER_BYTES = 8;
const STATES_MAX = 256;
const ATTEMPTS = 5;
const AGAIN_MS = 1_000;

export interface RestoredCount {
  objects: number;
  hints: number;
  /** Those of both that may have been deleted since, and were left out. */
  outdated: number;
  /** Objects of the backup that are damaged there. */
  damaged: number;
}

/**
 * Gives all of a backup to the cluster. @throws CommandFailure, DiskError, NewerFormatError
 * @param isOlder whether what this cluster may have deleted and forgotten since is given as well
 */
export async function restoreInto(
  api: Api,
  backup: Disk,
  isOlder: boolean,
  isShown: boolean,
): Promise<RestoredCount> {
  const feed = new Feed(api, isOlder);
  const objects = await restoreFolder(feed, backup, "objects", 0, isShown);
  const hints = await restoreFolder(feed, backup, "hints", OWNER_BYTES, isShown);
  const damaged = objects.damaged + hints.damaged;
  return { objects: objects.sets, hints: hints.sets, outdated: feed.outdated, damaged };
}

/** @param prefix bytes of each name that are not the object's */
async function restoreFolder(
  feed: Feed,
  backup: Disk,
  folder: string,
  prefix: number,
  isShown: boolean,
): Promise<{ sets: number; damaged: number }> {
  const verification = new LogVerification(backup, folder);
  const before = feed.bytes;
  const progress = new Progress(`restore ${folder}`, isShown);
  try {
    // Reading all and sending all: half of the way each.
    const { bytesTotal } = verification;
    while (verification.step()) progress.update(verification.bytesDone, 2 * bytesTotal);
    let sets = 0;
    for (const { name, set, round } of verification.objects()) {
      await feed.give(name.slice(prefix), set, round);
      sets++;
      const share = (feed.bytes - before) / Math.max(1, verification.liveBytes);
      progress.update(bytesTotal * (1 + Math.min(1, share)), 2 * bytesTotal);
    }
    await feed.flush();
    return { sets, damaged: verification.report.liveObjects - sets };
  } finally {
    verification.close();
    progress.end();
  }
}

/** States on their way to the cluster, as many together as fit. */
class Feed {
  bytes: number;
  /** States that were left out, since they may have been deleted. */
  outdated: number;
  readonly #api: Api;
  readonly #isOlder: boolean;
  #packed: Piece[][];
  #length: number;

  constructor(api: Api, isOlder: boolean) {
    this.bytes = 0;
    this.outdated = 0;
    this.#api = api;
    this.#isOlder = isOlder;
    this.#packed = [];
    this.#length = 0;
  }

  async give(name: Uint8Array, set: VersionSet, written: number): Promise<void> {
    const round = this.#isOlder ? ANY_ROUND : written;
    const count = versionCount(set.head, 0);
    const payloadBytes = set.payloads.reduce((sum, payload) => sum + (payload?.length ?? 0), 0);
    if (count < 2 || payloadBytes <= RESTORE_BODY_BYTES / 2) return this.#add(packState(name, set, round));
    // Version by version, and at last the head over them: each is an honest state (replication/delivery).
    for (let index = 0; index < count; index++) {
      const payload = set.payloads[index] ?? null;
      const single = { head: singleVersion(set.head, 0, index), payloads: [payload] };
      await this.#add(packState(name, single, round));
    }
    await this.flush();
    const head = { head: set.head, payloads: set.payloads.map(() => null) };
    await this.#add(packState(name, head, round));
    return this.flush();
  }

  async #add(state: Piece[]): Promise<void> {
    const length = lengthOf(state);
    if (this.#length + length > RESTORE_BODY_BYTES) await this.flush();
    this.#packed.push(state);
    this.#length += length;
    this.bytes += length;
    if (this.#packed.length === STATES_MAX) await this.flush();
  }

  /** Sends what is collected, again where an owner did not answer. @throws CommandFailure */
  async flush(): Promise<void> {
    if (this.#packed.length === 0) return;
    const pieces = this.#packed.flat();
    const headers = { "Content-Length": String(this.#length) };
    this.#packed = [];
    this.#length = 0;
    for (let attempt = 1;; attempt++) {
      const request = { method: "POST", target: "/cluster/restore", headers, body: bodyOf(pieces) };
      const { outdated, failed, detail } = await this.#api.json<RestoreAnswer>(request);
      if (failed === 0) this.outdated += outdated;
      if (failed === 0) return;
      if (attempt === ATTEMPTS) {
        const advice = "want all nodes up and another try: what is stored already does no harm";
        throw new CommandFailure(FAILED, `${failed} objects were not stored (${detail}), ${advice}`);
      }
      await new Promise<void>((resolve) => void systemClock.after(AGAIN_MS, () => resolve()));
    }
  }
}

/**
 * In one array, or where a value is large as a stream that reads the backup as the connection takes it.
 * @throws CommandFailure
 */
function bodyOf(pieces: readonly Piece[]): Uint8Array | ReadableStream<Uint8Array> {
  const held = pieces.filter((piece) => piece instanceof Uint8Array);
  if (held.length === pieces.length) return concatenate(held);
  try {
    return streamOf(pieces, (_, done) => done(null));
  } catch {
    // Every checksum was right when it was verified, a moment before.
    throw new CommandFailure(FAILED, "A value of the backup can no longer be read, want nothing that writes there meanwhile");
  }
}
