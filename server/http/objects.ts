/**
 * The object routes: what most of a node's time goes into.
 *
 *   GET HEAD PUT DELETE  /kv/{bucket}/{key}        and the same on /kv/{bucket}?key64=
 *   POST                 /kv/{bucket}              under a generated key
 *   GET HEAD             /kv/{bucket}              a listing: server/http/listing
 *
 *   read target, parameters, headers ─→ (body) ─→ store.get / store.put ─→ one answer
 *
 * This is the hot road: it is matched before the router, reads the raw URL and only the headers
 * that matter, and makes one promise a request; below it there are callbacks alone. Refusals are
 * thrown where they are found and become answers in one place.
 */

import type { ObjectName } from "../../core/object-name.ts";
import { encodeMeta } from "../../core/payload.ts";
import type { PutRequest, Result } from "../coordination/store.ts";
import { LargeValue } from "../coordination/value.ts";
import type { Principal } from "../membership/authorization.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { encodeBase64Url, fromLatin1 } from "./bytes.ts";
import type { Compressions } from "./compression.ts";
import { type Gate, permit } from "./gate.ts";
import type { HttpNode } from "./http-node.ts";
import { answerListing, namesKey } from "./listing.ts";
import { answerDelete, answerGet, answerPut } from "./object-answers.ts";
import { type ObjectParameters, readObjectParameters } from "./parameters.ts";
import { answeredLater, guarded, methodRefusal, problemOf, Refusal } from "./problem.ts";
import { IncomingValues } from "./incoming-value.ts";
import { RequestBodies } from "./request-body.ts";
import { readMeta, readPrecondition, readRequestId, readTtl } from "./request-headers.ts";
import type { ReadAgain } from "./value-stream.ts";
import { encodePath, nameFrom, nameFromKey64, readTarget, type Target } from "./target.ts";

const OBJECT_METHODS = "GET, HEAD, PUT, DELETE";
const BUCKET_METHODS = "GET, HEAD, PUT, DELETE, POST";
/** A generated key is base64url of as many random bytes as a UUID has. */
const GENERATED_KEY_RANDOM_BYTES = 16;
const NO_META = { contentType: "", meta: [] };
const NO_BODY = new Uint8Array(0);

/** What a request is about, read and checked. */
interface Aim {
  readonly name: ObjectName;
  readonly parameters: ObjectParameters;
  /** Where a POST put it; "" for other methods. */
  readonly location: string;
}

export interface ObjectOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes of the largest value that is taken. */
  readonly valueBytesMax: number;
  /** Bytes of values on their way in at one time. */
  readonly bodyBytesMax: number;
  /** The only host that requests may name, besides localhost and the like; null or absent: any (host.ts). */
  readonly ownHost?: string | null;
  /** What the process around the node has to add to its statistics. */
  readonly statistics?: () => Record<string, number>;
  /** Where the acts of administrators are told; nowhere where it is absent. */
  readonly log?: Log;
}

export class ObjectRoutes {
  readonly #node: HttpNode;
  readonly #gate: Gate;
  readonly #compressions: Compressions;
  readonly #random: Random;
  readonly #values: IncomingValues;

  constructor(node: HttpNode, gate: Gate, compressions: Compressions, options: ObjectOptions) {
    const { clock, random, valueBytesMax, bodyBytesMax } = options;
    this.#node = node;
    this.#gate = gate;
    this.#compressions = compressions;
    this.#random = random;
    const bodies = new RequestBodies(clock, "value", bodyBytesMax);
    this.#values = new IncomingValues(node, clock, bodies, valueBytesMax);
  }

  /** Answers a request whose path goes on at `start`, behind "/kv/". Never throws or rejects. */
  handle(request: Request, start: number): Response | Promise<Response> {
    try {
      const method = request.method;
      const principal = this.#gate.enter(request);
      const target = readTarget(request.url, start);
      const { bucket, query } = target;
      if (principal !== null) permitTarget(principal, method, target);
      if (bucket !== null && isListing(method, query)) {
        return answerListing(this.#node, request, bucket, query, this.#compressions);
      }
      const aim = this.#aim(target, method);
      switch (method) {
        case "GET":
        case "HEAD":
          return this.#get(request, aim);
        case "PUT":
        case "POST":
          return this.#put(request, aim);
        default:
          return this.#delete(request, aim);
      }
    } catch (refusal) {
      return problemOf(refusal);
    }
  }

  #aim({ name, bucket, query }: Target, method: string): Aim {
    if (name !== null) {
      if (!isObjectMethod(method)) throw methodRefusal(method, OBJECT_METHODS);
      const parameters = readObjectParameters(query);
      if (parameters.key64 !== null) {
        throw new Refusal("bad-parameter", "The key is given twice, in the path and as key64.");
      }
      return { name, parameters, location: "" };
    }
    return this.#aimAtBucket(bucket ?? NO_BODY, query, method);
  }

