/** One question to every member at once: what each said, and who said nothing. */

import type { Member } from "./member.ts";

export interface Answered {
  readonly member: Member;
  /** What it said; undefined: nothing. */
  readonly answer: unknown;
  /** Why it said nothing; "": it did. */
  readonly error: string;
}

/**
 * Asks all other members; calls back once, with this node's own answer among them, in the members' order.
 * A member that is known not to answer is not waited for.
 */
export function askAll(
  members: readonly Member[],
  type: string,
  body: unknown,
  timeoutMs: number,
  own: unknown,
  done: (answers: Answered[]) => void,
): void {
  const answers: Answered[] = members.map((member) => ({ member, answer: own, error: "" }));
  let left = 1;
  const oneLess = (): void => {
    if (--left === 0) done(answers);
  };
  members.forEach((member, index) => {
    if (member.isSelf) return;
    if (member.peer === null || !member.healthy) {
      answers[index] = { member, answer: undefined, error: "it does not answer" };
      return;
    }
    left++;
    member.peer.call(type, body, timeoutMs, (answer, error) => {
      answers[index] = { member, answer: error === "" ? answer : undefined, error };
      oneLess();
    });
  });
  oneLess();
}
