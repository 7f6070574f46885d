/**
 * One connection, from either side: frames in, frames out, and the limits of both.
 *
 *   socket ──bytes──► FrameReader ──frame──► owner (the link that this connection serves)
 *   socket ◄─write── OutgoingFrames ◄─reserve── whoever sends
 *
 * Outgoing frames are written straight into pooled buffers and flushed once a turn of the event
 * loop. A flush waits while the kernel has not taken the one before: what comes meanwhile is
 * packed, so that a slow reader holds the bytes that wait for it and not a buffer for each turn.
 *
 * Back-pressure. Requests are refused (-1) beyond `outBytesMax`. Replies cannot be refused: beyond
 * `replyBytesPause` nothing more is read from that peer, so it cannot ask for more; one that takes
 * nothing for `stallMs`, or lets `replyBytesMax` pile up, is cut off. Each limit is checked before
 * a frame is added, so the largest frame always fits into an empty queue.
 *
 * Invariants: `closed` is told exactly once and last; no frame is told after close().
 */

import { FRAME_HEADER_BYTES, type FrameView, REPLY_BIT } from "../../core/frame.ts";
import { FrameReader } from "../../core/frame-reader.ts";
import type { Channel, Socket, SocketHandler } from "../ports/network.ts";
import { OutgoingFrames } from "./outgoing-frames.ts";
import type { TimerTarget } from "./timer-wheel.ts";
import type { Flushable, Wiring } from "./wiring.ts";

/** The link that a connection serves. */
export interface ConnectionOwner {
  opened(connection: Connection): void;
  /** A frame came; the view is valid until this returns. */
  frame(frame: FrameView, connection: Connection): void;
  /** The connection is gone; called exactly once and last. */
  closed(connection: Connection, reason: string): void;
}

export class Connection implements SocketHandler, Flushable, TimerTarget {
  readonly #wiring: Wiring;
  readonly #owner: ConnectionOwner;
  readonly #outgoing: OutgoingFrames;
  readonly #reader: FrameReader;
  #socket: Socket | null = null;
  #state: "opening" | "open" | "finishing" | "closing" | "closed" = "opening";
  #flushAsked = false;
  #readingPaused = false;
  #writtenBytes = 0;
  #stallTimer = 0;
  #finishReason = "";

  /** @param frameBytesMax the largest frame to accept until `accept` says otherwise */
  constructor(wiring: Wiring, owner: ConnectionOwner, frameBytesMax: number) {
    this.#wiring = wiring;
    this.#owner = owner;
    this.#outgoing = new OutgoingFrames(wiring.pool);
    this.#reader = new FrameReader(frameBytesMax, (frame) => this.#take(frame));
  }

  /** Names the socket that feeds this connection; once, before anything else. */
  attach(socket: Socket): void {
    this.#socket = socket;
  }

  /** Who is at the other end, for logs. */
  get remote(): string {
    return this.#socket?.remote ?? "";
  }

  /** What TLS knows of it; null: it is plain. */
  get channel(): Channel | null {
    return this.#socket?.channel ?? null;
  }

  /** Whether frames can be sent. */
  get usable(): boolean {
    return this.#state === "open";
  }

  /** Where the body of the frame that was reserved last is to be written. */
  get buffer(): Uint8Array {
    return this.#outgoing.buffer;
  }

  /** Bytes of frames that the kernel has not taken. */
  get outBytes(): number {
    return this.#outgoing.bytes + (this.#socket === null ? 0 : this.#socket.pendingBytes());
  }

  /** The largest frame to accept from now on. */
  set frameBytesMax(limit: number) {
    this.#reader.frameBytesMax = limit;
  }

