/** MD5 on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./md5-suite.ts";

runUnderTap(suite);
