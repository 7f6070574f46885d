/** Placement on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./placement-suite.ts";

runUnderTap(suite);
