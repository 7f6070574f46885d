/** How an application's values become bytes, and bytes its values. */

import { type HaloError, refusal } from "./halo-error.ts";

export interface Codec<Value> {
  /** What a value is stored as, unless a put says otherwise. */
  readonly contentType: string;
  /** What `encode` compresses with, as in "gzip", unless a put says otherwise; default: it does not. */
  readonly contentEncoding?: string;
  encode(value: Value): Uint8Array;
  /**
   * The bytes are lent: what is kept of them is copied.
   * @param contentEncoding what they are compressed with by who stored them, as in "gzip"; null: nothing
   */
  decode(bytes: Uint8Array, contentType: string, contentEncoding: string | null): Value;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Values as JSON. The type is the application's word: what others have stored is not looked at. */
export function json<Value>(): Codec<Value> {
  return {
    contentType: "application/json",
    encode: (value) => {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) throw refusal("bad-value", "The value cannot be said in JSON");
      return encoder.encode(text);
    },
    decode: (bytes, ...stored) => {
      try {
        // Safe as far as the application's word is.
        return JSON.parse(decoder.decode(bytes)) as Value;
      } catch {
        throw unreadable("JSON", ...stored);
      }
    },
  };
}

/** Values as text. */
export const text: Codec<string> = {
  contentType: "text/plain; charset=utf-8",
  encode: (value) => encoder.encode(value),
  decode: (bytes, ...stored) => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw unreadable("UTF-8", ...stored);
    }
  },
};

/** Values as they are. */
export const bytes: Codec<Uint8Array> = {
  contentType: "application/octet-stream",
  encode: (value) => value,
  decode: (value) => value.slice(),
};

function unreadable(wanted: string, contentType: string, contentEncoding: string | null): HaloError {
  const stored = contentEncoding === null ? contentType : `${contentType}, compressed with ${contentEncoding}`;
  return refusal("bad-value", `A stored value (${stored}) is no ${wanted}; give the bucket another codec`);
}
