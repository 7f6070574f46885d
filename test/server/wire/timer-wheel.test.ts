import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./timer-wheel-suite.ts";

runUnderTap(suite);
