import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./world-suite.ts";

runUnderTap(suite);
