/**
 * The bucket routes: properties in JSON.
 *
 *   GET /buckets            every bucket that has properties of its own
 *   GET /buckets/{bucket}   what holds for it; a bucket that was never set answers the defaults
 *   PUT /buckets/{bucket}   replaces what was given for it; what is not named falls to the defaults
 *   DELETE                  resets the properties; no object is touched
 *
 * Where the cluster has a secret, a token is told of its own buckets, and changes those.
 *
 *   {"bucket": "cart", "properties": {"n": 3, "r": "quorum", …}, "given": {"policy": "lww"}}
 */

import { BUCKET_PROPERTIES_BYTES_MAX } from "../../core/limits.ts";
import type { Principal } from "../membership/authorization.ts";
import type { BucketProperties } from "../membership/buckets.ts";
import type { Clock } from "../ports/clock.ts";
import { effectiveProperties, readBucketProperties } from "./bucket-properties.ts";
import { permit } from "./gate.ts";
import type { HttpNode } from "./http-node.ts";
import { guarded, NOT_KEPT, problem, problemOf } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";
import { encodePath, readBucketTarget } from "./target.ts";

export class BucketRoutes {
  readonly #node: HttpNode;
  readonly #bodies: RequestBodies;

  constructor(node: HttpNode, clock: Clock) {
    this.#node = node;
    this.#bodies = new RequestBodies(clock, "JSON of the properties");
  }

  list(principal: Principal | null): Response {
    const buckets = this.#node.buckets.list().filter(({ bucket }) => (principal?.refusal("read", bucket) ?? "") === "");
    return json({
      buckets: buckets.map((entry) => this.#describe(entry.bucket, entry.properties)),
    });
  }

  /** `start` is the place in the URL where the bucket begins. @throws Refusal */
  get(url: string, start: number, principal: Principal | null): Response {
    const bucket = readBucketTarget(url, start);
    permit(principal, "read", bucket);
    return json(this.#describe(bucket, this.#node.buckets.get(bucket)));
  }

  /** @throws Refusal */
  set(request: Request, start: number, principal: Principal | null): Promise<Response> {
    const bucket = readBucketTarget(request.url, start);
    permit(principal, "admin", bucket);
    return new Promise((resolve) => {
      this.#bodies.read(request, BUCKET_PROPERTIES_BYTES_MAX, (bytes, refusal, body) => {
        const answer = bytes === null
          ? problemOf(refusal)
          : guarded(() => this.#setFrom(bucket, bytes));
        body.release();
        this.#whenAllKnow(answer, resolve);
      });
    });
  }

  /** @throws Refusal */
  #setFrom(bucket: Uint8Array, bytes: Uint8Array): Response {
    const { buckets, defaults } = this.#node;
    const properties = readBucketProperties(new TextDecoder().decode(bytes), defaults.n);
    const error = buckets.set(bucket, properties, defaults.n);
    return error === "" ? json(this.#describe(bucket, properties)) : notKept(error);
  }

  /** @throws Refusal */
  reset(url: string, start: number, principal: Principal | null): Promise<Response> {
    const bucket = readBucketTarget(url, start);
    permit(principal, "admin", bucket);
    const error = this.#node.buckets.reset(bucket);
    const answer = error === "" ? new Response(null, { status: 204 }) : notKept(error);
    return new Promise((resolve) => this.#whenAllKnow(answer, resolve));
  }

  /** A change is answered when the other nodes have it: a write that follows, anywhere, goes by it. */
  #whenAllKnow(answer: Response, resolve: (answer: Response) => void): void {
    if (answer.ok) this.#node.tellAll(() => resolve(answer));
    else resolve(answer);
  }

  #describe(bucket: Uint8Array, given: BucketProperties): object {
    return {
      bucket: encodePath(bucket),
      properties: effectiveProperties(this.#node, given),
      given,
    };
  }
}

function notKept(error: string): Response {
  return problem("not-ready", error, "refused");
}

export function json(value: unknown): Response {
  const response = new Response(JSON.stringify(value) + "\n", { headers: { "Content-Type": "application/json" } });
  response.headers.set(...NOT_KEPT);
  return response;
}
