/** Base64 of a value that comes in pieces is that of the whole, wherever the pieces end. */

import t from "tap";
import { Base64Text } from "../../../server/cli/value-streams.ts";

t.test("pieces of any length give the base64 of the whole", async (t) => {
  for (let length = 0; length < 12; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => 200 + index);
    for (let step = 1; step <= 7; step++) {
      const base64 = new Base64Text();
      let text = "";
      for (let at = 0; at < length; at += step) text += base64.push(bytes.subarray(at, at + step));
      t.equal(text + base64.end(), Buffer.from(bytes).toString("base64"), `${length} bytes by ${step}`);
    }
  }
});
