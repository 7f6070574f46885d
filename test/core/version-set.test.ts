/** core/version-set on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./version-set-suite.ts";

runUnderTap(suite);
