/**
 * Where streams come in that speak TLS, or ought to: looks at the first bytes of each.
 *
 *   16 03 01…  ──► handshake ──► stands, with what TLS knows of the other side
 *   others     ──► stands as it is, where TLS is optional; else turned away, in words if there are any
 *   nothing, or no handshake within 10 s ──► closed
 *
 * No other protocol here begins so: HTTP begins with a letter, and a HELLO whose length read 16 03 01
 * would be longer than HELLOs may be. One server of the runtime, that listens nowhere, stands behind
 * the door for each set of certificates; so a stream knows which one it was shown.
 */

import type net from "node:net";
import tls from "node:tls";
import type { Certificates } from "./certificates.ts";
import type { Channel } from "./network.ts";
import { explain, formatAddress } from "./tcp-network.ts";
import { TLS_VERSION_MIN, type Tls } from "./tls.ts";
import { channelOf, explainTls } from "./tls-channel.ts";

const HANDSHAKE = 0x16;
const VERSION_MAJOR = 3;

/** Who waits for a stream to stand. */
export interface Arrival {
  stands(stream: net.Socket, channel: Channel | null): void;
  /** It is closed; called once, and not after `stands`. */
  failed(reason: string): void;
}

export interface DoorWays {
  /** What is said to who comes without TLS where it is required; "": nothing. */
  readonly plainAnswer: string;
  /** Whether a stream whose other side has finished may still be written to. */
  readonly allowHalfOpen: boolean;
  /** Whether nodes come in here, which show a certificate; a browser that is asked for one asks its user. */
  readonly isForNodes: boolean;
}

export class TlsDoor {
  readonly #tls: Tls;
  readonly #ways: DoorWays;
  /** Those in a handshake, by their address. */
  readonly #waiting = new Map<string, Entering>();
  #shown: Certificates | null = null;
  #server: tls.Server | null = null;

  constructor(owner: Tls, ways: DoorWays) {
    this.#tls = owner;
    this.#ways = ways;
  }

  /** Takes a stream that was just accepted. */
  enter(raw: net.Socket, arrival: Arrival): void {
    const entering = new Entering(raw, arrival, this.#tls.config.handshakeMs, (reason) => {
      // Its address may be another's by now.
      if (this.#waiting.get(entering.key) === entering) this.#waiting.delete(entering.key);
      if (reason !== "") this.#tls.failed(entering.key, reason);
    });
    raw.once("readable", () => this.#look(raw, entering));
  }

  #look(raw: net.Socket, entering: Entering): void {
    // Safe: no encoding was set, so it is bytes.
    const first = raw.read() as Uint8Array | null;
    if (first === null || entering.isOver) return;
    entering.hasSpoken = true;
    raw.unshift(first);
    if (first[0] === HANDSHAKE && (first.length < 2 || first[1] === VERSION_MAJOR)) this.#secure(raw, entering);
    else if (this.#tls.config.isOptional) entering.stands(raw, null);
    else {
      if (this.#ways.plainAnswer !== "") raw.end(this.#ways.plainAnswer);
      entering.fail("it speaks no TLS, which is required here");
    }
  }

  #secure(raw: net.Socket, entering: Entering): void {
    this.#waiting.set(entering.key, entering);
    this.#serverOfNow().emit("connection", raw);
  }

  #serverOfNow(): tls.Server {
    const { current } = this.#tls;
    if (this.#server !== null && this.#shown === current) return this.#server;
    const { certificate, key, authorities } = current.texts;
    const { isForNodes, allowHalfOpen } = this.#ways;
    const server = tls.createServer({
      cert: certificate,
      key,
      ...(isForNodes && authorities !== null ? { ca: authorities, requestCert: true, rejectUnauthorized: false } : {}),
      minVersion: TLS_VERSION_MIN,
      allowHalfOpen,
    }, (stream) => {
      const entering = this.#waiting.get(keyOf(stream));
      // One that was broken at this very moment has no address any more, and nobody who waits for it.
      if (entering === undefined) stream.on("error", () => stream.destroy()).destroy();
      else entering.stands(stream, channelOf(stream, current.fingerprint, this.#tls));
    });
    server.on("tlsClientError", (error, stream) => this.#waiting.get(keyOf(stream))?.fail(explainTls(error)));
    this.#shown = current;
    this.#server = server;
    return server;
  }
}

/** A stream on its way in; ends once. */
class Entering {
  readonly key: string;
  isOver = false;
  hasSpoken = false;
  readonly #raw: net.Socket;
  readonly #arrival: Arrival;
  readonly #over: (failure: string) => void;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(raw: net.Socket, arrival: Arrival, handshakeMs: number, over: (failure: string) => void) {
    this.key = keyOf(raw);
    this.#raw = raw;
    this.#arrival = arrival;
    this.#over = over;
    this.#timer = setTimeout(() => this.fail("no handshake in time"), handshakeMs);
    // Who comes and goes without a word looks whether somebody is here.
    raw.on("error", (error) => this.fail(this.hasSpoken ? explain(error) : ""));
    raw.on("end", () => this.fail(""));
    raw.on("close", () => this.fail(this.hasSpoken ? "closed during the handshake" : ""));
  }

  stands(stream: net.Socket, channel: Channel | null): void {
    if (this.isOver) return;
    this.#end("");
    this.#arrival.stands(stream, channel);
  }

  /** @param reason "" where it is nobody's business */
  fail(reason: string): void {
    if (this.isOver) return;
    this.#end(reason);
    // What was answered still has to leave; nothing more is read.
    if (this.#raw.writableEnded) this.#raw.destroySoon();
    else this.#raw.destroy();
    this.#arrival.failed(reason || "closed by the other side");
  }

  #end(failure: string): void {
    this.isOver = true;
    clearTimeout(this.#timer);
    this.#over(failure);
  }
}

function keyOf({ remoteAddress, remotePort }: net.Socket): string {
  return formatAddress(remoteAddress ?? "unknown", remotePort ?? 0);
}
