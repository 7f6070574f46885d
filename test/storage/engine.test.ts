import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./engine-suite.ts";

runUnderTap(suite);
