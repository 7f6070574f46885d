/** Merkle trees on Node. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./merkle-suite.ts";

runUnderTap(suite);
