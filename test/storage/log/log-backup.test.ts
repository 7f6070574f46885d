import { runUnderTap } from "../../suite-under-tap.ts";
import { suite } from "./log-backup-suite.ts";

runUnderTap(suite);
