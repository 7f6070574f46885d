/**
 * A bucket's keys from a node, page after page, with patience: what a listing cannot do now it may be
 * able to do in a second, and its cursor is as good then.
 */

import { systemClock } from "../ports/clock.ts";
import { Api, failureOf } from "./api.ts";

export interface KeyPage {
  /** As they stand in a path. */
  readonly keys: readonly string[];
  readonly cursor: string | null;
}

const ATTEMPTS = 5;
const AGAIN_MS = 1_000;

export interface Wanted {
  readonly bucket: string;
  /** Query parameters that each page is asked with. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** All pages, one in memory at a time. @throws CommandFailure */
export async function* keyPages(api: Api, { bucket, parameters }: Wanted): AsyncGenerator<KeyPage> {
  const given = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  let cursor: string | null = "";
  while (cursor !== null) {
    const query = [...given, ...(cursor === "" ? [] : [`cursor=${cursor}`])].join("&");
    const page: KeyPage = await pageOf(api, `/kv/${encodeURIComponent(bucket)}?${query}`);
    yield page;
    cursor = page.cursor;
  }
}

async function pageOf(api: Api, target: string): Promise<KeyPage> {
  for (let attempt = 1;; attempt++) {
    const response = await api.send({ method: "GET", target });
    // Safe as far as the node at the other end is one of ours.
    if (response.status < 400) return (await response.json()) as KeyPage;
    if (response.status < 500 || attempt === ATTEMPTS) throw await failureOf(response);
    await response.body?.cancel();
    await pause(AGAIN_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.after(ms, () => resolve()));
}
