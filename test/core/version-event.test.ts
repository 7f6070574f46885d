/** core/version-event and core/version-rules on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./version-event-suite.ts";

runUnderTap(suite);
