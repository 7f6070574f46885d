/**
 * The bodies of PUT, GET and their RESULT: what is written is read, and any bytes are that or null.
 */

import {
  decodeResult,
  encodeResult,
  type GetBody,
  getLength,
  type PutBody,
  putLength,
  readGet,
  readPut,
  RESULT_CODES,
  RESULT_OUTCOMES,
  type ResultBody,
  writeGet,
  writePut,
} from "../../core/request-frames.ts";
import { roundsHere, SeededRandom, seedFrom } from "../random.ts";
import type { Case } from "../suite.ts";
import {
  faultOfSet,
  randomBytes,
  randomSet,
  type Trial,
  tryCuts,
  tryMutations,
} from "./wire-sets.ts";

const SEED = seedFrom(process.env.SEED, 78);

function randomPut(random: SeededRandom): PutBody {
  const part = (): Uint8Array => randomBytes(random, random.below(20));
  return {
    name: part(),
    context: part(),
    etags: part(),
    meta: part(),
    body: part(),
    requestId: randomBytes(random, 16),
    timeoutMs: random.uint32(),
    ttlSeconds: random.uint32(),
    w: random.below(256),
    dw: random.below(256),
    pw: random.below(256),
    flags: random.below(256),
  };
}

function randomGet(random: SeededRandom): GetBody {
  return {
    name: randomBytes(random, random.below(30)),
    r: random.below(256),
    pr: random.below(256),
    timeoutMs: random.uint32(),
    flags: random.below(256),
  };
}

function randomResult(random: SeededRandom): ResultBody {
  const text = (): string => "aé漢😀".repeat(random.below(5));
  return {
    outcome: random.below(RESULT_OUTCOMES.length),
    code: random.below(RESULT_CODES.length),
    primaries: random.below(256),
    fallbacks: random.below(256),
    context: text(),
    detail: text(),
    etag: text(),
    retryAfterMs: random.below(10_000),
    set: random.chance(1, 3) ? null : randomSet(random),
  };
}

function putBytes(put: PutBody): Uint8Array {
  const bytes = new Uint8Array(putLength(put)).fill(0xee);
  writePut(put, bytes, 0);
  return bytes;
}

function getBytes(get: GetBody): Uint8Array {
  const bytes = new Uint8Array(getLength(get)).fill(0xee);
  writeGet(get, bytes, 0);
  return bytes;
}

const putTrial: Trial<PutBody> = {
  read: readPut,
  fault: (put) => (put.requestId.length === 16 ? "" : "its request id is not of 16 bytes"),
};
const getTrial: Trial<GetBody> = { read: readGet, fault: () => "" };
const resultTrial: Trial<ResultBody> = {
  read: decodeResult,
  fault: (result) => {
    if (RESULT_OUTCOMES[result.outcome] === undefined) return "an outcome that there is not";
    if (RESULT_CODES[result.code] === undefined) return "a code that there is not";
    return faultOfSet(result.set);
  },
};

export const suite: Case[] = [
  {
    name: "bodies come back as they were written",
    run(check) {
      const random = new SeededRandom(SEED);
      for (let round = 0; round < 1_000; round++) {
        const put = randomPut(random);
        const bytes = putBytes(put);
        check.same(readPut(bytes, 0, bytes.length), put, `PUT, SEED=${SEED}`);
        const get = randomGet(random);
        const asked = getBytes(get);
        check.same(readGet(asked, 0, asked.length), get, `GET, SEED=${SEED}`);
        const result = randomResult(random);
        const answer = encodeResult(result);
        check.same(decodeResult(answer, 0, answer.length), result, `RESULT, SEED=${SEED}`);
      }
    },
  },
  {
    name: "a body that is a byte longer or shorter than its lengths say is refused",
    run(check) {
      const random = new SeededRandom(2);
      for (let round = 0; round < 200; round++) {
        for (
          const [bytes, read] of [
            [putBytes(randomPut(random)), readPut],
            [getBytes(randomGet(random)), readGet],
          ] as const
        ) {
          const longer = new Uint8Array(bytes.length + 1);
          longer.set(bytes);
          check.equal(read(longer, 0, longer.length), null, "a byte more");
          check.equal(read(bytes, 0, bytes.length - 1), null, "a byte less");
        }
      }
    },
  },
  {
    name: "a RESULT with an outcome or a code that there is not is refused",
    run(check) {
      const bytes = encodeResult(randomResult(new SeededRandom(3)));
      const outcome = bytes.slice();
      outcome[0] = RESULT_OUTCOMES.length;
      check.equal(decodeResult(outcome, 0, outcome.length), null, "outcome");
      const code = bytes.slice();
      code[1] = RESULT_CODES.length;
      check.equal(decodeResult(code, 0, code.length), null, "code");
    },
  },
  {
    name: "the codes of results stand where they have always stood",
    run(check) {
      const text = RESULT_CODES.join(" ");
      const known = " not-found bad-parameter bad-context wrong-type stale-layout stale-request " +
        "precondition-failed value-too-large overloaded quorum-unreachable absence-unknown " +
        "clock-skew too-many-siblings not-ready write-unknown read-timeout disk-full hints-full " +
        "memory-full files-full";
      check.ok(text.startsWith(known), "numbers on the wire are appended, never renumbered");
    },
  },
  {
    name: "every truncation of 60 bodies of each kind is null or well-formed",
    run(check) {
      const random = new SeededRandom(4);
      for (let round = 0; round < 60; round++) {
        tryCuts(check, putBytes(randomPut(random)), putTrial, "PUT");
        tryCuts(check, getBytes(randomGet(random)), getTrial, "GET");
        tryCuts(check, encodeResult(randomResult(random)), resultTrial, "RESULT");
      }
      check.ok(true, "all were read");
    },
  },
  {
    name: "Thousands of mutations of each kind are null or well-formed, and read nothing around them",
    run(check) {
      const random = new SeededRandom(5);
      const count = roundsHere(20_000);
      tryMutations(check, random, count, () => putBytes(randomPut(random)), putTrial);
      tryMutations(check, random, count, () => getBytes(randomGet(random)), getTrial);
      tryMutations(check, random, count, () => encodeResult(randomResult(random)), resultTrial);
    },
  },
];
