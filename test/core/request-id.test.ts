import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./request-id-suite.ts";

runUnderTap(suite);
