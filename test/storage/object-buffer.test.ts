import { runUnderTap } from "../suite-under-tap.ts";
import { suite } from "./object-buffer-suite.ts";

runUnderTap(suite);
