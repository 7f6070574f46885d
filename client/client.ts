/**
 * The client library: straight from the application to a node that coordinates what it asks.
 *
 *   connect ─► Halo ─► Bucket ─► Requests ─► Attempts ─► RemoteNode ─► Connection
 *                                               └── Routes: which nodes, in which order
 *
 * It knows the layout, sends each request to an owner of the object's partition, and goes on to others where one is
 * slow, gone or refuses, within the request's deadline and under one request id.
 */

import { TIMEOUT_MS_DEFAULT } from "../core/limits.ts";
import { Bucket } from "./bucket.ts";
import { type Codec, json } from "./codec.ts";
import { refusal } from "./halo-error.ts";
import { checkTimeout } from "./options.ts";
import { Relays } from "./relays.ts";
import { Requests } from "./requests.ts";
import type { Routes } from "./routes.ts";
import { parseAddress, type Runtime, runtimeOf, type TlsOptions } from "./runtime.ts";
import type { Resolve } from "./sibling.ts";
import { Topology } from "./topology.ts";

export { Bucket } from "./bucket.ts";
export type { Found, Key, KeysOptions, Siblings, Written } from "./bucket.ts";
export { bytes, json, text } from "./codec.ts";
export type { Codec } from "./codec.ts";
export { HaloError } from "./halo-error.ts";
export type { Outcome } from "./halo-error.ts";
export type { DeleteOptions, PutOptions, Quorum, ReadOptions, WriteOptions } from "./options.ts";
export { lastWriteWins, union } from "./resolvers.ts";
export type { TlsOptions } from "./runtime.ts";
export type { Resolve, Sibling } from "./sibling.ts";

export interface ConnectOptions {
  /** What this client may do, where the cluster has a secret: `halo token add`. */
  readonly token?: string;
  /** TLS with the nodes; default: none. */
  readonly tls?: TlsOptions | boolean;
  /**
   * Only these addresses are dialled: they are a load balancer's, or a tunnel's. Default: they lead to all nodes, and
   * each request goes straight to one that coordinates it.
   */
  readonly addressesOnly?: boolean;
  /** For all attempts of a request together; default: 5,000. */
  readonly timeoutMs?: number;
  /** To each node; further ones are dialled as much is under way. Default: 2. */
  readonly connectionsMax?: number;
  /** Requests under way at once; further ones wait. Default: 1,024. */
  readonly requestsMax?: number;
}

export interface BucketOptions<Value> {
  /** Makes one value of several that were written at once. */
  readonly resolve?: Resolve<Value>;
  /** How values become bytes; default: JSON. */
  readonly codec?: Codec<Value>;
  /** For all attempts of a request together; default: the client's. */
  readonly timeoutMs?: number;
}

const CONNECTIONS_DEFAULT = 2;
const REQUESTS_DEFAULT = 1_024;

/**
 * A client of the cluster that these nodes belong to; one or two of them are enough. Dials at the first request.
 * @param addresses of the binary protocol, "host:port", separated by commas
 */
export function connect(addresses: string | readonly string[], options: ConnectOptions = {}): Halo {
  return new Halo(runtimeOf(tlsOf(options.tls ?? false)), addresses, options);
}

function tlsOf(tls: TlsOptions | boolean): TlsOptions | null {
  if (typeof tls === "boolean") return tls ? {} : null;
  // A runtime that finds no certificate in it would trust nobody, and not say why.
  if (tls.ca === undefined || tls.ca.includes("-----BEGIN CERTIFICATE-----")) return tls;
  throw refusal("bad-parameter", "tls.ca has no certificate in it, wanted is PEM text");
}

export class Halo {
  readonly #routes: Routes;
  readonly #requests: Requests;
  readonly #timeoutMs: number;

  /** See connect. */
  constructor(runtime: Runtime, addresses: string | readonly string[], options: ConnectOptions = {}) {
    const { token = "", connectionsMax = CONNECTIONS_DEFAULT, requestsMax = REQUESTS_DEFAULT } = options;
    checkCount("connectionsMax", connectionsMax);
    checkCount("requestsMax", requestsMax);
    this.#timeoutMs = checkTimeout(options.timeoutMs ?? TIMEOUT_MS_DEFAULT);
    const Kind = options.addressesOnly === true ? Relays : Topology;
    this.#routes = new Kind(runtime, seedsOf(addresses), { token, connectionsMax });
    this.#requests = new Requests(runtime, this.#routes, requestsMax);
  }

  /** The objects of a bucket. */
  bucket<Value = unknown>(name: string, options: BucketOptions<Value> = {}): Bucket<Value> {
    return new Bucket({
      requests: this.#requests,
      name,
      codec: options.codec ?? json<Value>(),
      resolve: options.resolve ?? null,
      timeoutMs: checkTimeout(options.timeoutMs ?? this.#timeoutMs),
    });
  }

  /** Ends what is under way (a write that was sent ends as unknown) and closes all connections. */
  close(): void {
    this.#requests.close();
    this.#routes.close();
  }
}

function seedsOf(addresses: string | readonly string[]): string[] {
  const given = typeof addresses === "string" ? addresses.split(",") : addresses;
  const seeds = [...new Set(given.map((address) => address.trim()))];
  for (const seed of seeds) {
    if (parseAddress(seed) !== null) continue;
    throw refusal("bad-parameter", `The address is "${seed}", wanted is host:port`);
  }
  return seeds;
}

function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw refusal("bad-parameter", `${name} is ${count}, wanted is a whole number from 1 on`);
}
