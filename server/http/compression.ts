/**
 * Answers compressed, where the client asks for that and it pays.
 *
 *   too short │ a type that stays as large │ not asked for │ too many at a time    as it is
 *   else        body ─► compressor ─► client, a slice when the client has taken the one before
 *
 * They are looked at in this order, so that a small answer pays for one comparison. What an answer gets depends on
 * nothing else, so that HEAD says what GET does. A coded answer has a tag of its own and no ranges (entity-tag.ts).
 * A client that goes, or a value that cannot be read on, ends the compressor with the answer; one that reads slowly
 * keeps it, which is why their number is bounded: beyond it answers go out as they are.
 */

import { COMPRESSION_BYTES_MIN, COMPRESSIONS_MAX } from "../../core/limits.ts";
import { type Coding, Compressor } from "../ports/compression.ts";
import { chooseCoding, isCompressible } from "./content-coding.ts";
import { taggedAs } from "./entity-tag.ts";

/** Whether an answer with this content type, and so many bytes, is compressed for those who ask. */
export function isEncoded(contentType: string, length: number): boolean {
  return length >= COMPRESSION_BYTES_MIN && isCompressible(contentType);
}

export class Compressions {
  #running = 0;

  /** Those under way. */
  get running(): number {
    return this.#running;
  }

  /** An answer in the coding that its request asks for. @param length of its body in bytes, about */
  encode(request: Request, response: Response, length: number): Response {
    if (length < COMPRESSION_BYTES_MIN) return response;
    const { headers, status } = response;
    // What was stored compressed goes out as it was stored.
    if (headers.has("Content-Encoding") || !isEncoded(headers.get("Content-Type") ?? "", length)) return response;
    headers.append("Vary", "Accept-Encoding");
    const accepted = request.headers.get("accept-encoding");
    const coding = accepted === null || status === 206 ? null : chooseCoding(accepted);
    if (coding === null || this.#running >= COMPRESSIONS_MAX) return response;
    const body = request.method === "HEAD" ? unknownLength() : this.#compressed(response.body, coding);
    headers.set("Content-Encoding", coding);
    headers.delete("Content-Length");
    headers.delete("Accept-Ranges");
    const tag = headers.get("ETag");
    if (tag !== null) headers.set("ETag", taggedAs(tag, coding));
    return new Response(body, { status, headers });
  }

  /** The same of an answer that is not of the hot road: its body is in memory, and its length counted here. */
  async encodeWhole(request: Request, response: Response): Promise<Response> {
    if (response.body === null) return response;
    const bytes = await response.arrayBuffer();
    const { status, headers } = response;
    const isHead = request.method === "HEAD";
    if (isHead) headers.set("Content-Length", String(bytes.byteLength));
    return this.encode(request, new Response(isHead ? null : bytes, { status, headers }), bytes.byteLength);
  }

  #compressed(body: ReadableStream<Uint8Array> | null, coding: Coding): ReadableStream<Uint8Array> {
    const reader = (body ?? unknownLength()).getReader();
    const compressor = new Compressor(coding);
    this.#running++;
    let isEnded = false;
    const end = (): void => {
      if (isEnded) return;
      isEnded = true;
      this.#running--;
      compressor.close();
    };
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      for (;;) {
        const { done, value } = await reader.read();
        const bytes = await (done ? compressor.finish() : compressor.push(value));
        if (isEnded) return;
        if (bytes.length > 0) controller.enqueue(bytes);
        if (done) {
          end();
          return controller.close();
        }
        if (bytes.length > 0) return;
      }
    };
    const breakOff = (reason: unknown): Promise<void> => {
      end();
      return reader.cancel(reason);
    };
    return new ReadableStream<Uint8Array>({
      pull: (controller) =>
        pull(controller).catch(async (error: unknown) => {
          await breakOff(error).catch(() => {});
          throw error;
        }),
      cancel: breakOff,
    }, { highWaterMark: 0 });
  }
}

/** An empty body of which servers do not say that it is empty: for HEAD. */
function unknownLength(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.close() }, { highWaterMark: 0 });
}
