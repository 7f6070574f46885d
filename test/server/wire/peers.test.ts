import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./peers-suite.ts";

runUnderTap(suite);
