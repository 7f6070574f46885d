/**
 * How far a long command is: a bar that is drawn over itself on a terminal, now and then a line
 * elsewhere. Goes to standard error, so that what a command prints stays what it prints.
 *
 *   objects  [██████████░░░░░░░░░░░░░░]  42 %   1.2 GiB of 2.9 GiB   18 s left
 */

import { systemClock } from "../ports/clock.ts";
import { isErrorTerminal, writeError } from "../ports/process.ts";

const CELLS = 24;
const REDRAW_MS = 100;
const LINE_MS = 10_000;
/** Before this, nobody can tell how long it will take. */
const GUESS_AFTER_MS = 2_000;

export class Progress {
  readonly #label: string;
  readonly #isShown: boolean;
  readonly #isTerminal: boolean;
  readonly #startedMs: number;
  #shownMs: number;
  #isDrawn: boolean;

  /** @param isShown false: says nothing (output for machines) */
  constructor(label: string, isShown: boolean) {
    this.#label = label;
    this.#isShown = isShown;
    this.#isTerminal = isErrorTerminal();
    this.#startedMs = systemClock.elapsedMs();
    this.#shownMs = this.#startedMs;
    this.#isDrawn = false;
  }

  /** So much of so much is done: bytes, unless `what` says it in other words. */
  update(done: number, total: number, what = ""): void {
    if (!this.#isShown) return;
    const nowMs = systemClock.elapsedMs();
    if (nowMs - this.#shownMs < (this.#isTerminal ? REDRAW_MS : LINE_MS)) return;
    this.#shownMs = nowMs;
    const line = progressLine(this.#label, done, total, nowMs - this.#startedMs, what);
    writeError(this.#isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
    this.#isDrawn = true;
  }

  /** Takes the bar away: what follows says how it went. */
  end(): void {
    if (this.#isDrawn && this.#isTerminal) writeError("\r\x1b[K");
    this.#isDrawn = false;
  }
}

/** @param elapsedMs since the beginning */
export function progressLine(
  label: string,
  done: number,
  total: number,
  elapsedMs: number,
  what = "",
): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(share * CELLS);
  const bar = "█".repeat(full) + "░".repeat(CELLS - full);
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const left = elapsedMs < GUESS_AFTER_MS || done === 0
    ? ""
    : `   ${durationText((elapsedMs / done) * (total - done))} left`;
  const text = what === "" ? `${bytesText(done)} of ${bytesText(total)}` : what;
  return `${label}  [${bar}] ${percent} %   ${text}${left}`;
}

/** "12 s", "3 min" */
export function durationText(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** "1.2 GiB" */
export function bytesText(bytes: number): string {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${UNITS[unit]}`;
}
