/**
 * What the generator must know of a protocol: how a request looks, and where an answer ends.
 *
 * A request is one prebuilt byte string in which only the key changes. Each connection has its own
 * copy and one request in flight, so that the bytes are free again when the answer is there.
 */

/** Finds the first answer in the bytes that came. */
export interface ReplyReader {
  /** Whether the last complete answer was the wanted one; valid after `read` answered above 0. */
  readonly ok: boolean;
  /** The first unwanted answer in one line, for the report; "" while there was none. */
  readonly complaint: string;
  /**
   * @returns bytes of the first answer in bytes[start, end), 0 while it is incomplete
   * @throws Error where the bytes are no answer at all
   */
  read(bytes: Uint8Array, start: number, end: number): number;
}

/** One kind of request on one connection, and the reader of its answers. */
export interface Call {
  readonly request: RequestTemplate;
  readonly reply: ReplyReader;
}

/** How to put and get on one system; each call makes bytes of its own for one connection. */
export interface Exchange {
  put(): Call;
  get(): Call;
}

/** A prebuilt request and the places of the key in it. */
export class RequestTemplate {
  readonly bytes: Uint8Array;
  readonly #places: readonly number[];
  readonly #write: (target: Uint8Array, start: number, index: number) => void;

  /**
   * @param text the request with key number 0 in it
   * @param mark how that key looks in it; every occurrence is a place where the key goes
   * @param write writes another key at such a place
   * @throws Error where the mark is not in the text
   */
  constructor(
    text: string,
    mark: string,
    write: (target: Uint8Array, start: number, index: number) => void,
  ) {
    this.bytes = new TextEncoder().encode(text);
    this.#places = placesOf(text, mark);
    this.#write = write;
  }

  /** The first place of the key, as it is now: a view that changes with `setKey`. */
  key(length: number): Uint8Array {
    return this.bytes.subarray(this.#places[0], this.#places[0] + length);
  }

  setKey(index: number): void {
    for (const place of this.#places) this.#write(this.bytes, place, index);
  }
}

function placesOf(text: string, mark: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) places.push(at);
  if (places.length === 0) throw new Error(`no key "${mark}" in the request "${text}"`);
  return places;
}
