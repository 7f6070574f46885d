/**
 * When a node that has left may fall silent: once so many members know that it has given up all it held
 * that no death of one takes the news with it.
 *
 *   leaver ── "I hold nothing any more" ──► n1 ── dies before it has told anybody
 *      └───────────────────────────────────► n2, n3 … each says that it knows ── enough: the leaver ends
 *
 * If the first who knew were enough, and were lost, all others would wait for the leaver for good. Those who
 * leave themselves do not count. A node that was removed has nothing to say, and ends at the first word.
 */

import type { Member } from "./member.ts";

/** Of those who stay, these many are enough, and a majority where there are few. */
const TELLERS = 3;

export class Departure {
  /** Members that have said that this node is none any more. */
  readonly #tellers = new Set<string>();

  /**
   * A member says that this node is none any more: whether that is enough.
   * @param members all that are not gone for good
   * @param hasNews whether this node alone can tell that it has left
   */
  heard(teller: string, members: readonly Member[], hasNews: boolean): boolean {
    this.#tellers.add(teller);
    const staying = members.filter(({ isSelf, status }) => !isSelf && status === "member");
    const told = staying.filter(({ id }) => this.#tellers.has(id)).length;
    return !hasNews || told >= Math.min(TELLERS, Math.floor(staying.length / 2) + 1);
  }
}
