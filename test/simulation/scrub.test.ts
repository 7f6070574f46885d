/** The scenarios on Node; test/runtimes.ts runs them on Bun and Deno. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./scrub-suite.ts";

runUnderTap(suite);
