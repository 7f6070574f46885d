/** core/siphash on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./siphash-suite.ts";

runUnderTap(suite);
