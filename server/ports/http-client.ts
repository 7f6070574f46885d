/**
 * Asking over HTTPS where authorities of the operator's own are trusted: `fetch` of the runtime, with
 * what each of them calls that.
 */

import { judgeAuthorities, type NamedFile, readText } from "./certificates.ts";

export type Fetch = (url: string, request: RequestInit) => Promise<Response>;

/** What is used of Deno; its types are not among those of this project. */
interface DenoRuntime {
  createHttpClient(options: { caCerts: string[] }): object;
}

/** `fetch`, with the authorities in a file alone trusted. @throws CertificateError */
export function fetchTrusting(file: NamedFile, nowMs: number): Fetch {
  const text = readText(file);
  judgeAuthorities(file, text, nowMs);
  // Safe: the global is declared here as far as it is used, and checked before it is.
  const { Deno: runtime } = globalThis as { Deno?: DenoRuntime };
  const more = runtime === undefined ? { tls: { ca: text } } : { client: runtime.createHttpClient({ caCerts: [text] }) };
  return (url, request) => fetch(url, { ...request, ...more });
}
