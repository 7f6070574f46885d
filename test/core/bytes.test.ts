import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./bytes-suite.ts";

runUnderTap(suite);
