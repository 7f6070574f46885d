/**
 * One partition on its way here: chunk after chunk from one owner that has all of it, joined as they come.
 *
 *   ask for a chunk ─► check, join ─► entries that were left out, one by one ─► the lane (admission) ─► ask …
 *                          └ every 64 chunks: sync, then the cursor is worth being kept
 *
 * All of it is joins, so a chunk may come twice, late or beside any other write. The transfer ends where the
 * partition does; a comparison with the same owner proves that nothing is missing (anti-entropy.ts).
 */

import { crc32c } from "../../core/crc32c.ts";
import { STATUS_DONE, STATUS_FULL } from "../../core/replica-frames.ts";
import { STALL_MS_MAX } from "../../core/limits.ts";
import type { WriteLabels } from "../../storage/engine.ts";
import type { Member } from "../membership/member.ts";
import type { Timer } from "../ports/clock.ts";
import { isWords } from "./comparison.ts";
import type { ReplicationHost } from "./host.ts";
import type { LocalCopy } from "./local-copy.ts";
import { type Cursor, type NamedSet, unpack } from "./transfer-chunk.ts";

const CHUNK_TIMEOUT_MS = 10_000;
/** What an object costs beside its bytes, in the currency of the lane. */
const OBJECT_COST = 1_024;
const CHUNKS_PER_SYNC = 64;
const ENTRY_WORDS = 5;

/** A chunk as it was answered. */
interface Chunk {
  readonly sets: readonly NamedSet[];
  readonly bytes: number;
  readonly next: Cursor | null;
  /** Entries that were left out, five words each. */
  readonly leftOut: readonly number[];
}

export class Transfer {
  readonly peer: Member;
  readonly partition: number;
  /** Entries that have come, of about so many; bytes that have come. */
  entries = 0;
  readonly of: number;
  bytes = 0;
  readonly #host: ReplicationHost;
  readonly #copy: LocalCopy;
  readonly #onCheckpoint: (cursor: Cursor) => void;
  readonly #done: (problem: string) => void;
  #cursor: Cursor;
  #chunks = 0;
  #timer: Timer | null = null;
  #isOver = false;

  /**
   * @param cursor where to begin
   * @param of entries that the peer has of the partition
   * @param onCheckpoint told when all up to a cursor is durable
   * @param done told once: "" when all has come, else why it ends here
   */
  constructor(
    host: ReplicationHost,
    copy: LocalCopy,
    peer: Member,
    partition: number,
    cursor: Cursor,
    of: number,
    onCheckpoint: (cursor: Cursor) => void,
    done: (problem: string) => void,
  ) {
    this.#onCheckpoint = onCheckpoint;
    this.#host = host;
    this.#copy = copy;
    this.peer = peer;
    this.partition = partition;
    this.#cursor = cursor;
    this.of = of;
    this.#done = done;
  }

  /** Begins when the lane is free. */
  start(): void {
    this.#later(0);
  }

  /** Ends it without a word. */
  abandon(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #later(cost: number): void {
    this.#timer = this.#host.background.after("transfer", cost, () => this.#ask());
  }

  #end(problem: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(problem);
  }

  #ask(): void {
    const { peer } = this.peer;
    if (peer === null) return this.#end(`${this.peer.name} is not connected`);
    const { position0, position1, tag } = this.#cursor;
    const question = [this.partition, position0, position1, tag];
    const labels = this.#host.labelsIn(this.partition);
    return peer.call("transfer-chunk", question, CHUNK_TIMEOUT_MS, (answer, error) => {
      if (this.#isOver) return;
      if (error !== "") return this.#end(`${this.peer.name}: ${error}`);
      const chunk = readChunk(answer);
      if (chunk === null) this.#end(`${this.peer.name} sent a chunk that fails its checksum, or is none`);
      else this.#take(chunk, labels);
    });
  }

  #take(chunk: Chunk, labels: WriteLabels): void {
    const { counters } = this.#host;
    for (const { name, set } of chunk.sets) {
      const change = this.#copy.join(name, set, labels);
      if (change.status === STATUS_FULL) return this.#end(`there is no room here: ${change.detail}`);
      if (change.status !== STATUS_DONE) return this.#end(`it cannot be stored here: ${change.detail}`);
      if (change.isChanged) counters.transferredObjects++;
    }
    this.entries += chunk.sets.length + chunk.leftOut.length / ENTRY_WORDS;
    this.bytes += chunk.bytes;
    counters.transferredBytes += chunk.bytes;
    return this.#haveSent([...chunk.leftOut], () => this.#taken(chunk));
  }

  /** Has entries sent that do not go into a chunk, one after the other. */
  #haveSent(left: number[], done: () => void): void {
    const words = left.splice(0, ENTRY_WORDS);
    if (words.length === 0 || this.#isOver) return done();
    const { peer } = this.peer;
    if (peer === null) return this.#end(`${this.peer.name} is not connected`);
    // Not told whether it came: the comparison at the end will find what did not.
    return peer.call("repair-entry", words, STALL_MS_MAX, () => this.#haveSent(left, done));
  }

  #taken({ sets, bytes, next }: Chunk): void {
    if (this.#isOver) return;
    this.#chunks++;
    if (next === null) return this.#synced(() => this.#end(""));
    this.#cursor = next;
    const cost = bytes + sets.length * OBJECT_COST;
    if (this.#chunks % CHUNKS_PER_SYNC !== 0) return this.#later(cost);
    return this.#synced(() => {
      this.#onCheckpoint(next);
      this.#later(cost);
    });
  }

  #synced(done: () => void): void {
    this.#copy.engine.sync((isDurable) => {
      if (this.#isOver) return;
      if (isDurable) done();
      else this.#end("what has come cannot be synced here");
    });
  }
}

/** A chunk from an answer; null where it is none, or its checksum is wrong. */
function readChunk(answer: unknown): Chunk | null {
  if (!Array.isArray(answer) || answer.length !== 4) return null;
  const [bytes, checksum, next, leftOut] = answer as [unknown, unknown, unknown, unknown];
  if (!(bytes instanceof Uint8Array) || crc32c(bytes, 0, bytes.length) !== checksum) return null;
  if (!isWords(leftOut, -1) || leftOut.length % ENTRY_WORDS !== 0) return null;
  if (next !== null && !isWords(next, 3)) return null;
  const sets = unpack(bytes);
  if (sets === null) return null;
  const [position0 = 0, position1 = 0, tag = 0] = next ?? [];
  return { sets, bytes: bytes.length, next: next === null ? null : { position0, position1, tag }, leftOut };
}
