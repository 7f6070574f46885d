import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./fuzz-suite.ts";

runUnderTap(suite);
