/**
 * The objects of one bucket, as values of one type.
 *
 *   get       the value; where several were written at once, what `resolve` makes of them
 *   siblings  all of them, with the context that a put needs to replace them
 *   put       a new version: it replaces what its context covers, and stands beside the rest
 *   update    read, change, put
 *   keys      the names, page after page
 *
 * Whatever is not done rejects with a HaloError, whose outcome says whether it may have happened all the same.
 */

import { LIST_KEYS_MAX } from "../core/limits.ts";
import { PUT_DELETE, PUT_IF_ABSENT, type ResultBody } from "../core/request-frames.ts";
import { drawRequestId } from "../core/request-id.ts";
import type { Codec } from "./codec.ts";
import { refusal } from "./halo-error.ts";
import { listQuestion } from "./list-question.ts";
import { getQuestion, putQuestion } from "./object-question.ts";
import {
  bucketBytesOf,
  checkTimeout,
  checkTtl,
  checkValue,
  type DeleteOptions,
  etagsOf,
  metaOf,
  nameOf,
  type PutOptions,
  quorumByte,
  type ReadOptions,
} from "./options.ts";
import type { Requests } from "./requests.ts";
import { type Resolve, type Sibling, siblingsOf } from "./sibling.ts";

/** Text is taken as UTF-8. */
export type Key = string | Uint8Array;

/** All that is stored under a key. */
export interface Siblings<Value> {
  /** Oldest first; empty: there is nothing. */
  readonly siblings: readonly Sibling<Value>[];
  /** What a put brings that replaces all this; "" where nothing was ever stored. */
  readonly context: string;
  /** For `ifMatch`; "" where there is nothing. */
  readonly etag: string;
}

export interface Found<Value> extends Siblings<Value> {
  /** The one sibling's, or what `resolve` made of several. */
  readonly value: Value;
}

export interface Written {
  /** What the next put brings that goes on from this one. */
  readonly context: string;
  /** Of what was written, for `ifMatch`. */
  readonly etag: string;
}

export interface KeysOptions {
  /** Keys that begin with it. */
  readonly prefix?: Key;
  /** Keys in a page, 1 to 10,000; default: 1,000. */
  readonly pageSize?: number;
  readonly r?: ReadOptions["r"];
  /** For each page; default: the client's. */
  readonly timeoutMs?: number;
  /** Ends it, with the code "aborted". */
  readonly signal?: AbortSignal | undefined;
}

/** What a bucket is made of; see Halo.bucket. */
export interface BucketParts<Value> {
  readonly requests: Requests;
  readonly name: string;
  readonly codec: Codec<Value>;
  readonly resolve: Resolve<Value> | null;
  readonly timeoutMs: number;
}

const PAGE_KEYS = 1_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);

export class Bucket<Value> {
  readonly name: string;
  readonly #parts: BucketParts<Value>;
  readonly #bytes: Uint8Array;

  constructor(parts: BucketParts<Value>) {
    this.name = parts.name;
    this.#parts = parts;
    this.#bytes = bucketBytesOf(parts.name);
  }

