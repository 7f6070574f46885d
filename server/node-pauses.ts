/**
 * Which kinds of work an administrator has paused, kept across restarts: one small file (membership/state-file).
 *
 *   pauses.cbor   { paused: ["compaction", …] }
 *
 * ***What was paused rests until it is resumed***: it is on disk before the order counts, and read before the stores
 * open, so that not one step is taken. A file that cannot be read pauses nothing and is told of: a store that
 * takes no request would be worse than one that works in the background.
 */

import { type Disk, DiskError } from "../storage/disk.ts";
import { Fields, MalformedDocument } from "./membership/document.ts";
import { loadDocument, saveDocument } from "./membership/state-file.ts";
import { type Background, BACKGROUND_KINDS, type BackgroundKind } from "./admission/background.ts";

export const PAUSES_FILE = "pauses.cbor";
const KINDS_MAX = 64;

export class NodePauses {
  readonly #disk: Disk;
  readonly #background: Background;

  constructor(disk: Disk, background: Background) {
    this.#disk = disk;
    this.#background = background;
  }

  /** Pauses what was paused when the node last ran; "" or why that is not known. */
  restore(): string {
    try {
      for (const kind of this.#load()) this.#background.pause(kind);
      return "";
    } catch (error) {
      if (error instanceof DiskError || error instanceof MalformedDocument) return error.message;
      throw error;
    }
  }

  /** Pauses a kind, or lets it go on, for good; "" or why nothing has changed. */
  set(kind: BackgroundKind, isPaused: boolean): string {
    const paused = BACKGROUND_KINDS.filter((known) => {
      return known === kind ? isPaused : this.#background.isPaused(known);
    });
    try {
      saveDocument(this.#disk, PAUSES_FILE, { paused });
    } catch (error) {
      if (error instanceof DiskError) return error.message;
      throw error;
    }
    if (isPaused) this.#background.pause(kind);
    else this.#background.resume(kind);
    return "";
  }

  /** Kinds that this version does not know are left out. @throws DiskError, MalformedDocument */
  #load(): BackgroundKind[] {
    const document = loadDocument(this.#disk, PAUSES_FILE);
    if (document === null) return [];
    const paused = new Fields(document).list("paused", KINDS_MAX);
    return BACKGROUND_KINDS.filter((kind) => paused.includes(kind));
  }
}
