/** core/listing-cursor on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./listing-cursor-suite.ts";

runUnderTap(suite);
