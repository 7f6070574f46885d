/** core/bucket-run on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./bucket-run-suite.ts";

runUnderTap(suite);
