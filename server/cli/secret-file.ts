/** Files with a secret in them: of the cluster, or a token. Errors name the file, never what stands in it. */

import { SECRET_BYTES_MIN } from "../wire/secret.ts";
import { readWholeFile } from "../ports/process.ts";
import { UsageError } from "./command-line.ts";

/** One line of text, without the space around it. @param place what named the file @throws UsageError */
export function readSecretText(path: string, place: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(readWholeFile(path)).trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${place} is '${path}', which cannot be read: ${reason}`);
  }
  if (text !== "" && !/\s/.test(text)) return text;
  throw new UsageError(`${place} is '${path}', which has ${text === "" ? "nothing" : "several words"} in it, want one`);
}

/** The secret of a cluster. @throws UsageError */
export function readClusterSecret(path: string, place: string): Uint8Array {
  const bytes = new TextEncoder().encode(readSecretText(path, place));
  if (bytes.length >= SECRET_BYTES_MIN) return bytes;
  const size = `${bytes.length} characters, want ${SECRET_BYTES_MIN} or more (halo token secret draws one)`;
  throw new UsageError(`${place} is '${path}', whose secret has ${size}`);
}
