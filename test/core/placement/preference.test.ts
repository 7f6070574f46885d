/** Preference lists on Node. */

import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./preference-suite.ts";

runUnderTap(suite);
