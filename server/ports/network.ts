/**
 * Byte streams between nodes, as the product sees them. The real ones are TCP (tcp-network.ts); the
 * simulator's lose, delay and cut (test/simulation/network.ts).
 *
 * Each `write` hands over whole frames: the simulator loses or repeats what one `write` gave, so a
 * frame is never torn by it. The real network may cut the bytes anywhere.
 */

export interface SocketHandler {
  /** The connection stands; writing may begin. */
  opened(): void;
  /** Bytes arrived; they are the handler's only until it returns. */
  received(bytes: Uint8Array): void;
  /** All that was written has been handed to the kernel. */
  drained(): void;
  /** The connection is gone, by whatever cause; called exactly once and last. */
  closed(reason: string): void;
}

/** What TLS knows of a connection (tls-channel.ts). */
export interface Channel {
  /** SHA-256 of the certificate that the listener showed, the same at both ends unless somebody is between them. */
  readonly binding: Uint8Array;
  /** Why who is at the other end is no node: one sentence; "" where nothing speaks against it. */
  readonly refusal: string;
}

export interface Socket {
  /** Sends bytes[0, length). The array is the socket's until it calls `release` (never before return). */
  write(bytes: Uint8Array, length: number, release: (bytes: Uint8Array) => void): void;
  /** Bytes written and not yet taken by the kernel. */
  pendingBytes(): number;
  /** Stops or resumes the delivery of received bytes (back-pressure). */
  pause(): void;
  resume(): void;
  /** Closes at once; `closed` follows, never before this returns. What the kernel has not taken is lost. */
  close(reason: string): void;
  /** Who is at the other end, for logs: "127.0.0.1:40312". */
  readonly remote: string;
  /** Known once the connection stands; null: it is plain. */
  readonly channel: Channel | null;
}

export interface Listener {
  /** host:port as bound: with port 0 the one that was found free. */
  readonly address: string;
  close(): void;
}

export interface Network {
  /** Listens on host:port; calls back later with the listener or with a sentence that says why not. */
  listen(
    address: string,
    accept: (socket: Socket) => SocketHandler,
    done: (listener: Listener | null, error: string) => void,
  ): void;
  /** Connects to host:port; `opened` or `closed` follows, never before this returns. */
  connect(address: string, handler: SocketHandler): Socket;
}
