/**
 * What the only writer of a key knows of it: the values that must be there, and those that may be.
 *
 *   live    acknowledged, and no acknowledged write has superseded it        ─► must be shown
 *   open    a write with an unknown outcome: in flight when a process died   ─► may be shown, and
 *           what it supersedes may be missing if it is shown (a delete: any time)
 *   else    refused, superseded, deleted, of another key, never written      ─► must not be shown
 *
 * What a write supersedes is what its context was shown, and what those had superseded in turn. Since a
 * key has one writer that waits for each answer, that is all there is to know (a must/may oracle, after
 * Riak's ec_eqc).
 */

/** One write. A delete has no value: `length` is -1. */
export interface Write {
  readonly id: number;
  readonly length: number;
  /** The values that it supersedes. */
  readonly covers: readonly number[];
  /** A delete of what it finds, whatever that is. */
  readonly isBlind: boolean;
}

export const DELETE_LENGTH = -1;

export class KnownKey {
  readonly path: string;
  /** The last context that the writer was given, and the values that it covers. */
  context = "";
  shown: readonly number[] = [];
  /** Whether something was written since the key was last verified. */
  isTouched = false;
  readonly #live = new Map<number, Write>();
  readonly #open = new Map<number, Write>();

  constructor(path: string) {
    this.path = path;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** How long a value is that may be shown; -1 where it may not. */
  lengthOf(id: number): number {
    return (this.#live.get(id) ?? this.#open.get(id))?.length ?? DELETE_LENGTH;
  }

  /** A write begins. @param covers null: a delete without a context, of all that is there */
  begin(id: number, length: number, covers: readonly number[] | null): Write {
    this.isTouched = true;
    const all = [...this.#live.keys(), ...this.#open.keys()];
    const covered = covers === null ? all : all.filter((other) => covers.includes(other));
    const write = { id, length, covers: covered, isBlind: covers === null };
    this.#open.set(id, write);
    return write;
  }

  /** It was acknowledged. */
  acknowledged(write: Write, context: string): void {
    this.#apply(write);
    if (write.length !== DELETE_LENGTH) this.#live.set(write.id, write);
    this.context = context;
    this.shown = write.length === DELETE_LENGTH ? write.covers : [...write.covers, write.id];
  }

  /** It was refused: nothing was written, and never will be. */
  refused(write: Write): void {
    this.#open.delete(write.id);
  }

  /**
   * Judges the values that a read has shown; "" or what is wrong.
   * @param isFinal whether no write of an unknown outcome can come true later than this
   */
  judge(ids: readonly number[], context: string, isFinal: boolean): string {
    const nowhere = ids.find((id) => !this.#live.has(id) && !this.#open.has(id));
    if (nowhere !== undefined) return `shows value ${nowhere}, which is not there any more, or never was`;
    if (new Set(ids).size < ids.length) return `shows a value twice: ${ids.join(", ")}`;
    const lost = [...this.#live.keys()].find((id) => !ids.includes(id) && !this.#mayBeGone(id, ids));
    if (lost !== undefined) return `has lost value ${lost}, shows ${ids.join(", ") || "nothing"}`;
    this.shown = this.#covered(ids);
    this.context = context;
    if (isFinal) this.#settle(ids);
    return "";
  }

  /** A write has happened: what it covers is gone for good. */
  #apply(write: Write): void {
    this.#open.delete(write.id);
    for (const id of write.covers) {
      this.#live.delete(id);
      // What was open when a blind delete looked may not have been there yet.
      if (!write.isBlind) this.#open.delete(id);
    }
  }

  /** Whether an open write explains that an acknowledged value is missing. */
  #mayBeGone(id: number, ids: readonly number[]): boolean {
    for (const write of this.#open.values()) {
      if (!write.covers.includes(id)) continue;
      const isIn = write.length === DELETE_LENGTH || ids.includes(write.id);
      if (isIn || this.#mayBeGone(write.id, ids)) return true;
    }
    return false;
  }

  /** What a context covers that came with these values: them, and what open ones had superseded. */
  #covered(ids: readonly number[]): number[] {
    const covered = new Set(ids);
    for (const id of ids) for (const other of this.#open.get(id)?.covers ?? []) covered.add(other);
    return [...covered];
  }

  /** Open writes that are seen have happened; the others never will. */
  #settle(ids: readonly number[]): void {
    for (const id of [...this.#live.keys()]) if (!ids.includes(id)) this.#live.delete(id);
    for (const id of ids) {
      const write = this.#open.get(id);
      if (write !== undefined) this.#live.set(id, write);
    }
    this.#open.clear();
  }
}
