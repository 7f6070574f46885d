/**
 * Two messages of one block with one MD5, published by Marc Stevens in 2012: what proves that
 * nothing takes two names for one because their ring positions agree.
 *
 * They differ in two bytes. MD5 goes on from the state after a block, so with the same bytes
 * appended they still collide, and as "…/key" they are two well-formed object names. (Neither block
 * has a slash of its own.)
 */

export const collisionLeft = fromHex(
  "4dc968ff0ee35c209572d4777b721587d36fa7b21bdc56b74a3dc0783e7b9518" +
    "afbfa200a8284bf36e8e4b55b35f427593d849676da0d1555d8360fb5f07fea2",
);

export const collisionRight = fromHex(
  "4dc968ff0ee35c209572d4777b721587d36fa7b21bdc56b74a3dc0783e7b9518" +
    "afbfa202a8284bf36e8e4b55b35f427593d849676da0d1d55d8360fb5f07fea2",
);

/** The MD5 of both. */
export const collisionDigest = "008ee33a9d58b51cfeb425b0959121c9";

/** Both as object names: the block as bucket, then "/" and the key's bytes. */
export function collidingNames(key: string): readonly [Uint8Array, Uint8Array] {
  const ending = new TextEncoder().encode(`/${key}`);
  return [joined(collisionLeft, ending), joined(collisionRight, ending)];
}

function joined(start: Uint8Array, ending: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(start.length + ending.length);
  bytes.set(start);
  bytes.set(ending, start.length);
  return bytes;
}

function fromHex(text: string): Uint8Array {
  const pairs = text.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}
