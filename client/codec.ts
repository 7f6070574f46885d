/** How an application's values become bytes, and bytes its values. */

import { refusal } from "./halo-error.ts";

export interface Codec<Value> {
  /** What a value is stored as, unless a put says otherwise. */
  readonly contentType: string;
  encode(value: Value): Uint8Array;
  /** The bytes are lent: what is kept of them is copied. */
  decode(bytes: Uint8Array, contentType: string): Value;
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
    decode: (bytes, contentType) => {
      try {
        // Safe as far as the application's word is.
        return JSON.parse(decoder.decode(bytes)) as Value;
      } catch {
        throw refusal("bad-value", `A stored value (${contentType}) is no JSON; give the bucket another codec`);
      }
    },
  };
}

/** Values as text. */
export const text: Codec<string> = {
  contentType: "text/plain; charset=utf-8",
  encode: (value) => encoder.encode(value),
  decode: (bytes, contentType) => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw refusal("bad-value", `A stored value (${contentType}) is no UTF-8; give the bucket another codec`);
    }
  },
};

/** Values as they are. */
export const bytes: Codec<Uint8Array> = {
  contentType: "application/octet-stream",
  encode: (value) => value,
  decode: (value) => value.slice(),
};
