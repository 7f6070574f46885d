/**
 * The gate before every route but the probes: who asks, and whether he may. Where the cluster has no secret
 * nobody is asked.
 *
 *   Authorization: Bearer halo_…  ─→ principal ─→ its turn? ─→ role and bucket ─→ the route
 *        none, unknown: 401            too often: 429       not enough: 403
 *
 * All of it comes before a body is read or data is touched. What administrators do is told to the audit log,
 * done or refused, here or by the route, with the token's name and never the token.
 */

import type { Principal } from "../membership/authorization.ts";
import type { TokenRole } from "../membership/tokens.ts";
import type { Log } from "../ports/log.ts";
import type { HttpNode } from "./http-node.ts";
import { problem, Refusal } from "./problem.ts";
import { pathOf } from "./target.ts";

const CHALLENGE = { "WWW-Authenticate": 'Bearer realm="halo"' };

export class Gate {
  readonly #node: Pick<HttpNode, "authorization">;
  readonly #log: Log | null;

  constructor(node: Pick<HttpNode, "authorization">, log: Log | null) {
    this.#node = node;
    this.#log = log;
  }

  /** Who asks, when it is his turn; null: nobody is asked. @throws Refusal unauthenticated, rate-limited */
  enter(request: Request): Principal | null {
    const principal = this.identify(request);
    if (principal !== null) this.takeTurn(principal);
    return principal;
  }

  /** Who asks; null: nobody is asked. @throws Refusal unauthenticated */
  identify(request: Request): Principal | null {
    const { authorization } = this.#node;
    if (authorization === null) return null;
    const principal = authorization.principal(bearer(request.headers.get("authorization")));
    if (principal !== null) return principal;
    throw new Refusal("unauthenticated", "The token is not known to this cluster, or has expired.", CHALLENGE);
  }

  /** @throws Refusal rate-limited */
  takeTurn(principal: Principal): void {
    const waitMs = principal.takeTurn();
    if (waitMs === 0) return;
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    const detail = `The token '${principal.name}' has sent as many requests as it may, want ${waitMs} ms of rest.`;
    throw new Refusal("rate-limited", detail, { "Retry-After": String(seconds) });
  }

  /** Tells of what an administrator has asked for, or who is none: nobody, where no token says who. */
  audit(principal: Principal | null, request: Request, status: number): void {
    const stranger = this.#node.authorization === null ? "anybody" : "nobody";
    const fields = { who: principal?.name ?? stranger, method: request.method, path: pathOf(request.url), status };
    this.#log?.info("audit", fields);
  }
}

/**
 * Refuses what a page of another origin has its reader's browser send: where nobody is asked for a token, any page on
 * the web could otherwise order a node on the reader's machine about. Browsers ask before they send any method but
 * POST for such a page, and are told no; where they do not say whose page it is (plain HTTP off the loopback
 * interface) a token is asked for. Null: it is none.
 */
export function refuseForeignPage(request: Request): Response | null {
  const site = request.headers.get("sec-fetch-site");
  if (site === null || site === "same-origin" || site === "none") return null;
  const wanted = "want one of this node's own, or a program";
  return problem("forbidden", `The request comes from a web page of another origin, ${wanted}.`, "refused");
}

/** @throws Refusal forbidden */
export function permit(
  principal: Principal | null,
  need: TokenRole,
  bucket: Uint8Array | null,
  length = bucket?.length ?? 0,
): void {
  const refusal = principal?.refusal(need, bucket, length) ?? "";
  if (refusal !== "") throw new Refusal("forbidden", `${refusal}.`);
}

/** @throws Refusal unauthenticated */
function bearer(header: string | null): string {
  const token = header === null ? null : /^bearer +([^\s,]+)$/i.exec(header.trim());
  if (token !== null) return token[1];
  const given = header === null ? "The request has no token" : "The Authorization header is no bearer token";
  throw new Refusal("unauthenticated", `${given}, want Authorization: Bearer halo_….`, CHALLENGE);
}
