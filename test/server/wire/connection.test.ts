import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./connection-suite.ts";

runUnderTap(suite);
