/**
 * The token routes, for administrators:
 *
 *   GET    /tokens          {"tokens": [{"name", "role", "buckets", "expires", "requestsPerSecond"}]}
 *   POST   /tokens          {"name": "shop", "role": "write", "buckets": ["cart*"], "expiresSeconds": 86400,
 *                            "requestsPerSecond": 100}
 *                           201 and the same with "token", which is shown this once
 *   DELETE /tokens/{name}   204: it is worth nothing any more, at every node that could be told
 */

import * as v from "valibot";
import { type Grant, hashOfToken, PATTERNS_MAX, RATE_MAX, ROLES, type Token } from "../membership/tokens.ts";
import { type Authorization, drawToken } from "../membership/authorization.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { json } from "./buckets.ts";
import type { HttpNode } from "./http-node.ts";
import { guarded, problem, problemOf, Refusal } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";
import { fields, readAs, type Voice, whole } from "./schema.ts";
import { excerpt } from "./target.ts";

const TOKEN_JSON_BYTES_MAX = 64 << 10;
const PATTERNS = `a list of up to ${PATTERNS_MAX} texts`;
const SECONDS = "a whole number, 0 for never";
const RATE = "a whole number, 0 for no bound";

/** What a token is to be. How its name and patterns may look is the rule of membership/tokens, told by metadata here. */
export const tokenSchema = fields({
  name: v.pipe(v.string("a text"), v.metadata({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" })),
  role: v.picklist(ROLES, ROLES.join(", ")),
  buckets: v.exactOptional(
    v.pipe(v.array(v.string("a text"), PATTERNS), v.metadata({ minItems: 1, maxItems: PATTERNS_MAX })),
  ),
  expiresSeconds: v.exactOptional(whole(0, Number.MAX_SAFE_INTEGER, SECONDS)),
  requestsPerSecond: v.exactOptional(
    v.pipe(whole(0, Number.MAX_SAFE_INTEGER, RATE), v.metadata({ maximum: RATE_MAX })),
  ),
});

/** What is told of a token. */
export const grantSchema = v.object({
  name: v.string(),
  role: v.picklist(ROLES),
  buckets: v.array(v.string()),
  expires: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
  requestsPerSecond: v.number(),
});

const VOICE: Voice = {
  whole: "The body is no JSON object, want the properties of a token.",
  unknown: (name, wanted) => `'${name}' is no property of a token, want ${wanted}.`,
  absent: "absent",
};

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
    const given = readAs(tokenSchema, parse(text), VOICE);
    const { name = "", role, buckets = ["*"], expiresSeconds = 0, requestsPerSecond = 0 } = given;
    const expiresMs = expiresSeconds === 0 ? 0 : this.#clock.nowMs() + expiresSeconds * 1000;
    const grant: Grant = { hash: hashOfToken(token), role, buckets, expiresMs, requestsPerSecond };
    return { name, grant };
  }
}

function describe({ name, grant }: Token): v.InferOutput<typeof grantSchema> {
  const { role, buckets, expiresMs, requestsPerSecond } = grant;
  const expires = expiresMs === 0 ? null : new Date(expiresMs).toISOString();
  return { name, role, buckets: [...buckets], expires, requestsPerSecond };
}

/** The JSON of a body, or undefined, which no token is. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
