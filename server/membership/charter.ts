/**
 * The charter: what the founder of a cluster laid down once, for all its nodes and for good.
 *
 *   clusterId    16 hexadecimal digits; nodes of another cluster are turned away
 *   contextKey   16 random bytes under which contexts are authenticated
 *   shape        the number of partitions, N, and the default quorums
 *
 * It comes with the answer to a join and never changes afterwards, so that it needs no merge.
 */

import { PARTITIONS_MAX, REPLICAS_MAX } from "../../core/limits.ts";
import type { Random } from "../ports/random.ts";
import { type Fields, MalformedDocument } from "./document.ts";
import type { ClusterShape } from "./layout.ts";
import { hexText } from "./member.ts";

/** A number of replicas as an operator or a client gives it. */
export type Quorum = number | "one" | "quorum" | "all" | "default";

/** The cluster's default quorums. */
export interface QuorumDefaults {
  readonly r: Quorum;
  readonly w: Quorum;
  readonly dw: Quorum;
  readonly pr: Quorum;
  readonly pw: Quorum;
}

export const QUORUM_NAMES = ["r", "w", "dw", "pr", "pw"] as const;

export interface Charter extends ClusterShape {
  readonly contextKey: Uint8Array;
  readonly defaults: QuorumDefaults;
}

/**
 * The charter of a new cluster.
 * @param partitions Q, a power of two up to PARTITIONS_MAX
 * @param replicas N, 1 to REPLICAS_MAX
 * @throws RangeError outside these
 */
export function foundCharter(
  random: Random,
  partitions: number,
  replicas: number,
  defaults: QuorumDefaults,
): Charter {
  const partitionBits = 31 - Math.clz32(partitions);
  if (partitions < 1 || partitions > PARTITIONS_MAX || 2 ** partitionBits !== partitions) {
    throw new RangeError(
      `Partitions are ${partitions}, wanted is a power of two up to ${PARTITIONS_MAX}`,
    );
  }
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > REPLICAS_MAX) {
    throw new RangeError(`Replicas are ${replicas}, wanted is a number from 1 to ${REPLICAS_MAX}`);
  }
  const id = new Uint8Array(8);
  const contextKey = new Uint8Array(16);
  random.fill(id);
  random.fill(contextKey);
  return { clusterId: hexText(id), contextKey, partitionBits, replicas, defaults };
}

export function charterDocument(charter: Charter): Record<string, unknown> {
  return { ...charter, defaults: { ...charter.defaults } };
}

/** @throws MalformedDocument */
export function readCharter(fields: Fields): Charter {
  const contextKey = fields.bytes("contextKey", 16);
  if (contextKey.length !== 16) throw new MalformedDocument("context key is not of 16 bytes");
  const quorums = fields.fields("defaults");
  return {
    clusterId: fields.nodeId("clusterId"),
    contextKey,
    partitionBits: fields.whole("partitionBits", 0, 16),
    replicas: fields.whole("replicas", 1, REPLICAS_MAX),
    defaults: {
      r: readQuorum(quorums, "r"),
      w: readQuorum(quorums, "w"),
      dw: readQuorum(quorums, "dw"),
      pr: readQuorum(quorums, "pr"),
      pw: readQuorum(quorums, "pw"),
    },
  };
}

/** @throws MalformedDocument */
export function readQuorum(fields: Fields, name: string): Quorum {
  const value = fields.raw(name);
  if (isQuorum(value)) return value;
  throw new MalformedDocument(`field ${name} is no quorum`);
}

/** A number from 0 to REPLICAS_MAX, or one of the words. */
export function isQuorum(value: unknown): value is Quorum {
  if (value === "one" || value === "quorum" || value === "all" || value === "default") return true;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 &&
    value <= REPLICAS_MAX;
}
