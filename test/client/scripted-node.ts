/** A node that says what a test tells it to: greeting and layout as a real one, then a line of the script for each request. */

import {
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  KIND_GET,
  KIND_HELLO,
  KIND_MESSAGE,
  KIND_PUT,
  REPLY_BIT,
  writeFrameHeader,
} from "../../core/frame.ts";
import { FrameReader } from "../../core/frame-reader.ts";
import { writeU16 } from "../../core/bytes.ts";
import { encodeResult, readPut, RESULT_CODES, RESULT_OUTCOMES, type ResultBody } from "../../core/request-frames.ts";
import type { Socket, SocketHandler } from "../../server/ports/network.ts";
import { encodeMessage } from "../../server/wire/messages.ts";
import { SimulatedClock, type World } from "../simulation/clock.ts";
import type { SimulatedNetwork } from "../simulation/network.ts";

/** What a node does with a request: it answers, is silent, goes away, or talks nonsense. */
export type Line = Partial<Omit<ResultBody, "code" | "outcome">> & { code: string; outcome: string } | "silence" | "close" | "nonsense";

export const DONE: Line = { outcome: "done", code: "" };

export class ScriptedNode {
  readonly name: string;
  readonly id: string;
  /** The lines to come; the last is repeated. */
  script: Line[] = [DONE];
  /** Request ids of the PUTs that came, and when. */
  readonly puts: { id: string; atMs: number }[] = [];
  readonly #world: World;
  /** All that stand in the layout. */
  cast: readonly ScriptedNode[] = [this];

  constructor(world: World, network: SimulatedNetwork, name: string, digit: string) {
    this.#world = world;
    this.name = name;
    this.id = digit.repeat(16);
    const port = network.port(name, new SimulatedClock(world, name));
    port.listen(`${name}:7071`, (socket) => this.#serve(socket), () => {});
  }

  #serve(socket: Socket): SocketHandler {
    const reader = new FrameReader(FRAME_BYTES_MAX, ({ kind, correlation, bytes, start, end }) => {
      const answer = (body: Uint8Array): void => {
        const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
        writeFrameHeader(frame, 0, kind | REPLY_BIT, 0, 0, correlation, 1, body.length);
        frame.set(body, FRAME_HEADER_BYTES);
        socket.write(frame, frame.length, () => {});
      };
      if (kind === KIND_HELLO) answer(encodeMessage({ protocol: 1, cluster: "c", node: this.id, name: this.name }));
      if (kind === KIND_MESSAGE) answer(encodeMessage(this.#layout()));
      if (kind === KIND_PUT) this.#note(bytes, start, end);
      if (kind === KIND_PUT || kind === KIND_GET) this.#play(socket, answer);
      return true;
    });
    const take = (bytes: Uint8Array): void => void reader.take(bytes);
    return { opened: () => {}, received: take, drained: () => {}, closed: () => {} };
  }

  #note(bytes: Uint8Array, start: number, end: number): void {
    const put = readPut(bytes, start, end);
    const id = Buffer.from(put?.requestId ?? []).toString("hex");
    this.puts.push({ id, atMs: this.#world.now / 1_000 });
  }

  #play(socket: Socket, answer: (body: Uint8Array) => void): void {
    const line = this.script.length > 1 ? this.script.shift() : this.script[0];
    if (line === undefined || line === "silence") return;
    if (line === "close") return socket.close("as the script says");
    if (line === "nonsense") return socket.write(new Uint8Array(16).fill(255), 16, () => {});
    // Safe: the script names outcomes and codes that there are.
    const outcome = RESULT_OUTCOMES.indexOf(line.outcome as "done");
    const code = RESULT_CODES.indexOf(line.code as "");
    const nothing = { primaries: 0, fallbacks: 0, context: "", detail: line.code, etag: "", retryAfterMs: 0, set: null };
    return answer(encodeResult({ ...nothing, ...line, outcome, code }));
  }

  /** One partition; its owners are the cast, in order. */
  #layout(): unknown[] {
    const owners = new Uint8Array(2 * this.cast.length);
    this.cast.forEach((_, index) => writeU16(owners, 2 * index, index));
    return [1, 0, this.cast.length, this.cast.map(({ id, name }) => [id, name, `${name}:7071`]), owners, []];
  }
}
