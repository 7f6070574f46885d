import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./correlations-suite.ts";

runUnderTap(suite);
