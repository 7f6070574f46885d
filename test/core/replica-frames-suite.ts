/**
 * The bodies of REPLICATE and FETCH: what is written is read, and any bytes are either that or
 * null.
 */

import { toHex } from "../../core/bytes.ts";
import {
  type FetchBody,
  type FetchedBody,
  fetchedLength,
  FetchedView,
  fetchLength,
  FetchView,
  readFetch,
  readFetched,
  readReplicate,
  readSet,
  type ReplicateBody,
  REQUEST_BYTES,
  REQUESTS_MAX,
  replicateLength,
  ReplicateView,
  setLength,
  setOf,
  WANT_SLICE,
  WANT_VERSION,
  type WireSet,
  writeFetch,
  writeFetched,
  writeReplicate,
  writeSet,
} from "../../core/replica-frames.ts";
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

const SEED = seedFrom(process.env.SEED, 77);

function randomReplicate(random: SeededRandom): ReplicateBody {
  return {
    purpose: random.below(4),
    flags: random.below(4),
    round: random.uint32(),
    target: randomBytes(random, 8),
    name: randomBytes(random, random.below(40)),
    requests: randomBytes(random, random.below(REQUESTS_MAX + 1) * REQUEST_BYTES),
    set: randomSet(random),
  };
}

function randomFetch(random: SeededRandom): FetchBody {
  const name = randomBytes(random, random.below(40));
  const want = random.below(3);
  const isVersion = want === WANT_VERSION;
  return {
    want,
    flags: random.below(isVersion ? 2 : 4),
    checksum: random.uint32(),
    about: randomBytes(random, isVersion ? 14 : 16),
    name,
  };
}

function randomFetched(random: SeededRandom): FetchedBody {
  return {
    isComplete: random.chance(1, 2),
    isSuperseded: random.chance(1, 2),
    digest0: random.uint32(),
    digest1: random.uint32(),
    set: random.chance(1, 4) ? null : randomSet(random),
  };
}

function replicateBytes(body: ReplicateBody): Uint8Array {
  const bytes = new Uint8Array(replicateLength(body.name, body.requests, body.set)).fill(0xee);
  writeReplicate(body, bytes, 0);
  return bytes;
}

function fetchBytes(body: FetchBody): Uint8Array {
  const bytes = new Uint8Array(fetchLength(body.name)).fill(0xee);
  writeFetch(body, bytes, 0);
  return bytes;
}

function fetchedBytes(body: FetchedBody): Uint8Array {
  const bytes = new Uint8Array(fetchedLength(body.set)).fill(0xee);
  writeFetched(body, bytes, 0);
  return bytes;
}

function setBytes(set: WireSet): Uint8Array {
  const bytes = new Uint8Array(setLength(set)).fill(0xee);
  writeSet(set, bytes, 0);
  return bytes;
}

/** The allocating twins of the readers. */
function replicateFrom(bytes: Uint8Array, start: number, end: number): ReplicateBody | null {
  const view = new ReplicateView();
  if (!readReplicate(bytes, start, end, view)) return null;
  return {
    purpose: view.purpose,
    flags: view.flags,
    round: view.round,
    target: bytes.subarray(view.targetStart, view.targetStart + 8),
    name: bytes.subarray(view.nameStart, view.nameEnd),
    requests: bytes.subarray(view.requestsStart, view.requestsEnd),
    set: setOf(view.set),
  };
}

function fetchFrom(bytes: Uint8Array, start: number, end: number): FetchBody | null {
  const view = new FetchView();
  if (!readFetch(bytes, start, end, view)) return null;
  const { want, flags, checksum, aboutStart } = view;
  const about = bytes.subarray(aboutStart, aboutStart + (want === WANT_VERSION ? 14 : 16));
  const name = bytes.subarray(view.nameStart, view.nameEnd);
  return { want, flags, checksum, about, name };
}

function fetchedFrom(bytes: Uint8Array, start: number, end: number): FetchedBody | null {
  const view = new FetchedView();
  if (!readFetched(bytes, start, end, view)) return null;
  const { isComplete, isSuperseded, digest0, digest1, hasSet } = view;
  return { isComplete, isSuperseded, digest0, digest1, set: hasSet ? setOf(view.set) : null };
}

