/** A process's memory as a test says it is. */

import type { Memory } from "../../server/ports/memory.ts";

export class SimulatedMemory implements Memory {
  readonly totalBytes = 2 ** 40;
  resident = 0;
  /** Part of what is resident. */
  garbage = 0;
  collections = 0;

  residentBytes(): number {
    return this.resident;
  }

  collect(): void {
    this.collections++;
    this.resident -= this.garbage;
    this.garbage = 0;
  }
}
