/** Stories of members that come and go, on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./membership-suite.ts";

runUnderTap(suite);
