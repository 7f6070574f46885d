/**
 * Who takes part in a benchmark: a probe, halo, or a peer, as the load generator sees it.
 */

import { readFileSync } from "node:fs";
import type { Child } from "./children.ts";
import type { Exchange } from "./load/exchange.ts";

export interface Contestant {
  readonly name: string;
  /** Loopback ports that take requests; the load is spread over them in turn. */
  readonly ports: readonly number[];
  readonly exchange: Exchange;
  /** Its processes. */
  readonly children: readonly Child[];
}

const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat behind the name: user and system time of the whole process. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/** Processor seconds that these processes have taken so far; 0 where there is no /proc. */
export function processorSeconds(children: readonly Child[]): number {
  let ticks = 0;
  for (const child of children) {
    try {
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME]);
    } catch {
      return 0;
    }
  }
  return ticks / TICKS_PER_SECOND;
}
