/** What hints and anti-entropy need of the room around them (replication.ts hands it over). */

import type { ObjectName } from "../../core/object-name.ts";
import type { VersionSet, WriteLabels } from "../../storage/engine.ts";
import type { Background } from "../admission/background.ts";
import type { Member } from "../membership/member.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Counters } from "./counters.ts";

export interface ReplicationHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly background: Background;
  readonly counters: Counters;
  /**
   * Labels of what is read of a name from now on: the newest layout's number, and the round. To be taken before
   * anything is read or asked for.
   */
  labelsOf(name: ObjectName): WriteLabels;
  /** The same of a partition. */
  labelsIn(partition: number): WriteLabels;
  /**
   * Sends a set that was read just now to a member and asks for a durable write: what is given up here has to be safe there.
   * @param load gives the same set, or a later one, with all bodies
   * @param done STATUS_… of core/replica-frames, and whether it is durable there
   * @param superseded writes that the set's versions have superseded, to be told with it
   */
  deliverDurably(
    member: Member,
    name: ObjectName,
    set: VersionSet,
    purpose: number,
    timeoutMs: number,
    load: (done: (set: VersionSet | null) => void) => void,
    done: (status: number, isDurable: boolean) => void,
    superseded?: Uint8Array,
  ): void;
}
