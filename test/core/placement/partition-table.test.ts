/** The contract of the strategies on Node. */

import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./partition-table-suite.ts";

runUnderTap(suite);
