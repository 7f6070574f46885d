/** The ring on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./ring-suite.ts";

runUnderTap(suite);
