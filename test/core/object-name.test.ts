import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./object-name-suite.ts";

runUnderTap(suite);
