/** The merge suite on Node. */

import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./merge-suite.ts";

runUnderTap(suite);
