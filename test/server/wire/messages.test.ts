import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./messages-suite.ts";

runUnderTap(suite);
