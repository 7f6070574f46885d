import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./interleavings-suite.ts";

runUnderTap(suite);
