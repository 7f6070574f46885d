/** Stand-ins on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./stand-ins-suite.ts";

runUnderTap(suite);
