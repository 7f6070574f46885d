import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./log-crash-suite.ts";

runUnderTap(suite);
