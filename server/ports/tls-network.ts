/**
 * The network with TLS: what tcp-network.ts does, behind a handshake of TLS in both directions.
 *
 * Who dials expects TLS. Where it is optional and the other side has none (it is still without, during
 * a rolling restart), the same address is dialled again without. A certificate that is refused is never
 * a reason to go without.
 */

import net from "node:net";
import tls from "node:tls";
import { createHash } from "node:crypto";
import type { Channel, Listener, Network, Socket, SocketHandler } from "./network.ts";
import { explain, formatAddress, listenTcp, noSocket, parseAddress, TcpSocket } from "./tcp-network.ts";
import { TLS_VERSION_MIN, type Tls } from "./tls.ts";
import { channelOf, explainTls, isCertificateError } from "./tls-channel.ts";
import { TlsDoor } from "./tls-door.ts";

export class TlsNetwork implements Network {
  readonly #tls: Tls;
  readonly #door: TlsDoor;

  constructor(owner: Tls) {
    this.#tls = owner;
    this.#door = new TlsDoor(owner, { plainAnswer: "", allowHalfOpen: false, isForNodes: true });
  }

  listen(
    address: string,
    accept: (socket: Socket) => SocketHandler,
    done: (listener: Listener | null, error: string) => void,
  ): void {
    listenTcp(address, (raw) => {
      const { remoteAddress, remotePort } = raw;
      const socket = new RisingSocket(formatAddress(remoteAddress ?? "unknown", remotePort ?? 0));
      const handler = accept(socket);
      socket.rise(raw, handler);
      this.#door.enter(raw, {
        stands: (stream, channel) => socket.stand(stream, channel),
        failed: (reason) => socket.fail(reason),
      });
    }, done);
  }

  connect(address: string, handler: SocketHandler): Socket {
    const place = parseAddress(address);
    if (place === null) return noSocket(address, handler);
    const socket = new RisingSocket(address);
    this.#dial(place, socket, handler);
    return socket;
  }

  #dial(place: { host: string; port: number }, socket: RisingSocket, handler: SocketHandler): void {
    const { current, config, isMutual } = this.#tls;
    const { certificate, key, authorities } = current.texts;
    const stream = tls.connect({
      ...place,
      ...(isMutual && authorities !== null ? { ca: authorities, cert: certificate, key } : {}),
      rejectUnauthorized: isMutual,
      // Judged with the other side's whole certificate, below.
      checkServerIdentity: () => undefined,
      minVersion: TLS_VERSION_MIN,
    });
    stream.setNoDelay(true);
    socket.rise(stream, handler);
    const timer = setTimeout(() => stream.destroy(new Error("no handshake in time")), config.handshakeMs);
    let isReached = false;
    let trouble: unknown = null;
    stream.once("connect", () => {
      isReached = true;
    });
    stream.on("error", (error: Error) => {
      trouble ??= error;
    });
    stream.once("secureConnect", () => {
      clearTimeout(timer);
      const shown = createHash("sha256").update(stream.getPeerCertificate().raw).digest();
      const channel = channelOf(stream, new Uint8Array(shown), this.#tls);
      if (channel.refusal === "") socket.stand(stream, channel);
      else this.#failed(socket, channel.refusal);
    });
    stream.once("close", () => {
      clearTimeout(timer);
      if (!socket.isRising) return;
      const mayBePlain = isReached && config.isOptional && !isCertificateError(trouble);
      if (mayBePlain) this.#dialPlain(place, socket, handler);
      else if (isCertificateError(trouble)) this.#failed(socket, `The node's certificate is refused: ${explainTls(trouble)}`);
      else if (isReached && isBroken(trouble)) socket.fail("the other side broke the handshake of TLS, or speaks none");
      else socket.fail(explainTls(trouble));
    });
  }

  #failed(socket: RisingSocket, why: string): void {
    this.#tls.failed(socket.remote, why);
    socket.fail(why);
  }

  #dialPlain(place: { host: string; port: number }, socket: RisingSocket, handler: SocketHandler): void {
    const stream = net.connect({ ...place, noDelay: true });
    socket.rise(stream, handler);
    const fail = (error: Error): void => socket.fail(explain(error));
    stream.once("error", fail);
    stream.once("close", () => socket.fail("closed"));
    stream.once("connect", () => {
      stream.off("error", fail);
      socket.stand(stream, null);
    });
  }
}

/** Whether the connection was closed, by whatever words. */
function isBroken(trouble: unknown): boolean {
  return trouble === null || (trouble instanceof Error && "code" in trouble && trouble.code === "ECONNRESET");
}

/** A socket whose stream is still in its handshake; then it is the stream's. */
class RisingSocket implements Socket {
  readonly remote: string;
  channel: Channel | null = null;
  isRising = true;
  #stream: net.Socket | null = null;
  #handler: SocketHandler | null = null;
  #inner: TcpSocket | null = null;

  constructor(remote: string) {
    this.remote = remote;
  }

  /** Names the stream that may come to stand; another one where that failed. */
  rise(stream: net.Socket, handler: SocketHandler): void {
    this.#stream = stream;
    this.#handler = handler;
  }

  stand(stream: net.Socket, channel: Channel | null): void {
    const handler = this.#handler;
    if (!this.isRising || handler === null) {
      stream.destroy();
      return;
    }
    this.isRising = false;
    this.channel = channel;
    this.#inner = new TcpSocket(stream, this.remote);
    this.#inner.serve(handler);
    handler.opened();
  }

  fail(reason: string): void {
    if (!this.isRising) return;
    this.isRising = false;
    this.#stream?.destroy();
    this.#handler?.closed(reason);
  }

  write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void {
    this.#inner?.write(bytes, length, release);
  }

  pendingBytes(): number {
    return this.#inner?.pendingBytes() ?? 0;
  }

  pause(): void {
    this.#inner?.pause();
  }

  resume(): void {
    this.#inner?.resume();
  }

  close(reason: string): void {
    if (this.#inner !== null) this.#inner.close(reason);
    else if (this.isRising) setImmediate(() => this.fail(reason));
  }
}
