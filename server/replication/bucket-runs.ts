/**
 * One replica's side of a listing: a run of its entries of a bucket, a little at a time.
 *
 *   index, one bucket's tag ─► some 32 entries ─► name and head of each ─► run      (one step)
 *          └───────────── the next step at the end of this turn ◄──────────┘
 *
 * A step reads what it has found before it returns, so no write comes between; requests come between
 * steps, and while they do, the next step waits a little longer: one listing asks for as many records as
 * a hundred gets, and all nodes of a machine share its cores. (bench/listing.ts, a million keys, three nodes on
 * two cores: p99 of the puts beside a listing 6.7 times what it is without when no step waits, 2.3 times
 * at 2 ms and 1.0 at 4 ms; 88,000 keys a second alone, 31,000 beside puts.) An answer is bounded by entries, bytes, slots of the index passed and time: `through` says how far it
 * is whole, and who asked goes on from there. A damaged record ends the run before it and is repaired:
 * whose name cannot be read is never left out in silence.
 *
 * A partition counts as complete only if it was when the run began and still is when it ends: what is
 * fetched from other replicas meanwhile may lie where the run has passed.
 */

import {
  type BucketRun,
  encodeRun,
  type RunEntry,
  runEntryLength,
  shownUntilMs,
} from "../../core/bucket-run.ts";
import {
  BUCKET_BYTES_MAX,
  KEY_BYTES_MAX,
  LIST_HEADS_BYTES_MAX,
  LIST_HEADS_MAX,
  RUN_BYTES_MAX,
  RUN_ENTRIES_MAX,
  RUN_MS_MAX,
  RUN_SLICES_MAX,
} from "../../core/limits.ts";
import { bucketTag, checkName, ObjectName } from "../../core/object-name.ts";
import { partitionOf } from "../../core/ring.ts";
import {
  comparePlaces,
  lastPlaceOf,
  orderOf,
  PLACE_BYTES,
  readPlace,
  type RingPlace,
} from "../../core/ring-place.ts";
import type { Engine, IndexEntry } from "../../storage/engine.ts";
import type { Clock } from "../ports/clock.ts";
import type { PeerIdentity, Peers } from "../wire/peers.ts";
import { isWords } from "./comparison.ts";

/** Records that one step reads, and those that share the last one's place in the index. */
const STEP_ENTRIES = 32;
/** Heads that are read for one answer, shown or not: entries of other buckets, or without the prefix. */
const READS_MAX = 8 * RUN_ENTRIES_MAX;
/** Between steps while requests are served, and how long after the last one they still are. */
const YIELD_MS = 4;
const SERVED_MS = 100;
const WORD_MAX = 0xffffffff;
const SLASH = 0x2f;

export const LIST_BUCKET = "list-bucket";
export const LIST_HEADS = "list-heads";

/** Entries of a bucket behind `after`, with first position words in [from, to]. */
export interface RunQuestion {
  readonly bucket: Uint8Array;
  readonly prefix: Uint8Array;
  readonly after: RingPlace | null;
  readonly from: number;
  readonly to: number;
  readonly entriesMax: number;
}

export interface BucketRunsHost {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly partitionBits: number;
  /** Why a question asked under a layout is not answered; "": it is. */
  refusal(layout: number): string;
  isCompletePrimary(partition: number): boolean;
  /** Requests for single objects that this node has been given so far. */
  served(): number;
  /** A record was met that cannot be read. */
  repair(entry: IndexEntry): void;
}

/** Takes the run, or null and one sentence. */
export type RunDone = (run: BucketRun | null, error: string) => void;

export class BucketRuns {
  readonly #host: BucketRunsHost;
  readonly #pace: Pace;

  constructor(host: BucketRunsHost) {
    this.#host = host;
    this.#pace = new Pace(host);
  }

  /** Registers the two messages. */
  serve(peers: Peers): void {
    peers.onMessage(LIST_BUCKET, (body, from, reply, refuse) => {
      const [layout, question] = readQuestion(body);
      const refusal = question === null ? "it is malformed" : this.#refusal(layout, from);
      if (question === null || refusal !== "") return refuse(`list-bucket is refused: ${refusal}`);
      return this.run(question, (run, error) => {
        if (run === null) refuse(error);
        else reply(encodeRun(run));
      });
    });
    peers.onMessage(LIST_HEADS, (body, from, reply, refuse) => {
      const [layout, names] = readNames(body);
      const refusal = names === null ? "it is malformed" : this.#refusal(layout, from);
      if (names === null || refusal !== "") return refuse(`list-heads is refused: ${refusal}`);
      const heads = this.heads(names);
      return heads === null ? refuse("an object cannot be read") : reply(heads);
    });
  }

