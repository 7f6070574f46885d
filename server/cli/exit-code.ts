/** How a command ends, for scripts: the same six numbers for all commands. */

export const DONE = 0;
export const FAILED = 1;
export const USAGE = 2;
/** halo verify: there is nothing to be judged. */
export const CANNOT_READ = 2;
export const NOT_FOUND = 3;
export const SIBLINGS = 4;
/** A write that may have happened, and may yet be seen. */
export const UNKNOWN = 5;

/** A command that cannot go on. The message is one sentence without its full stop. */
export class CommandFailure extends Error {
  readonly exitCode: number;
  /** What the node answered, as in "bad-key"; "": it is not a node's answer. */
  readonly code: string;
  constructor(exitCode: number, message: string, code = "") {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}
