/**
 * The files below a folder, in an order that is the same on every machine, and an even sample of
 * them.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Paths relative to `folder`, regular files only (links are not followed), sorted. */
export function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const pending = [""];
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) found.push(path);
    }
  }
  return found.sort();
}

/** At most `limit` of them, evenly spread over the list: every part of the tree is in it. */
export function sampleOf(paths: readonly string[], limit: number): string[] {
  if (paths.length <= limit) return [...paths];
  return Array.from({ length: limit }, (_, index) => {
    return paths[Math.floor((index * paths.length) / limit)];
  });
}
