/** Base64 in both alphabets, by the runtime's own means or by ours: RFC 4648's vectors, and nothing else is let in. */

import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from "../../../server/http/bytes.ts";
import { SeededRandom } from "../../random.ts";
import type { Case } from "../../suite.ts";

const VECTORS = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];

export const suite: readonly Case[] = [
  {
    name: "base64 is RFC 4648's, and comes back with and without its padding",
    run(check) {
      const bytes = new TextEncoder().encode("foobar");
      VECTORS.forEach((text, length) => {
        const piece = bytes.slice(0, length);
        check.equal(encodeBase64(bytes.subarray(0, length)), text, `${length} bytes of more`);
        check.same(decodeBase64(text), piece, text);
        check.same(decodeBase64(text.replace(/=+$/, "")), piece, `${text} without padding`);
      });
      check.equal(encodeBase64(Uint8Array.of(251, 255)), "+/8=", "the last two letters");
      check.equal(encodeBase64Url(Uint8Array.of(251, 255)), "-_8", "and those for URLs");
      check.same(decodeBase64Url("-_8"), Uint8Array.of(251, 255), "back");
    },
  },
  {
    name: "any bytes come back, also long ones",
    run(check) {
      const random = new SeededRandom(4648);
      for (const length of [1, 2, 3, 255, 65_536, 200_001]) {
        const bytes = new Uint8Array(length);
        random.fill(bytes);
        check.same(decodeBase64(encodeBase64(bytes)), bytes, `${length} bytes`);
        check.same(decodeBase64Url(encodeBase64Url(bytes)), bytes, `${length} bytes in a URL`);
      }
    },
  },
  {
    name: "what is no base64 is refused: other letters, spaces, an impossible length, padding within",
    run(check) {
      for (const text of ["A", "AAAAA", "A===", "Zm9v Zg==", "Zm9v\n", "Zg==Zg==", "Zm9*", "=", "Zg=", "é"]) {
        check.equal(decodeBase64(text), null, JSON.stringify(text));
        check.equal(decodeBase64Url(text), null, `${JSON.stringify(text)} in a URL`);
      }
      check.equal(decodeBase64("-_8"), null, "letters for URLs elsewhere");
      check.equal(decodeBase64Url("+/8"), null, "and others in a URL");
    },
  },
];
