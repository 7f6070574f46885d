import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./disk-suite.ts";

runUnderTap(suite);
