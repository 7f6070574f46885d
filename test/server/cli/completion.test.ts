import t from "tap";
import type { Command } from "../../../server/cli/command.ts";
import { option } from "../../../server/cli/command-line.ts";
import { candidates, completionCommand } from "../../../server/cli/completion.ts";

function command(name: string, ...options: string[]): Command {
  return {
    name,
    takes: "",
    summary: "",
    examples: [],
    about: "",
    options: options.map((one) => option(one, "", "")),
    positionalsMin: 0,
    positionalsMax: 0,
    run: () => Promise.resolve(0),
  };
}

const COMMANDS: Command[] = [
  command("get", "r", "json"),
  command("cluster status", "json"),
  command("cluster leave", "commit", "force"),
  command("help"),
  completionCommand(() => COMMANDS),
];

t.test("what may stand in the place of the last word", (tt) => {
  const cases: [string[], string[]][] = [
    [[""], ["cluster", "completion", "get", "help"]],
    [["c"], ["cluster", "completion"]],
    [["cluster", ""], ["status", "leave"]],
    [["cluster", "le"], ["leave"]],
    [["cluster", "leave", "--"], ["--commit", "--force", "--help"]],
    [["cluster", "leave", "n1", "--f"], ["--force"]],
    [["get", "cart/user", "--"], ["--r", "--json", "--help"]],
    [["get", "ca"], []],
    [["help", "cl"], ["cluster"]],
    [["completion", ""], ["bash", "zsh", "fish"]],
    [["nothing", "--"], []],
    [[], ["cluster", "completion", "get", "help"]],
  ];
  for (const [words, wanted] of cases) tt.same(candidates(COMMANDS, words), wanted, words.join(" "));
  tt.end();
});
