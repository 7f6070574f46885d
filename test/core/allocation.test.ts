/** core/allocation on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./allocation-suite.ts";

runUnderTap(suite);
