import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./disk-faults-suite.ts";

runUnderTap(suite);
