/**
 * Which writes have already been overwritten, by request id, for as long as a retry may come late.
 *
 * A client that got no answer sends its write again, perhaps through another node, which makes a second
 * version with the same request id: a *twin*. While both live, a merge makes them one. But if the first
 * was superseded meanwhile, the twin would come back as a sibling: an old value, returned from the dead.
 * So each replica remembers the ids of versions that it saw superseded, and treats a late twin as
 * superseded too.
 *
 *   slot   id 16 bytes │ payload checksum │ position word │ when
 *   set    4 slots; a new id takes an empty slot of its set, or the oldest
 *
 * Bounded: 65,536 slots, 2.1 MB. There are 256 at first, and twice as many whenever a set is full, so what
 * is remembered is the same as if all had been there from the start. Ids live as long as a retry may come
 * (REQUEST_ID_KEPT_MS) or until their set overflows, which takes hundreds of overwrites a second for
 * minutes; after that a late twin may show as a sibling again, it never hides a write. A restart remembers
 * by the log (request-history.ts).
 *
 * What is remembered under a name counts only while what superseded it is held under that name: where that
 * is given away, it is forgotten (hint-requests.ts, surplus.ts). A node that went on to drop such a write
 * from what it gets would keep a clock that covers it, without what took its place.
 */

import { REQUEST_ID_KEPT_MS } from "../../core/limits.ts";
import { readU32 } from "../../core/bytes.ts";
import { isRequestId } from "../../core/request-id.ts";

const SETS_MIN = 64;
const SETS_MAX = 16_384;
const WAYS = 4;
const WORDS = 6;
const TICKS = 2 ** 20;

export class SupersededRequests {
  #words = new Uint32Array(SETS_MIN * WAYS * WORDS);
  /** When, plus a fraction that rises with each: what is remembered at one time has an order, too. */
  #times = new Float64Array(SETS_MIN * WAYS);
  #sets = SETS_MIN;
  #ticks = 0;

  /**
   * Remembers the id at bytes[offset, offset + 16) of a version of the name at `position0`; whether
   * that is news.
   */
  remember(
    bytes: Uint8Array,
    offset: number,
    checksum: number,
    position0: number,
    elapsedMs: number,
  ): boolean {
    if (!isRequestId(bytes, offset)) return false;
    const isNews = !this.has(bytes, offset, checksum, position0, elapsedMs);
    const slot = this.#slotFor(bytes, offset, checksum, position0);
    const word = slot * WORDS;
    for (let index = 0; index < 4; index++) {
      this.#words[word + index] = readU32(bytes, offset + 4 * index);
    }
    this.#words[word + 4] = checksum;
    this.#words[word + 5] = position0;
    this.#ticks = (this.#ticks + 1) % TICKS;
    this.#times[slot] = elapsedMs + 1 + this.#ticks / TICKS;
    return isNews;
  }

  /**
   * The slot where this write is remembered already, or an empty one of its set, or once there can be no
   * more sets its oldest.
   */
  #slotFor(bytes: Uint8Array, offset: number, checksum: number, position0: number): number {
    for (;;) {
      const slot = this.#oldestFor(bytes, offset, checksum, position0);
      const isFree = this.#times[slot] === 0 || this.#matches(slot, bytes, offset, checksum, position0);
      if (isFree || this.#sets === SETS_MAX) return slot;
      this.#doubleSets();
    }
  }

  /** The slot where this write is remembered already, or else the oldest of its set. */
  #oldestFor(bytes: Uint8Array, offset: number, checksum: number, position0: number): number {
    const first = this.#setOf(bytes, offset) * WAYS;
    let oldest = first;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#matches(slot, bytes, offset, checksum, position0)) return slot;
      if (this.#times[slot] < this.#times[oldest]) oldest = slot;
    }
    return oldest;
  }

  /** Whether a version with this id and content was superseded not too long ago. */
  has(
    bytes: Uint8Array,
    offset: number,
    checksum: number,
    position0: number,
    elapsedMs: number,
  ): boolean {
    if (!isRequestId(bytes, offset)) return false;
    const first = this.#setOf(bytes, offset) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (!this.#matches(slot, bytes, offset, checksum, position0)) continue;
      return elapsedMs + 1 - Math.floor(this.#times[slot]) < REQUEST_ID_KEPT_MS;
    }
    return false;
  }

  /** Forgets one write of a name. */
  forget(bytes: Uint8Array, offset: number, checksum: number, position0: number): void {
    const first = this.#setOf(bytes, offset) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#matches(slot, bytes, offset, checksum, position0)) this.#times[slot] = 0;
    }
  }

  /** Forgets all writes of the names at these positions. Looks at every slot, once for all of them. */
  forgetAll(positions: ReadonlySet<number>): void {
    if (positions.size === 0) return;
    for (let slot = 0; slot < this.#times.length; slot++) {
      if (this.#times[slot] !== 0 && positions.has(this.#words[slot * WORDS + 5])) this.#times[slot] = 0;
    }
  }

  #matches(
    slot: number,
    bytes: Uint8Array,
    offset: number,
    checksum: number,
    position0: number,
  ): boolean {
    if (this.#times[slot] === 0) return false;
    const word = slot * WORDS;
    for (let index = 0; index < 4; index++) {
      if (this.#words[word + index] !== readU32(bytes, offset + 4 * index)) return false;
    }
    return this.#words[word + 4] === checksum && this.#words[word + 5] === position0;
  }

  /** The random tail of a UUIDv7 spreads well. */
  #setOf(bytes: Uint8Array, offset: number): number {
    return (readU32(bytes, offset + 12) ^ readU32(bytes, offset + 8)) & (this.#sets - 1);
  }

  /** Each set becomes two, by one more bit of the ids; a slot keeps its place within its set. */
  #doubleSets(): void {
    const [words, times] = [this.#words, this.#times];
    this.#sets *= 2;
    this.#words = new Uint32Array(2 * words.length);
    this.#times = new Float64Array(2 * times.length);
    for (let slot = 0; slot < times.length; slot++) {
      if (times[slot] === 0) continue;
      const word = slot * WORDS;
      const set = (words[word + 3] ^ words[word + 2]) & (this.#sets - 1);
      const target = set * WAYS + (slot % WAYS);
      for (let index = 0; index < WORDS; index++) {
        this.#words[target * WORDS + index] = words[word + index];
      }
      this.#times[target] = times[slot];
    }
  }
}
