/** Tokens as cluster state: they merge in any order, and their documents are read with suspicion. */

import { matchesPattern } from "../../../server/membership/bucket-pattern.ts";
import { Fields, MalformedDocument } from "../../../server/membership/document.ts";
import {
  type Grant,
  hashOfToken,
  readTokenRecord,
  tokenDocument,
  type TokenRecord,
  Tokens,
} from "../../../server/membership/tokens.ts";
import { SeededRandom } from "../../random.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import type { Case, Check } from "../../suite.ts";

const IDS = ["1".repeat(16), "2".repeat(16), "3".repeat(16)];
const encoder = new TextEncoder();

function grantOf(text: string): Grant {
  return { hash: hashOfToken(text), role: "read", buckets: ["*"], expiresMs: 0, requestsPerSecond: 0 };
}

function newTokens(isKept = true): Tokens {
  return new Tokens(new SimulatedClock(new World(), "n"), () => IDS[0], () => isKept);
}

function drawRecords(random: SeededRandom): TokenRecord[] {
  return Array.from({ length: 30 }, () => {
    const name = `t${random.below(4)}`;
    const grant = random.chance(1, 3) ? null : grantOf(`${name} ${random.below(3)}`);
    return { name, stamp: random.below(5), node: IDS[random.below(3)], grant };
  });
}

function commute(check: Check): void {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SeededRandom(seed);
    const records = drawRecords(random);
    const said = [records, [...records].reverse(), [...records, ...records]].map((order) => {
      const tokens = newTokens();
      for (const record of order) tokens.apply(record);
      const texts = [0, 1, 2].flatMap((index) => ["t0", "t1", "t2", "t3"].map((name) => `${name} ${index}`));
      const found = texts.filter((text) => tokens.byHash(hashOfToken(text)) !== null);
      return JSON.stringify([tokens.records(), found]);
    });
    check.same(said, [said[0], said[0], said[0]], `seed ${seed}`);
  }
}

function pattern(text: string): RegExp {
  const parts = text.split("*").map((part) => part.replace(/[^a-z]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*")}$`);
}

function patterns(check: Check): void {
  const random = new SeededRandom(7);
  const draw = (letters: string, length: number): string =>
    Array.from({ length: random.below(length + 1) }, () => letters[random.below(letters.length)]).join("");
  for (let count = 0; count < 20_000; count++) {
    const wanted = draw("ab**", 6);
    const bucket = draw("ab", 8);
    const bytes = encoder.encode(`${bucket}/key`);
    const isMatch = matchesPattern(wanted, bytes, bucket.length);
    if (isMatch !== pattern(wanted).test(bucket)) check.equal(isMatch, !isMatch, `${wanted} ${bucket}`);
  }
  check.ok(matchesPattern("käse*", encoder.encode("käsekuchen"), encoder.encode("käsekuchen").length), "UTF-8");
  check.ok(!matchesPattern("", encoder.encode("a"), 1), "an empty pattern is for nothing");
}

export const suite: Case[] = [
  { name: "tokens merge in any order, and are found by what holds in the end", run: commute },
  { name: "a pattern matches as a regular expression does", run: patterns },
  {
    name: "a change that cannot be stored is none",
    run(check) {
      const tokens = newTokens(false);
      check.ok(/does not take them/.test(tokens.give("a", grantOf("x"))), "told");
      check.equal(tokens.byHash(hashOfToken("x")), null, "nobody has it");
      check.equal(tokens.list().length, 0, "it is not listed");
    },
  },
  {
    name: "a record is read as it was written, and a malformed one not at all",
    run(check) {
      const record = { name: "a", stamp: 7, node: IDS[1], grant: { ...grantOf("x"), buckets: ["a*", "b"] } };
      check.same(readTokenRecord(new Fields(tokenDocument(record))), record, "a grant");
      const back = { ...record, grant: null };
      check.same(readTokenRecord(new Fields(tokenDocument(back))), back, "one that was taken back");
      const wrong: Record<string, unknown>[] = [
        { name: "a b" },
        { node: "n" },
        { grant: { ...record.grant, hash: "00" } },
        { grant: { ...record.grant, role: "king" } },
        { grant: { ...record.grant, buckets: [] } },
        { grant: { ...record.grant, buckets: [7] } },
        { grant: { ...record.grant, requestsPerSecond: -1 } },
      ];
      for (const changed of wrong) {
        let isRefused = false;
        try {
          readTokenRecord(new Fields({ ...tokenDocument(record), ...changed }));
        } catch (error) {
          isRefused = error instanceof MalformedDocument;
        }
        check.ok(isRefused, JSON.stringify(changed));
      }
    },
  },
];
