/**
 * halo completion SHELL: a few lines for a shell, which ask this program what may come next.
 *
 *   halo cluster le⇥   ──►   halo completion words cluster le   ──►   leave
 *
 * So what is offered is what this very binary understands, in every shell alike.
 */

import { writeOut } from "../ports/process.ts";
import type { Command } from "./command.ts";
import { type CommandLine, UsageError } from "./command-line.ts";
import { DONE } from "./exit-code.ts";

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_halo() {
  COMPREPLY=($(compgen -W "$(halo completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _halo halo
`,
  zsh: `#compdef halo
_halo() {
  local -a found
  found=(\${(f)"$(halo completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- $found; else _files; fi
}
compdef _halo halo
`,
  fish: `complete -c halo -f -a '(halo completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

/** @param commands all that there are, this one among them */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: "completion",
    takes: "SHELL",
    summary: "print what completes commands in bash, zsh or fish",
    examples: ["halo completion bash"],
    about: `  bash   source <(halo completion bash)          in ~/.bashrc
  zsh    source <(halo completion zsh)           in ~/.zshrc, behind compinit
  fish   halo completion fish | source           in ~/.config/fish/config.fish

'halo completion words -- WORD …' prints what may stand in the place of the last word.`,
    options: [],
    positionalsMin: 1,
    positionalsMax: 1_000,
    run: (line) => complete(line, commands()),
  };
}

function complete(line: CommandLine, commands: readonly Command[]): Promise<number> {
  const [what = "", ...words] = line.positionals;
  if (what === "words") writeOut(candidates(commands, words).map((word) => `${word}\n`).join(""));
  else if (Object.hasOwn(SCRIPTS, what) && words.length === 0) writeOut(SCRIPTS[what]);
  else throw new UsageError(`The shell is '${[what, ...words].join(" ")}', want one of ${Object.keys(SCRIPTS).join(", ")}`);
  return Promise.resolve(DONE);
}

/** What may stand in the place of the last of these words; the first one follows "halo". */
export function candidates(commands: readonly Command[], words: readonly string[]): string[] {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  return offered(commands, before, current).filter((word) => word.startsWith(current));
}

function offered(commands: readonly Command[], before: readonly string[], current: string): string[] {
  const [first, second] = before;
  const names = commands.map(({ name }) => name.split(" "));
  if (first === undefined || (first === "help" && second === undefined)) return unique(names.map(([name]) => name));
  if (first === "completion") return before.length === 1 ? Object.keys(SCRIPTS) : [];
  const group = names.filter(([name, more]) => name === first && more !== undefined);
  if (group.length > 0 && second === undefined) return group.map(([, more = ""]) => more);
  const command = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  // Values and names of objects are the user's.
  if (command === undefined || !current.startsWith("-")) return [];
  return [...command.options.map(({ name }) => `--${name}`), "--help"];
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)].sort();
}
