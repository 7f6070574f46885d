import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./replica-frames-suite.ts";

runUnderTap(suite);
