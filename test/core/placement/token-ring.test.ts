/** Strategies 1 and 2 on Node. */

import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./token-ring-suite.ts";

runUnderTap(suite);
