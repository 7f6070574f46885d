/** Request ids: the time in them, and what is none. */

import { drawRequestId, isRequestId, requestTimeMs } from "../../core/request-id.ts";
import type { Case } from "../suite.ts";

export const suite: Case[] = [
  {
    name: "a request id carries its time, is of version 7, and is never none",
    run(check) {
      const fill = (bytes: Uint8Array): void => void bytes.fill(0xff);
      for (const nowMs of [0, 1, 65_535, 65_536, 1_767_225_600_123, 2 ** 48 - 1]) {
        const id = drawRequestId(nowMs, fill);
        check.equal(requestTimeMs(id), nowMs, `${nowMs}`);
        check.same([id[6] >> 4, id[8] >> 6], [7, 2], "version and variant");
        check.equal(isRequestId(id), true, "an id");
      }
    },
  },
  {
    name: "sixteen zeros are no id, any other bytes are one, wherever they stand",
    run(check) {
      for (let place = 0; place < 16; place++) {
        const bytes = new Uint8Array(24);
        bytes[3] = 9;
        check.equal(isRequestId(bytes, 8), false, "zeros");
        bytes[8 + place] = 1;
        check.equal(isRequestId(bytes, 8), true, `a one at ${place}`);
      }
      const id = drawRequestId(1_767_225_600_123, () => {});
      const bytes = new Uint8Array(24);
      bytes.set(id, 8);
      check.equal(requestTimeMs(bytes, 8), 1_767_225_600_123, "its time");
    },
  },
];