  /** The value, or null where there is none. Rejects with the code `siblings` where there are several and no `resolve`. */
  async get(key: Key, options: ReadOptions = {}): Promise<Found<Value> | null> {
    const found = await this.siblings(key, options);
    return found.siblings.length === 0 ? null : { ...found, value: this.#valueOf(key, found) };
  }

  /** All that is stored under a key. */
  async siblings(key: Key, options: ReadOptions = {}): Promise<Siblings<Value>> {
    const get = {
      name: nameOf(this.#bytes, key),
      r: quorumByte("r", options.r),
      pr: quorumByte("pr", options.pr),
      timeoutMs: checkTimeout(options.timeoutMs ?? this.#parts.timeoutMs),
      flags: 0,
    };
    return await this.#parts.requests.ask(getQuestion(get, (result) => this.#read(result)), options.signal);
  }

  /** Stores a value. Without a context it replaces nothing: what is there becomes a sibling. */
  async put(key: Key, value: Value, options: PutOptions = {}): Promise<Written> {
    const { codec } = this.#parts;
    const body = checkValue(codec.encode(value));
    const { contentType = codec.contentType, contentEncoding = codec.contentEncoding } = options;
    const meta = metaOf(contentType, options.meta ?? {}, contentEncoding);
    return await this.#write(key, options, meta, body, options.ifAbsent === true ? PUT_IF_ABSENT : 0);
  }

  /** Deletes what the context covers, or, without one, all that is there. */
  async delete(key: Key, options: DeleteOptions = {}): Promise<Written> {
    return await this.#write(key, options, NOTHING, NOTHING, PUT_DELETE);
  }

  /**
   * Reads, changes and stores. `change` gets undefined where there is no value, and stores nothing by returning it.
   * Two updates at once both count: they leave siblings, which the next read resolves.
   */
  async update(
    key: Key,
    change: (value: Value | undefined) => Value | undefined | Promise<Value | undefined>,
    options: Omit<PutOptions, "context" | "ifMatch" | "ifAbsent"> & ReadOptions = {},
  ): Promise<Value | undefined> {
    const found = await this.siblings(key, options);
    const changed = await change(found.siblings.length === 0 ? undefined : this.#valueOf(key, found));
    if (changed !== undefined) await this.put(key, changed, { ...options, context: found.context });
    return changed;
  }

  /**
   * The keys as text, in the order of the ring. Every key that is there throughout comes once. Throws with the code
   * `bad-key` at one that is no UTF-8: see rawKeys.
   */
  async *keys(options: KeysOptions = {}): AsyncGenerator<string, void, undefined> {
    for await (const key of this.rawKeys(options)) yield textOf(key);
  }

  /** The keys as bytes. Holds one page at a time. */
  async *rawKeys(options: KeysOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const { prefix = NOTHING, pageSize = PAGE_KEYS } = options;
    const order = {
      bucket: this.#bytes,
      prefix: typeof prefix === "string" ? encoder.encode(prefix) : prefix,
      limit: checkPageSize(pageSize),
      r: quorumByte("r", options.r),
      timeoutMs: checkTimeout(options.timeoutMs ?? this.#parts.timeoutMs),
    };
    let cursor = "";
    do {
      const page = await this.#parts.requests.ask(listQuestion({ ...order, cursor }), options.signal);
      yield* page.keys;
      cursor = page.cursor;
    } while (cursor !== "");
  }

  #read({ set, context, etag }: ResultBody): Siblings<Value> {
    return { siblings: set === null ? [] : siblingsOf(set, this.#parts.codec), context, etag };
  }

  #valueOf(key: Key, { siblings, context }: Siblings<Value>): Value {
    if (siblings.length === 1) return siblings[0].value;
    const { resolve } = this.#parts;
    if (resolve !== null) return resolve(siblings);
    const shown = typeof key === "string" ? key : `${key.length} bytes`;
    const detail = `${this.name}/${shown} has ${siblings.length} siblings: give the bucket a resolve function, or read siblings()`;
    throw refusal("siblings", detail, context);
  }

  #write(key: Key, options: PutOptions, meta: Uint8Array, body: Uint8Array, flags: number): Promise<Written> {
    const { requests, timeoutMs } = this.#parts;
    const { context = "" } = options;
    const put = {
      name: nameOf(this.#bytes, key),
      context: encoder.encode(context),
      etags: etagsOf(options.ifMatch),
      meta,
      body,
      requestId: drawRequestId(requests.runtime.nowMs(), (bytes) => requests.runtime.fill(bytes)),
      timeoutMs: checkTimeout(options.timeoutMs ?? timeoutMs),
      ttlSeconds: checkTtl(options.ttlSeconds),
      w: quorumByte("w", options.w),
      dw: quorumByte("dw", options.dw),
      pw: quorumByte("pw", options.pw),
      flags,
    };
    const question = putQuestion(put, context, (result) => ({ context: result.context, etag: result.etag }));
    return requests.ask(question, options.signal);
  }
}

function checkPageSize(pageSize: number): number {
  if (Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= LIST_KEYS_MAX) return pageSize;
  throw refusal("bad-parameter", `pageSize is ${pageSize}, wanted is a whole number from 1 to ${LIST_KEYS_MAX}`);
}

function textOf(key: Uint8Array): string {
  try {
    return decoder.decode(key);
  } catch {
    throw refusal("bad-key", "A key of the bucket is no UTF-8; rawKeys() gives keys as bytes");
  }
}
