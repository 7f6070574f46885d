import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./request-frames-suite.ts";

runUnderTap(suite);
