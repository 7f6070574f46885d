import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./handshake-suite.ts";

runUnderTap(suite);
