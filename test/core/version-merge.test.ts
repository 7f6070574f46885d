/** core/version-merge on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./version-merge-suite.ts";

runUnderTap(suite);
