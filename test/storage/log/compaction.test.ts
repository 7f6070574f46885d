import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./compaction-suite.ts";

runUnderTap(suite);
