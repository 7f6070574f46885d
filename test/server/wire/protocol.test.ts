import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./protocol-suite.ts";

runUnderTap(suite);
