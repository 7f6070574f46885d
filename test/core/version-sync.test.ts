/** core/version-sync on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./version-sync-suite.ts";

runUnderTap(suite);
