/**
 * Which Host a request may name where nobody is asked who he is: this machine's own.
 *
 *   page of evil.example ─► its name now means 127.0.0.1 ─► a node there, "same origin" ─► Host: evil.example ─► 403
 *
 * So a page on the web could read and change what a node on its reader's machine holds (DNS rebinding): for the
 * browser it is the page's own site, and no rule of origins helps. Off the loopback interface, over TLS alone, and
 * where tokens are asked for, any name will do.
 */

import { problem } from "./problem.ts";
import { excerpt } from "./target.ts";

const LOOPBACK = /^(localhost|([a-z0-9-]+\.)+localhost|127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:(127\.\d+\.\d+\.\d+|7f[0-9a-f]{2}:[0-9a-f]{1,4})\])\.?(:\d+)?$/i;

export class HostCheck {
  readonly #own: string | null;
  /** The beginning of the last URL that passed, with the slash after its host: most requests cost a comparison. */
  #passed = "\0";

  /** @param own the host that is listened on, besides those that mean loopback everywhere; null: any will do */
  constructor(own: string | null) {
    this.#own = own?.toLowerCase() ?? null;
  }

  /** The refusal of a request whose path begins at `start` of its URL; null: it may go on. */
  refuse(request: Request, start: number): Response | null {
    if (this.#own === null) return null;
    const { url } = request;
    if (url.startsWith(this.#passed)) return null;
    const host = start > 0 ? url.slice(url.indexOf("://") + 3, start) : request.headers.get("host");
    if (host === null || this.#isOwn(host.toLowerCase())) {
      if (start > 0) this.#passed = url.slice(0, start + 1);
      return null;
    }
    const wanted = "want localhost or 127.0.0.1, or a node that asks who comes (--secret-file) or need not (--insecure)";
    return problem("forbidden", `The request is for the host '${excerpt(host)}', ${wanted}.`, "refused");
  }

  #isOwn(host: string): boolean {
    return LOOPBACK.test(host) || host.replace(/:\d+$/, "") === this.#own;
  }
}
