/**
 * The token routes, for administrators:
 *
 *   GET    /tokens          {"tokens": [{"name", "role", "buckets", "expires", "requestsPerSecond"}]}
 *   POST   /tokens          {"name": "shop", "role": "write", "buckets": ["cart*"], "expiresSeconds": 86400,
 *                            "requestsPerSecond": 100}
 *                           201 and the same with "token", which is shown this once
 *   DELETE /tokens/{name}   204: it is worth nothing any more, at every node that could be told
 */

import { type Grant, hashOfToken, PATTERNS_MAX, ROLES, type Token } from "../membership/tokens.ts";
import { type Authorization, drawToken } from "../membership/authorization.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { json } from "./buckets.ts";
import type { HttpNode } from "./http-node.ts";
import { guarded, problem, problemOf, Refusal } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";
import { excerpt } from "./target.ts";

const TOKEN_JSON_BYTES_MAX = 64 << 10;
const NAMES = ["name", "role", "buckets", "expiresSeconds", "requestsPerSecond"];

export class TokenRoutes {
  readonly #node: HttpNode;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #bodies: RequestBodies;

  constructor(node: HttpNode, clock: Clock, random: Random) {
    this.#node = node;
    this.#clock = clock;
    this.#random = random;
    this.#bodies = new RequestBodies(clock, "JSON of a token");
  }

  list(): Response {
    return json({ tokens: this.#authorization().tokens.list().map(describe) });
  }

  give(request: Request): Promise<Response> {
    const { tokens } = this.#authorization();
    return new Promise((resolve) => {
      this.#bodies.read(request, TOKEN_JSON_BYTES_MAX, (bytes, refusal, body) => {
        const answer = bytes === null ? problemOf(refusal) : guarded(() => {
          const text = drawToken(this.#random);
          const { name, grant } = this.#read(new TextDecoder().decode(bytes), text);
          const error = tokens.give(name, grant);
          if (error !== "") throw new Refusal("bad-parameter", `${error}.`);
          const said = JSON.stringify({ ...describe({ name, grant }), token: text });
          return new Response(`${said}\n`, { status: 201, headers: { "Content-Type": "application/json" } });
        });
        body.release();
        this.#whenAllKnow(answer, resolve);
      });
    });
  }

  takeBack(name: string): Promise<Response> {
    const error = this.#authorization().tokens.takeBack(name);
    const absent = `There is no token of the name '${excerpt(name)}'.`;
    const failed = error === "absent" ? problem("not-found", absent, "refused") : problem("not-ready", error, "refused");
    const answer = error === "" ? new Response(null, { status: 204 }) : failed;
    return new Promise((resolve) => this.#whenAllKnow(answer, resolve));
  }

  /** @throws Refusal where nobody is asked for tokens */
  #authorization(): Authorization {
    const { authorization } = this.#node;
    if (authorization !== null) return authorization;
    const detail = "The cluster has no secret, so nobody is asked for tokens; start its nodes with --secret-file.";
    throw new Refusal("bad-parameter", detail);
  }

  #whenAllKnow(answer: Response, resolve: (answer: Response) => void): void {
    if (answer.ok) this.#node.tellAll(() => resolve(answer));
    else resolve(answer);
  }

  /** @throws Refusal bad-parameter */
  #read(text: string, token: string): Token {
    const given = parse(text);
    for (const name of Object.keys(given)) {
      if (NAMES.includes(name)) continue;
      throw new Refusal("bad-parameter", `'${excerpt(name)}' is no property of a token, want ${NAMES.join(", ")}.`);
    }
    const { name = "", role, buckets = ["*"], expiresSeconds = 0, requestsPerSecond = 0 } = given;
    if (typeof name !== "string") throw wrong("name", name, "a text");
    const known = ROLES.find((one) => one === role);
    if (known === undefined) throw wrong("role", role, ROLES.join(", "));
    if (!isTexts(buckets)) throw wrong("buckets", buckets, `a list of up to ${PATTERNS_MAX} texts`);
    if (!isWhole(expiresSeconds)) throw wrong("expiresSeconds", expiresSeconds, "a whole number, 0 for never");
    if (!isWhole(requestsPerSecond)) throw wrong("requestsPerSecond", requestsPerSecond, "a whole number, 0 for no bound");
    const expiresMs = expiresSeconds === 0 ? 0 : this.#clock.nowMs() + expiresSeconds * 1000;
    const grant: Grant = { hash: hashOfToken(token), role: known, buckets, expiresMs, requestsPerSecond };
    return { name, grant };
  }
}

function describe({ name, grant }: Token): object {
  const { role, buckets, expiresMs, requestsPerSecond } = grant;
  const expires = expiresMs === 0 ? null : new Date(expiresMs).toISOString();
  return { name, role, buckets, expires, requestsPerSecond };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below: the body is what it is.
  }
  throw new Refusal("bad-parameter", "The body is no JSON object, want the properties of a token.");
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function wrong(name: string, value: unknown, wanted: string): Refusal {
  return new Refusal("bad-parameter", `${name} is ${excerpt(JSON.stringify(value) ?? "absent")}, want ${wanted}.`);
}
