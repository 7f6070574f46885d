/** Figure 8 on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./figure-8-suite.ts";

runUnderTap(suite);
