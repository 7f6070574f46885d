/**
 * A second opinion: wrk, where it is installed, on plain gets of one key. Two generators that agree
 * on a ratio make it less likely that either one made it.
 */

import { type Children, findProgram } from "../children.ts";

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
}

export function isWrkInstalled(): boolean {
  return findProgram("wrk") !== "";
}

/** Requests a second; NaN where wrk failed or was refused anything. */
export async function runWrk(children: Children, options: WrkOptions): Promise<number> {
  const { url, connections, seconds } = options;
  const args = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, url];
  const child = children.start(`wrk-${performance.now()}`, findProgram("wrk"), args);
  await child.ended;
  const text = child.logTail;
  if (text.includes("Non-2xx")) return NaN;
  return Number(/Requests\/sec:\s*([\d.]+)/.exec(text)?.[1] ?? NaN);
}