  /**
   * Makes room for a frame and returns the offset of its body in `buffer`, or -1: closed, full, or
   * the frame is beyond the limit. The frame is complete when the caller has filled `bodyLength`
   * bytes; it must do so before it reserves another and before it returns to the event loop.
   */
  reserve(
    kind: number,
    flags: number,
    status: number,
    correlation: number,
    layout: number,
    bodyLength: number,
  ): number {
    if (this.#state !== "open") return -1;
    if (bodyLength + FRAME_HEADER_BYTES > this.#wiring.limits.frameBytesMax) return -1;
    if (!this.#hasRoom((kind & REPLY_BIT) !== 0)) return -1;
    this.#askFlush();
    return this.#outgoing.reserve(kind, flags, status, correlation, layout, bodyLength);
  }

  /**
   * Sends frames that were written before this connection stood. REQUIRES: usable, nothing sent
   * this turn.
   */
  send(frames: OutgoingFrames): void {
    const socket = this.#socket;
    if (socket === null || this.#state !== "open") return;
    this.#count(frames);
    frames.sendTo(socket);
  }

  /**
   * Closes when the kernel has taken all that was reserved. Frames that come meanwhile are not
   * told.
   */
  finish(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "finishing";
    this.#finishReason = reason;
    if (this.outBytes === 0) this.close(reason);
  }

  /** Closes at once; `closed` follows later. Harmless when closed. */
  close(reason: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#outgoing.clear();
    this.#socket?.close(reason);
  }

  /** Closes because of bytes that have no place here: counted and logged. */
  malformed(what: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#wiring.counters.malformed++;
    this.#wiring.ports.log.warn("malformed frame", { remote: this.remote, what });
    this.close(what);
  }

  // Told by the socket.

  opened(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#owner.opened(this);
  }

  received(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#wiring.counters.bytesIn += bytes.length;
    const wrong = this.#reader.take(bytes);
    if (wrong !== "") this.malformed(wrong);
  }

  drained(): void {
    if (this.#outgoing.bytes > 0) {
      this.#write();
      return;
    }
    if (this.#state === "finishing") this.close(this.#finishReason);
    else this.#resumeReading();
  }

  closed(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#outgoing.clear();
    this.#wiring.wheel.cancel(this.#stallTimer);
    this.#owner.closed(this, reason);
  }

  // Told at the end of the turn, and when the reader had its time.

  flush(): void {
    this.#flushAsked = false;
    if (this.#outgoing.bytes > 0) this.#write();
  }

  expired(takenBytes: number): void {
    if (!this.#readingPaused) return;
    if (takenBytes === this.#takenBytes()) this.#cutOff("it takes nothing");
    else this.#watchReader();
  }

  #take(frame: FrameView): boolean {
    this.#wiring.counters.framesIn++;
    this.#owner.frame(frame, this);
    return this.#state === "open";
  }

  #hasRoom(isReply: boolean): boolean {
    const limits = this.#wiring.limits;
    const bytes = this.outBytes;
    if (!isReply) return bytes < limits.outBytesMax;
    if (bytes >= limits.replyBytesMax) {
      this.#cutOff(`${bytes} bytes of replies wait`);
      return false;
    }
    if (bytes >= limits.replyBytesPause) this.#pauseReading();
    return true;
  }

  #pauseReading(): void {
    if (this.#readingPaused) return;
    this.#readingPaused = true;
    this.#socket?.pause();
    this.#watchReader();
  }

  #watchReader(): void {
    const { wheel, limits } = this.#wiring;
    this.#stallTimer = wheel.schedule(limits.stallMs, this, this.#takenBytes());
  }

  /** What the kernel has taken so far: it grows while the other side reads. */
  #takenBytes(): number {
    return this.#writtenBytes - (this.#socket === null ? 0 : this.#socket.pendingBytes());
  }

  #resumeReading(): void {
    if (!this.#readingPaused) return;
    this.#readingPaused = false;
    this.#wiring.wheel.cancel(this.#stallTimer);
    this.#socket?.resume();
  }

  #cutOff(why: string): void {
    this.#wiring.counters.stalled++;
    this.#wiring.ports.log.warn("reader cut off", { remote: this.remote, why });
    this.close(`does not read: ${why}`);
  }

  #askFlush(): void {
    if (this.#flushAsked) return;
    this.#flushAsked = true;
    this.#wiring.flushSoon(this);
  }

  #write(): void {
    const socket = this.#socket;
    if (socket === null || this.#state === "closing" || this.#state === "closed") return;
    if (socket.pendingBytes() > 0) return;
    if (!this.#wiring.maySend()) {
      this.close("what was written cannot be kept");
      return;
    }
    this.#count(this.#outgoing);
    this.#outgoing.sendTo(socket);
  }

  #count(frames: OutgoingFrames): void {
    this.#wiring.counters.framesOut += frames.frames;
    this.#wiring.counters.bytesOut += frames.bytes;
    this.#writtenBytes += frames.bytes;
  }
}
