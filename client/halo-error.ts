/**
 * What a request ends with that was not done.
 *
 *   outcome   refused   nothing was written anywhere, and nothing will be
 *             unknown   too few answered in time: a write may have happened, and may yet be seen
 *   code      for programs: those of the server (`precondition-failed`, `write-unknown` …), and of this library
 *             `unreachable`, `closed`, `aborted`, `siblings`, `bad-value`, `bad-key`, `bad-bucket`, `key-too-long`, `unauthenticated`
 *   message   one sentence for a person
 */

export type Outcome = "refused" | "unknown";

export class HaloError extends Error {
  override readonly name = "HaloError";
  readonly code: string;
  readonly outcome: Outcome;
  /** The context that came with a refusal (`precondition-failed`, `siblings`); "" where none did. */
  readonly context: string;

  constructor(code: string, outcome: Outcome, message: string, context = "") {
    super(message);
    this.code = code;
    this.outcome = outcome;
    this.context = context;
  }

  /** The same, made where it is thrown on: with the stack of who waits there, not of the socket that told it. */
  again(): HaloError {
    return new HaloError(this.code, this.outcome, this.message, this.context);
  }
}

/** Nothing was written anywhere. */
export function refusal(code: string, message: string, context = ""): HaloError {
  return new HaloError(code, "refused", message, context);
}
