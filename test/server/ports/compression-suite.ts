/** Compressing as bytes come: each coding of this runtime, undone by the runtime's own decoder. */

import zlib from "node:zlib";
import { type Coding, CODINGS, Compressor } from "../../../server/ports/compression.ts";
import type { Case } from "../../suite.ts";

type Decode = (bytes: Uint8Array) => Uint8Array;

const DECODE: Readonly<Record<Coding, Decode>> = {
  zstd: (bytes) => (zlib as unknown as { zstdDecompressSync: Decode }).zstdDecompressSync(bytes),
  br: (bytes) => zlib.brotliDecompressSync(bytes),
  gzip: (bytes) => zlib.gunzipSync(bytes),
};

/** Text that becomes smaller, no slice like another. */
function textOf(length: number): Uint8Array {
  let text = "";
  for (let number = 0; text.length < length; number++) text += `{"number":${number},"square":${number * number}}\n`;
  return new TextEncoder().encode(text.slice(0, length));
}

export const suite: Case[] = CODINGS.flatMap((coding) => [
  ...[0, 1, 1_000, 300_000].map((length) => ({
    name: `${coding}: ${length} bytes, in one piece and in many, are what they were`,
    async run(check) {
      const bytes = textOf(length);
      for (const step of [length + 1, 777, 100_000]) {
        const compressor = new Compressor(coding);
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < length; at += step) pieces.push(await compressor.push(bytes.slice(at, at + step)));
        pieces.push(await compressor.finish());
        compressor.close();
        const packed = Buffer.concat(pieces);
        check.ok(Buffer.from(DECODE[coding](packed)).equals(bytes), `in steps of ${step}`);
        if (length > 999) check.ok(packed.length < length / 2, `${packed.length} bytes of ${length}`);
      }
    },
  } satisfies Case)),
  {
    name: `${coding}: what goes in comes out on the way, not at the end alone`,
    async run(check) {
      const compressor = new Compressor(coding);
      const bytes = textOf(256 << 10);
      let early = 0;
      for (let round = 0; round < 16; round++) early += (await compressor.push(bytes)).length;
      const rest = (await compressor.finish()).length;
      compressor.close();
      check.ok(early > 4 * rest, `${early} bytes before the last ${rest}`);
    },
  },
  {
    name: `${coding}: closed while it works it does no harm`,
    async run(check) {
      const compressor = new Compressor(coding);
      const pushed = compressor.push(textOf(300_000)).then(() => "", () => "");
      compressor.close();
      const next = new Compressor(coding);
      await next.push(textOf(300_000));
      check.ok((await next.finish()).length > 0, "the next one works");
      next.close();
      void pushed;
    },
  },
]);
