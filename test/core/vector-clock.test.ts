/** core/vector-clock on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./vector-clock-suite.ts";

runUnderTap(suite);
