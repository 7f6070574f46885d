/**
 * One process a data directory, without a stale lock after `kill -9`.
 *
 * node:fs knows no flock, so the lock is a file that names its holder: pid, when that process
 * began, and the kernel's boot id. A holder is dead when the boot is another one, when no such
 * process runs, or when it began at another time (pids are used again). The files are numbered:
 *
 *   lock.7   the highest number holds the directory, if its holder lives
 *   lock.8   who finds lock.7's holder dead takes the next number, by link(): the system lets one
 *            win
 *
 * The winner then looks again, and gives way if there is a higher number; a file is removed only by
 * the holder of a higher one, and a released one stays (marked as free). So a number that is free
 * to take while a higher one exists is seen as such by the second look, and a number cannot be
 * taken twice while it matters: two processes never hold the directory at once.
 *
 * Processes that do not see each other's pids (containers that share a volume) are not kept apart.
 */

import * as fs from "node:fs";
import { DiskError } from "../../storage/disk.ts";

const PREFIX = "lock.";
/** Rounds of taking a number and losing it to another process before giving up. */
const ATTEMPTS = 100;

interface Holder {
  readonly pid: number;
  /** When the process began, in the kernel's ticks since boot; "" where it cannot be told. */
  readonly began: string;
  readonly bootId: string;
  readonly isReleased: boolean;
}

export class DataLock {
  readonly #folder: string;
  readonly #self: Holder;
  readonly #number: number;

  /** Takes the lock. @throws DiskError "EBUSY" with a sentence that names the holder */
  constructor(folder: string, bootId: string) {
    this.#folder = folder;
    this.#self = { pid: process.pid, began: processBegan(process.pid), bootId, isReleased: false };
    this.#number = this.#take();
  }

  /** Says that nobody holds the directory. The file stays, see above. */
  release(): void {
    const path = this.#path(this.#number);
    fs.writeFileSync(`${path}.free`, JSON.stringify({ ...this.#self, isReleased: true }));
    fs.renameSync(`${path}.free`, path);
  }

  #take(): number {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const highest = this.#highest();
      this.#refuseIfHeld(highest);
      const number = highest + 1;
      if (!this.#create(number)) continue;
      if (this.#highest() === number) {
        this.#removeBelow(number);
        return number;
      }
      fs.unlinkSync(this.#path(number));
    }
    throw new DiskError("EBUSY", `Cannot lock ${this.#folder}: too many processes try at once`);
  }

  #refuseIfHeld(number: number): void {
    const holder = number === 0 ? null : readHolder(this.#path(number));
    if (holder === null || !isAlive(holder, this.#self.bootId)) return;
    throw new DiskError(
      "EBUSY",
      `Cannot open data directory ${this.#folder}: process ${holder.pid} is using it; ` +
        "stop that process or give another --data directory",
    );
  }

  /** Makes the file with its content at once; false where the number is taken. */
  #create(number: number): boolean {
    const draft = `${this.#folder}/draft.${process.pid}.${crypto.randomUUID()}`;
    fs.writeFileSync(draft, JSON.stringify(this.#self));
    try {
      fs.linkSync(draft, this.#path(number));
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
      throw error;
    } finally {
      fs.unlinkSync(draft);
    }
  }

  #highest(): number {
    return Math.max(0, ...lockNumbers(this.#folder));
  }

  #removeBelow(number: number): void {
    for (const lower of lockNumbers(this.#folder)) {
      if (lower < number) fs.rmSync(this.#path(lower), { force: true });
    }
  }

  #path(number: number): string {
    return `${this.#folder}/${PREFIX}${number}`;
  }
}

/** The process that holds a data directory now; 0: none does. Takes nothing, changes nothing. */
export function dataHolder(folder: string, bootId: string): number {
  const number = Math.max(0, ...lockNumbers(folder));
  const holder = number === 0 ? null : readHolder(`${folder}/${PREFIX}${number}`);
  return holder !== null && isAlive(holder, bootId) ? holder.pid : 0;
}

function lockNumbers(folder: string): number[] {
  const numbers: number[] = [];
  for (const name of fs.readdirSync(folder)) {
    if (/^lock\.[0-9]+$/.test(name)) numbers.push(Number(name.slice(PREFIX.length)));
  }
  return numbers;
}

/** Who a lock file names; null where nobody can be told (the file is gone, or is none of ours). */
function readHolder(path: string): Holder | null {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    // Removed meanwhile by the holder of a higher number: the second look will find that one.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  return parseHolder(text);
}

function parseHolder(text: string): Holder | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Torn by a power loss: that boot's processes are gone.
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const pid = "pid" in value ? value.pid : 0;
  const began = "began" in value ? value.began : "";
  const bootId = "bootId" in value ? value.bootId : "";
  const isReleased = "isReleased" in value && value.isReleased === true;
  if (typeof pid !== "number" || typeof began !== "string" || typeof bootId !== "string") {
    return null;
  }
  return { pid, began, bootId, isReleased };
}

function isAlive(holder: Holder, bootId: string): boolean {
  if (holder.isReleased || holder.bootId !== bootId) return false;
  const began = processBegan(holder.pid);
  if (began !== "" || holder.began !== "") return began === holder.began;
  return isRunning(holder.pid);
}

/** Field 22 of /proc/<pid>/stat; the command in field 2 may hold spaces and brackets of its own. */
function processBegan(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch (error) {
    // No such process, or a system without /proc: both mean that it cannot be told this way.
    if (error instanceof Error) return "";
    throw error;
  }
}

/** Signal 0 asks whether a process is there; EPERM says yes. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
