import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./log-engine-suite.ts";

runUnderTap(suite);
