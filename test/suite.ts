/**
 * Suites that run on every runtime. A suite is a plain module that exports `suite`, a list of cases; it
 * imports no test framework, so that Node (under tap), Bun and Deno (under test/runtimes.ts) run the
 * same checks.
 */

export interface Check {
  ok(value: unknown, message: string): void;
  /** Strict equality. */
  equal(actual: unknown, wanted: unknown, message: string): void;
  /** Deep equality, typed arrays by content. */
  same(actual: unknown, wanted: unknown, message: string): void;
  throws(run: () => unknown, message: string): void;
}

export interface Case {
  readonly name: string;
  run(check: Check): void | Promise<void>;
}
