import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./verification-suite.ts";

runUnderTap(suite);
