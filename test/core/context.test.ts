/** core/context on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./context-suite.ts";

runUnderTap(suite);
