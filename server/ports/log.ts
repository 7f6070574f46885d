/**
 * What a node tells its operator: one event a line, a sentence and fields. JSON where a machine reads
 * (systemd), plain on a terminal; the simulator keeps the lines for the trace of a failing seed.
 */

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}
