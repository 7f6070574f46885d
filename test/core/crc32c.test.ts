/** core/crc32c on Node: the suite that runs on every runtime. */

import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./crc32c-suite.ts";

runUnderTap(suite);
