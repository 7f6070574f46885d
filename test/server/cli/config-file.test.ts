/** A configuration file: what it may say, and the sentences for what it may not. */

import t from "tap";
import { option, readCommandLine, setting, UsageError } from "../../../server/cli/command-line.ts";
import { configSettings, exampleConfig } from "../../../server/cli/config-file.ts";

const OPTIONS = [
  setting("name", "NAME", "what it is called"),
  setting("join", "HOST:PORT,…", "whom to ask"),
  setting("capacity", "C", "its share", "1"),
  setting("insecure", "", "without authentication"),
  option("json", "", "not a setting"),
];

function sentence(text: string): string {
  try {
    configSettings("halo.toml", text, OPTIONS);
    return "";
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

t.test("strings, whole numbers, booleans and lists of strings are what flags would have", (t) => {
  const text = `# a node\nname = "n 1"\njoin = [\n  "a:1",\n  "b:2",\n]\ncapacity = 7\n"insecure" = true\n`;
  const settings = configSettings("halo.toml", text, OPTIONS);
  t.same([...settings], [
    ["name", { value: "n 1", origin: "halo.toml:2" }],
    ["join", { value: "a:1,b:2", origin: "halo.toml:3" }],
    ["capacity", { value: "7", origin: "halo.toml:7" }],
    ["insecure", { value: "true", origin: "halo.toml:8" }],
  ]);
  t.same(configSettings("halo.toml", "", OPTIONS).size, 0);
  t.end();
});

t.test("what is no setting, or of no kind that a flag could be, is refused with file and line", (t) => {
  const cases: [string, RegExp][] = [
    ["\nnmae = 'x'", /^'nmae' in halo\.toml:2 is not a setting, want one of capacity, insecure, join, name$/],
    ["json = true", /^'json' in halo\.toml:1 is not a setting/],
    ["named = 1\nname = 'x'", /^'named' in halo\.toml:1 /],
    ["# name\n[name]\na = 1", /^name in halo\.toml:2 is a table, want a string/],
    ["capacity = 1.5", /^capacity in halo\.toml:1 is the number 1\.5, want/],
    ["join = ['a:1', 2]", /^join in halo\.toml:1 is a list of other things than strings/],
    ["insecure = 1979-05-27", /^insecure in halo\.toml:1 is a date, want true or false$/],
    ["name = 'a'\nname = 'b'", /^halo\.toml:2 is not TOML: /],
    ["capacity = \n", /^halo\.toml:1 is not TOML: /],
  ];
  for (const [text, wanted] of cases) t.match(sentence(text), wanted, text);
  t.end();
});

t.test("a flag wins over the environment, that over the file; errors name the place", (t) => {
  const file = configSettings("halo.toml", "name = 'f'\ncapacity = 3\njoin = 'f:1'\ninsecure = 'maybe'", OPTIONS);
  const environment = { HALO_NAME: "e", HALO_JOIN: "e:1" };
  const line = readCommandLine(OPTIONS, ["--join", "g:1"], environment).over(file);
  t.same(["join", "name", "capacity"].map((name) => line.setting(name)), [
    { value: "g:1", origin: "--join" },
    { value: "e", origin: "HALO_NAME" },
    { value: "3", origin: "halo.toml:2" },
  ]);
  t.same(["join", "name", "capacity"].map((name) => line.place(name)), [
    "--join",
    "HALO_NAME",
    "capacity in halo.toml:2",
  ]);
  t.throws(() => line.flag("insecure"), /^insecure in halo\.toml:4 is 'maybe', want true or false$/);
  t.equal(readCommandLine(OPTIONS, [], {}).place("capacity"), "--capacity");
  t.end();
});

t.test("the example, with its comments taken away, says just the defaults", (t) => {
  const settings = OPTIONS.filter(({ isSetting }) => isSetting);
  const text = exampleConfig(settings).replace(/^# (\S+ = )/gm, "$1");
  const read = configSettings("example.toml", text, OPTIONS);
  t.same([...read.keys()], settings.map(({ name }) => name));
  for (const { name, fallback, placeholder } of settings) {
    t.equal(read.get(name)?.value, placeholder === "" ? "false" : fallback, name);
  }
  t.end();
});
