import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./snapshot-suite.ts";

runUnderTap(suite);
