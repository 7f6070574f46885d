import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./payload-suite.ts";

runUnderTap(suite);
