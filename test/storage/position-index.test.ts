import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./position-index-suite.ts";

runUnderTap(suite);
