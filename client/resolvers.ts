/** Ready-made ways to make one value of several. */

import type { Resolve } from "./sibling.ts";

/**
 * Lists as sets: all that is in any of them, in the order in which it came first. What was taken out in one of them
 * while it stayed in another is in it again: of things that go, keep a list of their own.
 * @param identity what makes two elements the same; default: their JSON
 */
export function union<Element>(
  identity: (element: Element) => unknown = (element) => JSON.stringify(element),
): Resolve<Element[]> {
  return (siblings) => {
    const elements = new Map<unknown, Element>();
    for (const { value } of siblings) {
      for (const element of value) {
        const name = identity(element);
        if (!elements.has(name)) elements.set(name, element);
      }
    }
    return [...elements.values()];
  };
}

/** The value that was written last, by the clocks of the nodes; the others are lost with the next write. */
export function lastWriteWins<Value>(): Resolve<Value> {
  return (siblings) => siblings[siblings.length - 1].value;
}
