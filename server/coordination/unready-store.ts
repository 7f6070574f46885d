/** The store of a node that is not a member yet: every request is refused, and nothing is written. */

import { toHex } from "../../core/bytes.ts";
import { listRefused } from "./lists.ts";
import { refused } from "./results.ts";
import type { Store } from "./store.ts";

const answer = refused("not-ready", "This node is not a member of a cluster yet").result;

export const unreadyStore: Store = {
  stage: () => null,
  put: (_request, done) => done(answer),
  get: (_request, done) => done(answer),
  list: (_request, done) => done(listRefused("not-ready", answer.detail)),
  explain: (name, _timeoutMs, done) => {
    const words = [name.position0, name.position1, name.position2, name.position3];
    const position = new Uint8Array(words.flatMap((word) => [24, 16, 8, 0].map((n) => word >>> n)));
    const where = { partition: 0, partitions: 0, layout: 0, preference: [] };
    done({ position: toHex(position, 0, 16), ...where });
  },
};
