/** core/version-exhaustive on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./version-exhaustive-suite.ts";

runUnderTap(suite);
