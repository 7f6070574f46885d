import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./log-damage-suite.ts";

runUnderTap(suite);
