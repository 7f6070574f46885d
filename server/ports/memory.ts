/**
 * The memory of this process: how much there is for it, and how much of it lies in memory now.
 *
 * What there is: the machine's, or less where a control group bounds it (a container, systemd's
 * MemoryMax). Each group's bound holds for those below it, so all from this process's own up to the
 * root are asked.
 */

import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import process from "node:process";

export interface Memory {
  /** Bytes that there are for this process. */
  readonly totalBytes: number;
  /** Bytes of this process that lie in memory now, garbage included. */
  residentBytes(): number;
  /** Gives garbage back, where the runtime can be asked for it. */
  collect(): void;
}

const GROUPS = "/sys/fs/cgroup";

/** The memory of the machine that this runs on. */
export const systemMemory: Memory = {
  totalBytes: Math.min(totalmem(), boundOfGroups()),
  residentBytes: () => process.memoryUsage.rss(),
  collect: () => {
    if (typeof Bun !== "undefined") Bun.gc(true);
  },
};

function boundOfGroups(): number {
  const own = /^0::(.*)$/m.exec(textOf("/proc/self/cgroup"))?.[1] ?? "";
  // Version 1 has one file for all; version 2 one a group.
  let bound = boundIn(`${GROUPS}/memory/memory.limit_in_bytes`);
  for (let group = own; ; group = group.slice(0, group.lastIndexOf("/"))) {
    bound = Math.min(bound, boundIn(`${GROUPS}${group}/memory.max`));
    if (!group.includes("/")) return bound;
  }
}

/** "max", no such file, or what is no number: no bound. */
function boundIn(path: string): number {
  const text = textOf(path).trim();
  return /^\d+$/.test(text) && Number(text) > 0 ? Number(text) : Infinity;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}
