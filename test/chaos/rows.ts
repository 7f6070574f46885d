/** The table of what real clusters are put through (RELIABILITY.md D), a row each, and the sizes that may be changed. */

import type { Row } from "../row.ts";
import { membership } from "./membership.ts";
import { replacement } from "./replacement.ts";
import { rollingRestart } from "./rolling-restart.ts";

export const ROWS: readonly Row[] = [
  {
    id: "D4",
    title: "3 → 5 → 3 nodes under load, with a kill and a partition in between",
    reads: ["RUNS"],
    run: (sizes, check) => membership(check, sizes.seed, sizes.get("RUNS", 20)),
  },
  {
    id: "D7",
    title: "a node whose disk is gone is replaced with one command",
    reads: ["KEYS"],
    run: (sizes, check) => replacement(check, sizes.get("KEYS", 12_000)),
  },
  {
    id: "D8",
    title: "a rolling restart under load",
    reads: ["ROUNDS"],
    run: (sizes, check) => rollingRestart(check, sizes.seed, sizes.get("ROUNDS", 3)),
  },
];
