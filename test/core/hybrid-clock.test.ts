/** core/hybrid-clock on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./hybrid-clock-suite.ts";

runUnderTap(suite);
