/**
 * A configuration file: the settings of a command by the names of their flags, in TOML (toml.io, 1.0).
 *
 *   max-value-bytes = 1048576        # a whole number, a string, true or false
 *   join = ["a:7071", "b:7071"]      # a list where the flag takes several with commas between
 *
 * There are no tables. A name that nothing reads, or a value that no flag could have, is refused with the
 * file and the line: a mistyped setting must not be one that silently has its default.
 */

import { parse, TomlError } from "smol-toml";
import { readWholeFile } from "../ports/process.ts";
import { type FileSettings, type Option, type SettingValue, UsageError } from "./command-line.ts";

/** @throws UsageError where it cannot be read, or says what is no setting */
export function readConfigFile(path: string, options: readonly Option[]): FileSettings {
  return configSettings(path, readText(path), options);
}

/** What a text says of these options. @param path as errors name it @throws UsageError */
export function configSettings(
  path: string,
  text: string,
  options: readonly Option[],
): FileSettings {
  const settings = new Map<string, SettingValue>();
  for (const [name, value] of Object.entries(parseToml(path, text))) {
    const origin = `${path}:${lineOf(text, name)}`;
    const known = options.find((one) => one.name === name && one.isSetting);
    if (known === undefined) {
      throw new UsageError(`'${name}' in ${origin} is not a setting, want one of ${namesOf(options)}`);
    }
    const given = settingText(value);
    if (given === null) throw new UsageError(`${name} in ${origin} is ${kindOf(value)}, want ${wanted(known)}`);
    settings.set(name, { value: given, origin });
  }
  return settings;
}

/** A file with every one of these options, its meaning and its default, commented out. */
export function exampleConfig(options: readonly Option[]): string {
  const parts = options.map(({ name, help, fallback, placeholder }) => {
    return `# ${help}\n# ${name} = ${exampleValue(fallback, placeholder)}\n`;
  });
  return `# Settings of a node; what stands here is the default, or empty where there is none.\n\n${
    parts.join("\n")
  }`;
}

function exampleValue(fallback: string, placeholder: string): string {
  if (placeholder === "") return "false";
  return /^\d+$/.test(fallback) ? fallback : JSON.stringify(fallback);
}

function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readWholeFile(path));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`The configuration file ${path} cannot be read: ${reason}`);
  }
}

function parseToml(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text, { integersAsBigInt: "asNeeded" });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new UsageError(`${path}:${error.line} is not TOML: ${reason}`);
  }
}

/** The value as its flag has it; null: no flag could have it. */
function settingText(value: unknown): string | null {
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  if (!Array.isArray(value)) return null;
  return value.every((one) => typeof one === "string") ? value.join(",") : null;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list of other things than strings";
  if (typeof value === "number") return `the number ${value}`;
  return value instanceof Date ? "a date" : "a table";
}

function wanted({ placeholder }: Option): string {
  return placeholder === "" ? "true or false" : "a string, a whole number, or a list of strings";
}

function namesOf(options: readonly Option[]): string {
  return options.filter(({ isSetting }) => isSetting).map(({ name }) => name).sort().join(", ");
}

/** Where a name is first given, counted from 1: tables aside a name begins its line. */
function lineOf(text: string, name: string): number {
  const begins = (line: string): boolean => {
    const rest = line.trimStart();
    return [name, `"${name}"`, `'${name}'`, `[${name}]`, `[[${name}]]`].some((written) => {
      return rest.startsWith(written) && !/^[\w-]/.test(rest.slice(written.length));
    });
  };
  return text.split("\n").findIndex(begins) + 1;
}
