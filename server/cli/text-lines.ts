/** Lines of text that comes in pieces, each of a bounded length: a file without line ends is not held whole. */

import { UsageError } from "./command-line.ts";

/**
 * The lines, without their ends; the last one may have none. @throws UsageError where one has more than `lengthMax`
 * characters
 */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>, lengthMax: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  /** Of the line that has not ended: joined when it has, so that a long one is not copied with each piece. */
  let parts: string[] = [];
  let length = 0;
  let number = 1;
  const add = (part: string): void => {
    parts.push(part);
    length += part.length;
    if (length <= lengthMax) return;
    throw new UsageError(`Line ${number} is longer than ${lengthMax} characters, the limit`);
  };
  for await (const piece of pieces) {
    const [first = "", ...rest] = decoder.decode(piece, { stream: true }).split("\n");
    add(first);
    for (const next of rest) {
      yield parts.join("");
      number++;
      [parts, length] = [[], 0];
      add(next);
    }
  }
  const last = parts.join("");
  if (last !== "") yield last;
}
