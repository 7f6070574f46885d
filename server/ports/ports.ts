/** The outside world in one bundle, handed to a node once, when it is put together. */

import type { Disk } from "../../storage/disk.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Memory } from "./memory.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  /** Rooted at the data directory, which is locked by this process. */
  readonly disk: Disk;
  readonly log: Log;
  readonly memory: Memory;
  /** Names this run of the machine's kernel: another id after a reboot or a power loss, the same after `kill -9`. */
  readonly bootId: string;
}
