import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./actor-suite.ts";

runUnderTap(suite);
