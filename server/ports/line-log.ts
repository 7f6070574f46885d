/**
 * The log that a node really writes: one line an event, to wherever `write` goes.
 *
 *   text   2026-11-20T21:50:00.123Z warn  peer is down  node=b peer=127.0.0.1:7072
 *   json   {"time":"2026-11-20T21:50:00.123Z","level":"warn","event":"peer is down","peer":"…"}
 */

import type { Clock } from "./clock.ts";
import type { Log, LogFields } from "./log.ts";

type Level = "info" | "warn" | "error";

export class LineLog implements Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #isJson: boolean;

  constructor(clock: Clock, write: (line: string) => void, form: "text" | "json") {
    this.#clock = clock;
    this.#write = write;
    this.#isJson = form === "json";
  }

  info(event: string, fields?: LogFields): void {
    this.#line("info", event, fields ?? {});
  }

  warn(event: string, fields?: LogFields): void {
    this.#line("warn", event, fields ?? {});
  }

  error(event: string, fields?: LogFields): void {
    this.#line("error", event, fields ?? {});
  }

  #line(level: Level, event: string, fields: LogFields): void {
    const time = new Date(this.#clock.nowMs()).toISOString();
    if (this.#isJson) {
      this.#write(`${JSON.stringify({ time, level, event, ...fields })}\n`);
      return;
    }
    let line = `${time} ${level.padEnd(5)} ${event}`;
    for (const [name, value] of Object.entries(fields)) line += `  ${name}=${asText(value)}`;
    this.#write(`${line}\n`);
  }
}

/** Quoted where a plain word would not end where the value does, so that a line stays one line. */
function asText(value: string | number | boolean | null): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
