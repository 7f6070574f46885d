/** What a read knows of one node that it asks. */

import type { VersionSet } from "../../storage/engine.ts";
import { WANT_DIGEST } from "../../core/replica-frames.ts";
import type { Target } from "./plan.ts";

export type SlotState = "waiting" | "agreed" | "held" | "absent" | "failed";

export interface Slot {
  readonly target: Target;
  state: SlotState;
  /** What is being asked of it, or was last. */
  want: number;
  set: VersionSet | null;
  isComplete: boolean;
  isDamaged: boolean;
  /** It has seen the write that was asked about superseded. */
  saysSuperseded: boolean;
  /** A large payload of its set is on its way. */
  isPulling: boolean;
  /** Versions of its set whose bodies are still to come. */
  missing: number[];
}

const NOTHING_MISSING: number[] = [];

export function waitingSlot(target: Target): Slot {
  return {
    target,
    state: "waiting",
    want: WANT_DIGEST,
    set: null,
    isComplete: false,
    isDamaged: false,
    saysSuperseded: false,
    isPulling: false,
    missing: NOTHING_MISSING,
  };
}