  #refusal(layout: number, from: PeerIdentity): string {
    return from.role === "peer" ? this.#host.refusal(layout) : "only members list";
  }

  run(question: RunQuestion, done: RunDone): void {
    new Run(this.#host, this.#pace, question, done).step();
  }

  /**
   * The heads that are held under names, null where nothing is: of the first names, as many as an answer
   * has room for, one at least. Null: one of them cannot be read.
   */
  heads(names: readonly ObjectName[]): (Uint8Array | null)[] | null {
    const heads: (Uint8Array | null)[] = [];
    let bytes = 0;
    for (const name of names) {
      if (bytes >= LIST_HEADS_BYTES_MAX) break;
      const outcome = this.#host.engine.readHead(name);
      if (outcome.status !== "found" && outcome.status !== "absent") return null;
      const head = outcome.status === "found" ? outcome.set.head : null;
      bytes += head?.length ?? 0;
      heads.push(head);
    }
    return heads;
  }
}

/** Says when the next step of a run may be taken. */
class Pace {
  readonly #host: BucketRunsHost;
  #served = 0;
  #servedMs = -Infinity;

  constructor(host: BucketRunsHost) {
    this.#host = host;
  }

  after(step: () => void): void {
    const { clock } = this.#host;
    const served = this.#host.served();
    if (served !== this.#served) this.#servedMs = clock.elapsedMs();
    this.#served = served;
    if (clock.elapsedMs() - this.#servedMs < SERVED_MS) clock.after(YIELD_MS, step);
    else clock.soon(step);
  }
}

class Run {
  readonly #host: BucketRunsHost;
  readonly #pace: Pace;
  readonly #question: RunQuestion;
  readonly #done: RunDone;
  readonly #tag: number;
  readonly #complete: Uint8Array;
  readonly #partitions: number;
  readonly #entries: RunEntry[] = [];
  /** Everything up to here has been visited. */
  #through: RingPlace | null;
  #from: number;
  readonly #endsMs: number;
  #bytes = 0;
  #reads = 0;
  #slices = 0;
  #isEnded = false;

  constructor(host: BucketRunsHost, pace: Pace, question: RunQuestion, done: RunDone) {
    const { from, to, after, bucket } = question;
    this.#host = host;
    this.#pace = pace;
    this.#question = question;
    this.#done = done;
    this.#tag = bucketTag(bucket);
    this.#partitions = partitionOf(to, host.partitionBits) - partitionOf(from, host.partitionBits) + 1;
    this.#complete = new Uint8Array(Math.ceil(this.#partitions / 8)).fill(255);
    this.#through = after;
    this.#from = from;
    this.#endsMs = host.clock.elapsedMs() + RUN_MS_MAX;
    this.#keepComplete();
  }

  step(): void {
    const found: IndexEntry[] = [];
    const { to, entriesMax } = this.#question;
    const most = Math.min(STEP_ENTRIES, Math.max(1, entriesMax - this.#entries.length));
    const next = this.#host.engine.scanBucket(this.#tag, this.#from, to, (entry) => {
      const last = found[found.length - 1];
      if (found.length >= most && !isOneKey(last, entry)) return false;
      if (!isPassed(entry, this.#through)) found.push({ ...entry });
      return true;
    });
    this.#from = next;
    this.#read(found);
    if (this.#isEnded) return;
    if (found.length < most) this.#slices++;
    if (next > to) return this.#end(lastPlaceOf(to));
    // A scan that stopped between entries has passed all of the ring before the next word.
    if (found.length < most && next > 0) this.#through = lastPlaceOf(next - 1);
    if (this.#isEnough(entriesMax) && this.#through !== null) return this.#end(this.#through);
    return this.#pace.after(() => this.step());
  }

  #isEnough(entriesMax: number): boolean {
    if (this.#entries.length >= entriesMax || this.#bytes >= RUN_BYTES_MAX) return true;
    if (this.#reads >= READS_MAX || this.#slices >= RUN_SLICES_MAX) return true;
    return this.#host.clock.elapsedMs() >= this.#endsMs;
  }

  /** Reads what the index has shown, in the same turn. */
  #read(found: readonly IndexEntry[]): void {
    const read: RunEntry[] = [];
    for (let index = 0; index < found.length; index++) {
      const entry = found[index];
      const outcome = this.#host.engine.readEntryHead(entry);
      this.#reads++;
      if (outcome.status === "damaged" || outcome.status === "failed") {
        if (outcome.status === "damaged") this.#host.repair(entry);
        return this.#stopBefore(entry, read, outcome.detail);
      }
      if (index > 0 && !isOneKey(found[index - 1], entry)) this.#take(read.splice(0));
      if (outcome.status === "found") this.#show(entry, outcome.name, outcome.head, read);
    }
    this.#take(read);
    const last = found[found.length - 1];
    if (last !== undefined) this.#through = { ...lastPlaceOf(last.position0), ...keyOf(last) };
  }

  /** Adds an entry to those that were read, if the listing is about it. */
  #show(entry: IndexEntry, name: Uint8Array, head: Uint8Array, read: RunEntry[]): void {
    const { bucket, prefix, after } = this.#question;
    const keyStart = bucket.length + 1;
    if (name[bucket.length] !== SLASH || !startsWith(name, 0, bucket)) return;
    if (!startsWith(name, keyStart, prefix)) return;
    const place = { ...keyOf(entry), order: orderOf(name) };
    if (after !== null && comparePlaces(place, after) <= 0) return;
    const { digest0, digest1 } = entry;
    read.push({ place, digest0, digest1, untilMs: shownUntilMs(head), key: name.subarray(keyStart) });
  }

  /** Takes entries that share position and tag, in the order of their places. */
  #take(read: RunEntry[]): void {
    if (read.length > 1) read.sort((left, right) => comparePlaces(left.place, right.place));
    for (const entry of read) {
      this.#entries.push(entry);
      this.#bytes += runEntryLength(entry.key.length);
    }
  }

  #stopBefore(entry: IndexEntry, read: readonly RunEntry[], detail: string): void {
    this.#isEnded = true;
    const before = placeBefore(entry);
    const { after } = this.#question;
    const isProgress = before !== null && (after === null || comparePlaces(before, after) > 0);
    this.#take(read.filter(({ place }) => before !== null && comparePlaces(place, before) <= 0));
    if (isProgress) this.#end(before);
    else this.#done(null, `An object of the bucket cannot be read: ${detail}`);
  }

  #end(through: RingPlace): void {
    this.#isEnded = true;
    this.#keepComplete();
    const entries = this.#entries;
    this.#done({ entries, through, complete: this.#complete, partitions: this.#partitions }, "");
  }

  #keepComplete(): void {
    const first = partitionOf(this.#question.from, this.#host.partitionBits);
    for (let index = 0; index < this.#partitions; index++) {
      if (this.#host.isCompletePrimary(first + index)) continue;
      this.#complete[index >> 3] &= ~(1 << (index & 7));
    }
  }
}

function keyOf({ position0, position1, tag }: IndexEntry): Omit<RingPlace, "order"> {
  return { position0, position1, tag };
}

function isOneKey(left: IndexEntry | undefined, right: IndexEntry): boolean {
  return left !== undefined && left.position0 === right.position0 &&
    left.position1 === right.position1 && left.tag === right.tag;
}

/** Whether all names with an entry's position and tag lie before a place, or at it. */
function isPassed(entry: IndexEntry, through: RingPlace | null): boolean {
  return through !== null && comparePlaces({ ...keyOf(entry), order: WORD_MAX }, through) <= 0;
}

/** The last place before all names with an entry's position and tag; null: there is none. */
function placeBefore({ position0, position1, tag }: IndexEntry): RingPlace | null {
  if (tag > 0) return { position0, position1, tag: tag - 1, order: WORD_MAX };
  if (position1 > 0) return { position0, position1: position1 - 1, tag: WORD_MAX, order: WORD_MAX };
  return position0 > 0 ? lastPlaceOf(position0 - 1) : null;
}

function startsWith(bytes: Uint8Array, at: number, start: Uint8Array): boolean {
  if (bytes.length - at < start.length) return false;
  for (let index = 0; index < start.length; index++) {
    if (bytes[at + index] !== start[index]) return false;
  }
  return true;
}

/** The body of a list-bucket. */
export function questionBody(layout: number, question: RunQuestion, after: Uint8Array | null): unknown {
  const { bucket, prefix, from, to, entriesMax } = question;
  return [[layout, from, to, entriesMax], bucket, prefix, after];
}

function readQuestion(body: unknown): readonly [layout: number, question: RunQuestion | null] {
  const nothing = [0, null] as const;
  if (!Array.isArray(body) || body.length !== 4) return nothing;
  const [words, bucket, prefix, place] = body as [unknown, unknown, unknown, unknown];
  if (!isWords(words, 4) || !isBytes(bucket, BUCKET_BYTES_MAX) || !isBytes(prefix, KEY_BYTES_MAX)) {
    return nothing;
  }
  if (place !== null && (!isBytes(place, PLACE_BYTES) || place.length < PLACE_BYTES)) return nothing;
  const [layout, from, to, most] = words;
  if (bucket.length === 0 || from > to || most === 0) return nothing;
  const after = place === null ? null : readPlace(place, 0);
  const entriesMax = Math.min(most, RUN_ENTRIES_MAX);
  return [layout, { bucket, prefix, after, from, to, entriesMax }];
}

function readNames(body: unknown): readonly [layout: number, names: ObjectName[] | null] {
  if (!Array.isArray(body) || body.length !== 2) return [0, null];
  const [layout, names] = body as [unknown, unknown];
  if (!isWords([layout], 1) || !Array.isArray(names)) return [0, null];
  if (names.length === 0 || names.length > LIST_HEADS_MAX) return [0, null];
  const isName = (name: unknown): name is Uint8Array => name instanceof Uint8Array && checkName(name) === "";
  if (!names.every(isName)) return [0, null];
  return [Number(layout), names.map((name) => new ObjectName(name))];
}

function isBytes(value: unknown, most: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= most;
}
