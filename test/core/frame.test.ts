import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./frame-suite.ts";

runUnderTap(suite);