const setTrial: Trial<WireSet> = { read: readSet, fault: faultOfSet };
const replicateTrial: Trial<ReplicateBody> = {
  read: replicateFrom,
  fault: (body) => faultOfSet(body.set),
};
const fetchTrial: Trial<FetchBody> = {
  read: fetchFrom,
  fault: (body) => (body.want > WANT_SLICE ? "it wants what there is not" : ""),
};
const fetchedTrial: Trial<FetchedBody> = {
  read: fetchedFrom,
  fault: (body) => faultOfSet(body.set),
};

export const suite: Case[] = [
  {
    name: "bodies come back as they were written, at any offset, and every byte of them is written",
    run(check) {
      const random = new SeededRandom(SEED);
      for (let round = 0; round < 500; round++) {
        const replicate = randomReplicate(random);
        const bytes = replicateBytes(replicate);
        check.same(replicateFrom(bytes, 0, bytes.length), replicate, `REPLICATE, SEED=${SEED}`);
        const fetch = randomFetch(random);
        const fetchAll = fetchBytes(fetch);
        check.same(fetchFrom(fetchAll, 0, fetchAll.length), fetch, `FETCH, SEED=${SEED}`);
        const fetched = randomFetched(random);
        const reply = fetchedBytes(fetched);
        check.same(fetchedFrom(reply, 0, reply.length), fetched, `FETCH reply, SEED=${SEED}`);
        const again = new Uint8Array(bytes.length);
        writeReplicate(replicate, again, 0);
        check.equal(
          toHex(again, 0, again.length),
          toHex(bytes, 0, bytes.length),
          "no byte is left over",
        );
      }
    },
  },
  {
    name: "readSet() refuses a set that lacks or exceeds what its counts say",
    run(check) {
      const random = new SeededRandom(8);
      for (let round = 0; round < 200; round++) {
        const set = randomSet(random);
        const bytes = setBytes(set);
        check.ok(readSet(bytes, 0, bytes.length) !== null, "the whole");
        const longer = new Uint8Array(bytes.length + 1);
        longer.set(bytes);
        check.equal(readSet(longer, 0, longer.length), null, "a byte more");
        check.equal(readSet(bytes, 0, bytes.length - 1), null, "a byte less");
        bytes[4]++;
        check.equal(
          readSet(bytes, 0, bytes.length),
          null,
          "a payload is announced that is not there",
        );
      }
    },
  },
  {
    name: "readSet() refuses a head length near 2^32 and a presence byte that is neither 0 nor 1",
    run(check) {
      const random = new SeededRandom(9);
      let set = randomSet(random);
      while (set.payloads.length === 0) set = randomSet(random);
      const bytes = setBytes(set);
      const far = bytes.slice();
      far.fill(255, 0, 4);
      check.equal(readSet(far, 0, far.length), null, "a head of 4 GiB");
      const odd = bytes.slice();
      odd[8 + set.head.length] = 2;
      check.equal(readSet(odd, 0, odd.length), null, "presence 2");
    },
  },
  {
    name: "readReplicate() refuses a body whose set is longer or shorter than it says",
    run(check) {
      const bytes = replicateBytes(randomReplicate(new SeededRandom(12)));
      for (const change of [1, 255]) {
        const other = bytes.slice();
        other[4] += change;
        check.equal(replicateFrom(other, 0, other.length), null, `set length changed by ${change}`);
      }
      check.ok(replicateFrom(bytes, 0, bytes.length) !== null, "and takes it as it was");
    },
  },
  {
    name: "every truncation of 40 bodies of each kind is null or well-formed",
    run(check) {
      const random = new SeededRandom(10);
      for (let round = 0; round < 40; round++) {
        tryCuts(check, setBytes(randomSet(random)), setTrial, "set");
        tryCuts(check, replicateBytes(randomReplicate(random)), replicateTrial, "REPLICATE");
        tryCuts(check, fetchBytes(randomFetch(random)), fetchTrial, "FETCH");
        tryCuts(check, fetchedBytes(randomFetched(random)), fetchedTrial, "FETCH reply");
      }
      check.ok(true, "all were read");
    },
  },
  {
    name: "Thousands of mutations of each kind are null or well-formed, and read nothing around them",
    run(check) {
      const random = new SeededRandom(11);
      const count = roundsHere(20_000);
      tryMutations(
        check,
        random,
        count,
        () => replicateBytes(randomReplicate(random)),
        replicateTrial,
      );
      tryMutations(check, random, count, () => fetchBytes(randomFetch(random)), fetchTrial);
      tryMutations(check, random, count, () => fetchedBytes(randomFetched(random)), fetchedTrial);
    },
  },
];
