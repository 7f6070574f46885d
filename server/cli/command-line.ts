/**
 * A command line, read strictly: every option is declared, an unknown one, a missing or a
 * superfluous value is an error of one sentence. A value comes from the flag, else from the
 * environment (HALO_MAX_VALUE_BYTES for --max-value-bytes), else from a configuration file
 * (config-file.ts), else from the default, and remembers from where.
 */

import { splitArguments, type SplitOption } from "../ports/arguments.ts";

/** What a command can be told. */
export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** Stands for the value in help; "" for an option that takes none. */
  readonly placeholder: string;
  /** One line. */
  readonly help: string;
  /** "" where there is none. */
  readonly fallback: string;
  /** Whether HALO_… in the environment sets it as well. */
  readonly isSetting: boolean;
  /** Whether it may be given more than once. */
  readonly repeats: boolean;
}

/** A command that was called wrongly: exit code 2. The message is one sentence. */
export class UsageError extends Error {}

export type Environment = Readonly<Record<string, string | undefined>>;

/** An option of one call. */
export function option(name: string, placeholder: string, help: string): Option {
  return { name, placeholder, help, fallback: "", isSetting: false, repeats: false };
}

/** An option that may be given again and again. */
export function repeatedOption(name: string, placeholder: string, help: string): Option {
  return { ...option(name, placeholder, help), repeats: true };
}

/** An option that the environment sets as well, with its default. */
export function setting(name: string, placeholder: string, help: string, fallback = ""): Option {
  return { ...option(name, placeholder, help), fallback, isSetting: true };
}

/** What sets an option from outside: HALO_MAX_VALUE_BYTES for max-value-bytes. */
export function environmentName(name: string): string {
  return `HALO_${name.toUpperCase().replaceAll("-", "_")}`;
}

export interface SettingValue {
  readonly value: string;
  /** "default", "/etc/halo.toml:7", "HALO_DATA", "--data". */
  readonly origin: string;
}

/** Told which context of an object a command has shown. */
export type OnContext = (name: string, context: string) => void;

/** Settings by name, as a configuration file has them. */
export type FileSettings = ReadonlyMap<string, SettingValue>;

/** The options and arguments of one call, as given. */
export class CommandLine {
  readonly positionals: readonly string[];
  /** Who wants to know (halo shell); default: nobody. */
  onContext: OnContext = () => {};
  readonly #options: ReadonlyMap<string, Option>;
  readonly #given: ReadonlyMap<string, readonly string[]>;
  readonly #environment: Environment;
  readonly #file: FileSettings;

  constructor(
    options: ReadonlyMap<string, Option>,
    given: ReadonlyMap<string, readonly string[]>,
    positionals: readonly string[],
    environment: Environment,
    file: FileSettings,
  ) {
    this.#options = options;
    this.#given = given;
    this.positionals = positionals;
    this.#environment = environment;
    this.#file = file;
  }

  /** The same line, over what a configuration file says. */
  over(file: FileSettings): CommandLine {
    return new CommandLine(this.#options, this.#given, this.positionals, this.#environment, file);
  }

  /** The value of an option and where it came from. */
  setting(name: string): SettingValue {
    const known = this.#options.get(name);
    const given = this.#given.get(name)?.[0];
    if (given !== undefined) return { value: given, origin: `--${name}` };
    const outside = known?.isSetting ? this.#environment[environmentName(name)] : undefined;
    if (outside !== undefined) return { value: outside, origin: environmentName(name) };
    return this.#file.get(name) ?? { value: known?.fallback ?? "", origin: "default" };
  }

  /** What to call an option in an error: "--zone", "HALO_ZONE", "zone in /etc/halo.toml:7". */
  place(name: string): string {
    const { origin } = this.setting(name);
    if (origin === "default") return `--${name}`;
    return origin === this.#file.get(name)?.origin ? `${name} in ${origin}` : origin;
  }

  text(name: string): string {
    return this.setting(name).value;
  }

  /** Whether an option without a value is on. @throws UsageError */
  flag(name: string): boolean {
    const value = this.text(name);
    if (value === "" || value === "false") return false;
    if (value === "true") return true;
    throw new UsageError(`${this.place(name)} is '${value}', want true or false`);
  }

  /** Every value of an option that may be repeated. */
  list(name: string): readonly string[] {
    return this.#given.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#given.has(name);
  }
}

/** Reads what follows a command's name. @throws UsageError */
export function readCommandLine(
  options: readonly Option[],
  given: readonly string[],
  environment: Environment,
): CommandLine {
  const shapes = options.map(({ name, placeholder }) => ({
    name,
    takesValue: placeholder !== "",
  }));
  const split = splitArguments(given, shapes);
  const values = new Map<string, string[]>();
  for (const one of split.options) addValue(values, options, one);
  const known = new Map(options.map((one) => [one.name, one]));
  return new CommandLine(known, values, split.positionals, environment, new Map());
}

function addValue(
  values: Map<string, string[]>,
  options: readonly Option[],
  { name, written, value }: SplitOption,
): void {
  const known = options.find((candidate) => candidate.name === name);
  if (known === undefined) throw new UsageError(`'${written}' is not an option of this command`);
  const takesValue = known.placeholder !== "";
  if (takesValue && value === null) {
    throw new UsageError(
      `${written} is given without a value, want ${written} ${known.placeholder}`,
    );
  }
  if (!takesValue && value !== null) {
    throw new UsageError(`${written} is given with the value '${value}', want it alone`);
  }
  const before = values.get(name) ?? [];
  if (before.length > 0 && !known.repeats) {
    throw new UsageError(`${written} is given twice, want it once`);
  }
  values.set(name, [...before, value ?? "true"]);
}

/** Refuses HALO_… names that nothing reads: mostly mistyped ones. @throws UsageError */
export function checkEnvironment(environment: Environment, options: readonly Option[]): void {
  const known = new Set(
    options.filter((one) => one.isSetting).map((one) => environmentName(one.name)),
  );
  for (const name of Object.keys(environment).sort()) {
    if (!name.startsWith("HALO_") || known.has(name)) continue;
    const wanted = [...known].sort().join(", ");
    throw new UsageError(`${name} in the environment is not a setting, want one of ${wanted}`);
  }
}

/** The options as lines of help, aligned. */
export function describeOptions(options: readonly Option[]): string {
  const names = options.map(({ name, placeholder }) => `--${name} ${placeholder}`.trimEnd());
  const width = Math.max(...names.map((name) => name.length));
  const lines = options.map(({ help, fallback }, index) => {
    const suffix = fallback === "" ? "" : ` (default ${fallback})`;
    return `  ${(names[index] ?? "").padEnd(width)}  ${help}${suffix}`;
  });
  return lines.join("\n");
}
