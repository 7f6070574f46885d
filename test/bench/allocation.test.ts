/** Bytes per call on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./allocation-suite.ts";

runUnderTap(suite);
