import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./tcp-network-suite.ts";

runUnderTap(suite);
