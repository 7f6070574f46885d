/**
 * Keeps the score of one case: how many checks, and in words those that failed.
 *
 * The same comparisons on every runtime and under tap, so that a case means the same everywhere.
 */

import type { Case, Check } from "./suite.ts";

/** Failures told in full; one broken loop should not fill the terminal. */
const FAILURES_TOLD_MAX = 5;
const SHOWN_CHARS_MAX = 300;

export class Tally implements Check {
  readonly failures: string[] = [];
  checks = 0;
  failed = 0;

  ok(value: unknown, message: string): void {
    this.#count(Boolean(value), () => message);
  }

  equal(actual: unknown, wanted: unknown, message: string): void {
    this.#count(Object.is(actual, wanted), () => told(message, actual, wanted));
  }

  same(actual: unknown, wanted: unknown, message: string): void {
    this.#count(sameness(actual, wanted), () => told(message, actual, wanted));
  }

  throws(run: () => unknown, message: string): void {
    let threw = false;
    try {
      run();
    } catch {
      threw = true;
    }
    this.#count(threw, () => `${message}: nothing was thrown`);
  }

  /** Takes down what a case threw, or that it checked nothing. */
  close(thrown: unknown): void {
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    if (thrown !== undefined) this.#count(false, () => `threw ${stack ?? String(thrown)}`);
    else if (this.checks === 0) this.#count(false, () => "checked nothing");
  }

  #count(passed: boolean, tell: () => string): void {
    this.checks++;
    if (passed) return;
    this.failed++;
    if (this.failures.length < FAILURES_TOLD_MAX) this.failures.push(tell());
  }
}

/** Runs a case; what it throws is a failure as well. */
export async function tallyOf(one: Case): Promise<Tally> {
  const tally = new Tally();
  let thrown: unknown;
  try {
    await one.run(tally);
  } catch (error) {
    thrown = error ?? new Error("threw nothing in particular");
  }
  tally.close(thrown);
  return tally;
}

/**
 * Equal by content: typed arrays of one type, arrays, maps, sets, plain objects, all the way down.
 */
export function sameness(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object") return false;
  if (left === null || right === null) return false;
  if (ArrayBuffer.isView(left) || ArrayBuffer.isView(right)) return sameView(left, right);
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  if (left instanceof Date && right instanceof Date) return left.getTime() === right.getTime();
  if (left instanceof Map && right instanceof Map) return sameness([...left], [...right]);
  if (left instanceof Set && right instanceof Set) return sameness([...left], [...right]);
  const leftEntries = Object.entries(left);
  const rightEntries = new Map(Object.entries(right));
  if (leftEntries.length !== rightEntries.size) return false;
  return leftEntries.every(
    ([key, value]) => rightEntries.has(key) && sameness(value, rightEntries.get(key)),
  );
}

/** A Buffer counts as a Uint8Array: which of the two an API hands out differs between runtimes. */
function sameView(left: object, right: object): boolean {
  if (!ArrayBuffer.isView(left) || !ArrayBuffer.isView(right)) return false;
  if (left.byteLength !== right.byteLength || viewKind(left) !== viewKind(right)) return false;
  const leftBytes = new Uint8Array(left.buffer, left.byteOffset, left.byteLength);
  const rightBytes = new Uint8Array(right.buffer, right.byteOffset, right.byteLength);
  for (let index = 0; index < leftBytes.length; index++) {
    if (leftBytes[index] !== rightBytes[index]) return false;
  }
  return true;
}

function viewKind(view: ArrayBufferView): string {
  return view instanceof Uint8Array ? "Uint8Array" : Object.prototype.toString.call(view);
}

function told(message: string, actual: unknown, wanted: unknown): string {
  return `${message}: got ${shown(actual)}, wanted ${shown(wanted)}`;
}

function shown(value: unknown): string {
  const text = ArrayBuffer.isView(value) ? shownView(value) : (encoded(value) ?? String(value));
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

function shownView(view: ArrayBufferView): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return `${viewKind(view)} of bytes ${bytes.slice(0, SHOWN_CHARS_MAX).join(" ")}`;
}

/** JSON, with the kinds of values that it would lose; undefined where there is none. */
function encoded(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, part: unknown) =>
      typeof part === "bigint" ? `${part}n` : Number.isNaN(part) ? "NaN" : part,
    );
  } catch {
    return undefined;
  }
}
