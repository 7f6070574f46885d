/** The trackers suite on Node. */

import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./trackers-suite.ts";

runUnderTap(suite);
