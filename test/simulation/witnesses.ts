/**
 * Who knew of a write when it was sent again: what a retry can be told by.
 *
 * A node knows of a write that holds its version live, or that remembers it as superseded. The store
 * promises: ***a retry brings nothing back and wins over nothing while one node that knows of the write
 * can be asked.*** So a retry is excused, and its late twin counted instead of accused, unless there was
 * a witness from its beginning to its end:
 *
 *   - up, not standing still, and the same process all the time, with no new fault meanwhile;
 *   - every other node that was up reached it and was reached by it, over links that lose nothing, and
 *     held it for healthy;
 *   - no layout came or went;
 *   - and no node's clock made the retry look like a first attempt (REQUEST_ID_FRESH_MS_MAX).
 *
 * That is stricter than need be (a coordinator would have been enough), so what it accuses is a bug, but
 * what it excuses may be one, too: the count of the excused is to stay small.
 */

import { crc32c } from "../../core/crc32c.ts";
import { REQUEST_ID_FRESH_MS_MAX } from "../../core/limits.ts";
import { encodeMeta, encodePayload } from "../../core/payload.ts";
import { requestTimeMs } from "../../core/request-id.ts";
import type { PutRequest } from "../../server/coordination/store.ts";
import type { Node } from "../../server/node.ts";
import type { Cluster } from "./cluster.ts";
import type { Faults } from "./faults.ts";
import { holdsWrite } from "./inspection.ts";
import { hexOf } from "./write-attempts.ts";

/** The request of a put, as each of its attempts makes it. */
export type Retried = Pick<PutRequest, "name" | "requestId" | "meta" | "body" | "isDelete">;

interface Witness {
  readonly index: number;
  readonly node: Node;
}

/** Begins to watch a retry; the answer, called at its end, says whether somebody could tell of it. */
export function watchRetry(cluster: Cluster, faults: Faults, request: Retried): () => boolean {
  const faultsBefore = faults.count;
  const layoutsBefore = cluster.layoutsKnown;
  const witnesses = looksFresh(cluster, request) ? [] : witnessesOf(cluster, request);
  return () => {
    if (faults.count !== faultsBefore || looksFresh(cluster, request)) return false;
    if (cluster.layoutsKnown !== layoutsBefore) return false;
    return witnesses.some(({ index, node }) => {
      return cluster.node(index) === node && cluster.isReachedByAll(index);
    });
  };
}

function witnessesOf(cluster: Cluster, request: Retried): Witness[] {
  const witnesses: Witness[] = [];
  for (let index = 0; index < cluster.count; index++) {
    const node = cluster.node(index);
    if (node === null || !cluster.isReachedByAll(index)) continue;
    if (knows(node, request)) witnesses.push({ index, node });
  }
  return witnesses;
}

function knows(node: Node, request: Retried): boolean {
  const { name, requestId, isDelete } = request;
  if (requestId === null) return false;
  const key = new TextDecoder().decode(name.bytes);
  const id = hexOf(requestId);
  if (holdsWrite(node, key, id)) return true;
  const none = new Uint8Array(0);
  const payload = isDelete ? none : encodePayload(encodeMeta(request.meta), request.body);
  return node.hasSuperseded(name, requestId, crc32c(payload, 0, payload.length, 0));
}

function looksFresh(cluster: Cluster, { requestId }: Retried): boolean {
  if (requestId === null) return true;
  const drawnMs = requestTimeMs(requestId);
  for (let index = 0; index < cluster.count; index++) {
    const ageMs = cluster.wallMs(index) - drawnMs;
    if (Math.abs(ageMs) <= REQUEST_ID_FRESH_MS_MAX) return true;
  }
  return false;
}
