/** Times as HTTP writes them, against the runtime's own. */

import t from "tap";
import { httpDate } from "../../../server/http/http-date.ts";
import { SeededRandom } from "../../random.ts";

const SEED = 11;
/** The first of January 10000, where years get a fifth digit. */
const LAST_MS = 253_402_300_800_000;

t.test("httpDate() writes what toUTCString() writes, at every edge of a day and between", (t) => {
  const random = new SeededRandom(SEED);
  const edges = [0, 999, 1_000, 86_399_999, 86_400_000, 951_782_400_000, LAST_MS - 1];
  const drawn = Array.from({ length: 2_000 }, () => random.below(2 ** 31) * 100);
  for (const timeMs of [...edges, ...drawn]) {
    const wanted = new Date(timeMs).toUTCString();
    if (httpDate(timeMs) !== wanted) t.equal(httpDate(timeMs), wanted, `${timeMs}, seed ${SEED}`);
  }
  t.equal(httpDate(Date.UTC(2026, 10, 20, 21, 30, 45, 678)), "Fri, 20 Nov 2026 21:30:45 GMT");
  t.end();
});
