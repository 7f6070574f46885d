/**
 * A layout as nodes tell it to clients: which nodes own which partition, and where they are.
 *
 *   [number, partition bits, owners per partition, [[id, name, address], …], owners or null: as it was,
 *    [[bucket, n], …] that have fewer copies]
 *
 * `owners` are u16 indexes into the nodes, a row for each partition, the first owner first.
 */

import { readU16 } from "../core/bytes.ts";
import { NODES_MAX, PARTITIONS_MAX, REPLICAS_MAX } from "../core/limits.ts";
import { partitionOfName } from "../core/ring.ts";
import { parseAddress } from "./runtime.ts";

export interface Place {
  readonly id: string;
  readonly name: string;
  readonly address: string;
}

export interface Layout {
  readonly number: number;
  readonly partitionBits: number;
  readonly ownersPerPartition: number;
  readonly places: readonly Place[];
  readonly owners: Uint16Array;
  /** Copies of buckets that have fewer, by the bucket's bytes, a character each. */
  readonly fewer: ReadonlyMap<string, number>;
}

const PARTITION_BITS_MAX = 31 - Math.clz32(PARTITIONS_MAX);
const SLASH = 0x2f;
const NUMBER_MAX = 2 ** 32 - 1;

/** Reads what a node answered; null where it is malformed. @param known the layout that this client has */
export function readLayout(body: unknown, known: Layout | null): Layout | null {
  if (!Array.isArray(body)) return null;
  const [number, partitionBits, ownersPerPartition, nodes, packed, buckets] = body as unknown[];
  const isShaped = isWhole(number, 1, NUMBER_MAX) && isWhole(partitionBits, 0, PARTITION_BITS_MAX) &&
    isWhole(ownersPerPartition, 1, REPLICAS_MAX);
  if (!isShaped || !Array.isArray(nodes) || nodes.length < 1 || nodes.length > NODES_MAX) return null;
  const places: Place[] = [];
  for (const node of nodes) {
    const place = readPlace(node);
    if (place === null) return null;
    places.push(place);
  }
  const fewer = readFewer(buckets);
  if (fewer === null) return null;
  if (packed === null) return known?.number === number ? { ...known, places, fewer } : null;
  const owners = readOwners(packed, 2 ** partitionBits * ownersPerPartition, places.length);
  return owners === null ? null : { number, partitionBits, ownersPerPartition, places, owners, fewer };
}

/** How many owners coordinate what is asked of a name. */
export function copiesOf({ ownersPerPartition, fewer }: Layout, name: Uint8Array): number {
  if (fewer.size === 0) return ownersPerPartition;
  return fewer.get(lettersOf(name, name.indexOf(SLASH))) ?? ownersPerPartition;
}

/** Where in `owners` the row of a name begins. */
export function rowOf(layout: Layout, name: Uint8Array): number {
  return partitionOfName(name, 0, name.length, layout.partitionBits) * layout.ownersPerPartition;
}

function readFewer(buckets: unknown): Map<string, number> | null {
  if (!Array.isArray(buckets)) return null;
  const fewer = new Map<string, number>();
  for (const pair of buckets) {
    if (!Array.isArray(pair)) return null;
    const [bucket, copies] = pair as unknown[];
    if (!(bucket instanceof Uint8Array) || !isWhole(copies, 1, REPLICAS_MAX)) return null;
    fewer.set(lettersOf(bucket, bucket.length), copies);
  }
  return fewer;
}

function lettersOf(bytes: Uint8Array, length: number): string {
  let letters = "";
  for (let index = 0; index < length; index++) letters += String.fromCharCode(bytes[index]);
  return letters;
}

function readPlace(node: unknown): Place | null {
  if (!Array.isArray(node)) return null;
  const [id, name, address] = node as unknown[];
  if (typeof id !== "string" || typeof name !== "string" || typeof address !== "string") return null;
  return parseAddress(address) === null ? null : { id, name, address };
}

function readOwners(packed: unknown, slots: number, nodes: number): Uint16Array | null {
  if (!(packed instanceof Uint8Array) || packed.length !== 2 * slots) return null;
  const owners = new Uint16Array(slots);
  for (let slot = 0; slot < slots; slot++) {
    owners[slot] = readU16(packed, 2 * slot);
    if (owners[slot] >= nodes) return null;
  }
  return owners;
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}
