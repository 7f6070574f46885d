/** Changes of membership on Node. */

import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./changes-suite.ts";

runUnderTap(suite);
