/** Lines come whole, however the text is cut into pieces, and are bounded before they are held. */

import t from "tap";
import { linesOf } from "../../../server/cli/text-lines.ts";

async function* piecesOf(bytes: Uint8Array, step: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.slice(at, at + step);
}

async function linesIn(text: string, step: number, lengthMax = 100): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(piecesOf(Buffer.from(text), step), lengthMax)) lines.push(line);
  return lines;
}

t.test("lines are the same wherever pieces end, also within a character", async (t) => {
  const cases: [string, string[]][] = [
    ["", []],
    ["\n", [""]],
    ["a", ["a"]],
    ["größe\n\n漢字\nend", ["größe", "", "漢字", "end"]],
    ["a\nb\n", ["a", "b"]],
  ];
  for (const [text, lines] of cases) {
    for (let step = 1; step <= 20; step++) t.same(await linesIn(text, step), lines, `${JSON.stringify(text)} by ${step}`);
  }
});

t.test("a line at the limit is taken, one beyond it refused by its number, before more of it is read", async (t) => {
  const long = "x".repeat(100);
  t.same(await linesIn(`a\n${long}\nb`, 7), ["a", long, "b"]);
  for (const step of [1, 7, 1_000]) {
    await t.rejects(linesIn(`a\n${long}x\nb`, step), { message: "Line 2 is longer than 100 characters, the limit" });
  }
  let given = 0;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      given++;
      yield Buffer.alloc(10, "x");
    }
  };
  await t.rejects(async () => {
    for await (const line of linesOf(endless(), 100)) t.fail(line);
  });
  t.equal(given, 11);
});
