/**
 * A process that takes a data directory and keeps it until it is killed: the other side of
 * data-lock.test.ts. Says "held" or why not.
 */

import process from "node:process";
import { openDataDirectory } from "../../../server/ports/disk.ts";

try {
  openDataDirectory(process.argv[2]);
  console.log("held");
  // Bounded, should the test die first.
  setTimeout(() => process.exit(1), 60_000);
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
