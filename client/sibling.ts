/** The versions in an answer as an application sees them, oldest first. */

import { compareStamps, stampMs } from "../core/clock-entry.ts";
import { decodeMeta, splitMeta } from "../core/payload.ts";
import type { WireSet } from "../core/replica-frames.ts";
import { metaLength, versionExpiryMs, versionOffset, versionStamp } from "../core/version-set.ts";
import type { Codec } from "./codec.ts";
import { refusal } from "./halo-error.ts";

/** One of several values that were written without knowledge of each other; mostly there is one. */
export interface Sibling<Value> {
  readonly value: Value;
  readonly contentType: string;
  /** What the value was compressed with by who stored it, as in "gzip"; null: nothing. */
  readonly contentEncoding: string | null;
  /** What was stored beside the value. */
  readonly meta: Readonly<Record<string, string>>;
  /** When it was written, by the clock of the node that coordinated the write. */
  readonly time: Date;
  /** When it ends; null: never. */
  readonly expires: Date | null;
}

/** Makes one value of several. Called where there are two or more, oldest first. */
export type Resolve<Value> = (siblings: readonly Sibling<Value>[]) => Value;

/** The versions of a set, oldest first. @throws HaloError where a value cannot be decoded */
export function siblingsOf<Value>({ head, payloads }: WireSet, codec: Codec<Value>): Sibling<Value>[] {
  const order = payloads.map((_payload, index) => versionOffset(0, index));
  const byTime = order.map((version, index) => ({ version, payload: payloads[index] }));
  byTime.sort((left, right) => {
    return compareStamps(head, versionStamp(left.version), head, versionStamp(right.version));
  });
  return byTime.map(({ version, payload }) => siblingOf(head, version, payload, codec));
}

function siblingOf<Value>(
  head: Uint8Array,
  version: number,
  payload: Uint8Array | null,
  codec: Codec<Value>,
): Sibling<Value> {
  const length = metaLength(head, version);
  const block = payload === null ? null : decodeMeta(payload, length);
  if (payload === null || block === null) throw refusal("bad-value", "A version in the answer cannot be read");
  const expiryMs = versionExpiryMs(head, version);
  const { coding, user } = splitMeta(block);
  return {
    value: codec.decode(payload.subarray(length), block.contentType, coding),
    contentType: block.contentType,
    contentEncoding: coding,
    meta: Object.fromEntries(user),
    time: new Date(stampMs(head, versionStamp(version))),
    expires: expiryMs === 0 ? null : new Date(expiryMs),
  };
}