  #aimAtBucket(bucket: Uint8Array, query: string, method: string): Aim {
    const isPost = method === "POST";
    if (!isPost && !isObjectMethod(method)) throw methodRefusal(method, BUCKET_METHODS);
    const parameters = readObjectParameters(query);
    if (isPost) return this.#aimAtNewKey(bucket, parameters);
    if (parameters.key64 === null) {
      const wanted = "/kv/{bucket}/{key} or /kv/{bucket}?key64=";
      throw new Refusal("bad-key", `The path has no key, want ${wanted}.`);
    }
    return { name: nameFromKey64(bucket, parameters.key64), parameters, location: "" };
  }

  #aimAtNewKey(bucket: Uint8Array, parameters: ObjectParameters): Aim {
    if (parameters.key64 !== null) {
      throw new Refusal("bad-parameter", "POST generates the key, want no key64 (or PUT with it).");
    }
    const random = new Uint8Array(GENERATED_KEY_RANDOM_BYTES);
    this.#random.fill(random);
    const key = encodeBase64Url(random);
    const name = nameFrom(bucket, fromLatin1(key));
    return { name, parameters, location: `/kv/${encodePath(bucket)}/${key}` };
  }

  #get(request: Request, aim: Aim): Response | Promise<Response> {
    const { r, pr, timeoutMs } = aim.parameters;
    return answered((answer) => {
      this.#node.store.get({ name: aim.name, options: { r, pr, timeoutMs } }, (result) => {
        answer(guarded(() => answerGet(request, result, this.#againFor(aim), this.#compressions)));
      });
    });
  }

  #delete(request: Request, aim: Aim): Promise<Response> {
    const put = this.#putRequest(request.headers, aim, NO_BODY, true);
    if (put.precondition?.absent === true) {
      throw new Refusal("bad-header", "If-None-Match: * makes no sense for DELETE, want If-Match.");
    }
    return answeredLater((answer) => {
      this.#node.store.put(put, (result) => {
        answer(guarded(() => answerDelete(result)));
      });
    });
  }

  #put(request: Request, aim: Aim): Promise<Response> {
    // Everything but the body is read first: what is refused anyway costs no upload.
    const put = this.#putRequest(request.headers, aim, NO_BODY, false);
    return new Promise((resolve) => {
      this.#values.read(request, aim.name, () => encodeMeta(put.meta), (value, refusal, release) => {
        const settle = (response: Response): void => {
          release();
          resolve(response);
        };
        if (value === null) return settle(problemOf(refusal));
        try {
          this.#node.store.put({ ...put, ...value }, (result: Result) => {
            const again = this.#againFor(aim);
            settle(guarded(() => answerPut(request, result, put.returnBody, aim.location, again)));
          });
        } catch (thrown) {
          // Nobody is above a callback: who waits for the answer would wait for ever.
          settle(problemOf(thrown));
        }
      });
    });
  }

  /** The same value of the object, from where it can be read by now. */
  #againFor({ name, parameters }: Aim): ReadAgain {
    const { r, pr, timeoutMs } = parameters;
    return ({ payload: lost, start }, done) => {
      this.#node.store.get({ name, options: { r, pr, timeoutMs } }, ({ siblings }) => {
        const found = siblings.find(({ body }) =>
          body instanceof LargeValue && body.start === start &&
          body.payload.length === lost.length && body.payload.checksum === lost.checksum
        );
        done(found?.body instanceof LargeValue ? found.body : null);
      });
    };
  }

  #putRequest(headers: Headers, aim: Aim, body: Uint8Array, isDelete: boolean): PutRequest {
    const { w, dw, pw, timeoutMs, returnBody } = aim.parameters;
    return {
      name: aim.name,
      context: headers.get("halo-context") ?? "",
      requestId: readRequestId(headers),
      meta: isDelete ? NO_META : readMeta(headers),
      body,
      isDelete,
      ttlSeconds: isDelete ? 0 : readTtl(headers),
      returnBody: returnBody && !isDelete,
      precondition: readPrecondition(headers),
      options: { w, dw, pw, timeoutMs },
    };
  }
}

/** An answer that is there already needs no promise; one that is not becomes one. */
function answered(
  begin: (answer: (response: Response) => void) => void,
): Response | Promise<Response> {
  let answer: (response: Response) => void = (response) => {
    early.response = response;
  };
  const early: { response: Response | null } = { response: null };
  begin((response) => answer(response));
  if (early.response !== null) return early.response;
  return new Promise((resolve) => {
    answer = resolve;
  });
}

/** @throws Refusal forbidden */
function permitTarget(principal: Principal, method: string, { name, bucket }: Target): void {
  const need = method === "GET" || method === "HEAD" ? "read" : "write";
  if (name === null) permit(principal, need, bucket);
  else permit(principal, need, name.bytes, name.bucketLength);
}

function isListing(method: string, query: string): boolean {
  return (method === "GET" || method === "HEAD") && !namesKey(query);
}

function isObjectMethod(method: string): boolean {
  return method === "GET" || method === "PUT" || method === "DELETE" || method === "HEAD";
}
