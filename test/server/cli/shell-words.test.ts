import t from "tap";
import { quoteWord, splitTyped, splitWords } from "../../../server/cli/shell-words.ts";

t.test("what is quoted is one word again", (tt) => {
  for (const word of ["plain", "a/b-c_d.e", "two words", "it's", `"`, "\\", "$x", "", "tab\there", "*"]) {
    tt.same(splitWords(`put ${quoteWord(word)} v`), ["put", word, "v"], word);
  }
  tt.equal(quoteWord("plain"), "plain", "no quotes where none are needed");
  tt.end();
});

t.test("of a line that is being typed, the last word as it is and as it stands there", (tt) => {
  const cases: [line: string, words: string[], raw: string][] = [
    ["", [""], ""],
    ["get", ["get"], "get"],
    ["get ", ["get", ""], ""],
    ["get 'two w", ["get", "two w"], "'two w"],
    ["get two\\ w", ["get", "two w"], "two\\ w"],
    [`  put "a b" "c`, ["put", "a b", "c"], `"c`],
  ];
  for (const [line, words, raw] of cases) tt.same(splitTyped(line), { words, raw }, line);
  tt.end();
});
