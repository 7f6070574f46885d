/** Merge rules commute, associate and repeat without effect; documents survive their codecs. */

import { BUCKETS_MAX, type BucketRecord, Buckets } from "../../../server/membership/buckets.ts";
import {
  decodeDocument,
  encodeDocument,
  Fields,
  MalformedDocument,
} from "../../../server/membership/document.ts";
import {
  decodeLayout,
  foundLayout,
  type Layout,
  type MembershipEvent,
} from "../../../server/membership/layout.ts";
import { layoutWith } from "../../../server/membership/layout-change.ts";
import {
  firstVersion,
  type MemberRecord,
  newerRecord,
  readRecord,
  recordDocument,
  sinceOf,
} from "../../../server/membership/member.ts";
import { Members } from "../../../server/membership/members.ts";
import { Votes } from "../../../server/membership/votes.ts";
import type { Peer } from "../../../server/wire/peers.ts";
import { SeededRandom } from "../../random.ts";
import type { Case, Check } from "../../suite.ts";
import { silentLog, SmallDisk } from "./small-disk.ts";

const IDS = ["00000000000000aa", "00000000000000bb", "00000000000000cc"];

/** Links are of no concern to merging. */
function noLink(): Peer {
  return { healthy: true, address: "" } as Peer;
}

function newMembers(): Members {
  return new Members(() => IDS[0], noLink);
}

function attributes(name: string) {
  return { name, address: `${name}:1`, http: `${name}:2`, zone: "z", capacity: 1 };
}

function randomRecord(random: SeededRandom): MemberRecord {
  const id = IDS[random.below(IDS.length)];
  const version = firstVersion(1 + random.below(2)) + random.below(4);
  // A record has one writer: id and version fix what it says.
  const content = new SeededRandom(version % 1_000_003 + id.charCodeAt(15));
  return {
    id,
    version,
    ...attributes(`node${content.below(3)}`),
    adopted: content.below(5),
    synced: content.below(5),
    reading: content.below(5),
    drained: content.below(5),
    partial: content.below(5),
    actor: "",
  };
}

function randomEvent(random: SeededRandom): MembershipEvent {
  const layout = 1 + random.below(5);
  const member = IDS[random.below(IDS.length)];
  const kinds = ["joined", "removed", "left", "returned"] as const;
  const kind = kinds[(layout + member.charCodeAt(15)) % 4];
  const staged = (layout * member.charCodeAt(15)) % 5;
  return { kind, layout, member, name: "n", timeMs: layout, issuer: IDS[0], note: "", staged };
}

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}

function membersAfter(records: readonly MemberRecord[], events: readonly MembershipEvent[]) {
  const members = newMembers();
  for (const record of records) members.apply(record);
  for (const event of events) members.applyEvents([event]);
  return members.everyone.map(({ record, status }) => [record, status]).concat([[
    members.history,
    members.present.length,
  ]] as never);
}

function recordsCommute(check: Check): void {
  const random = new SeededRandom(11);
  let different = 0;
  for (let round = 0; round < 300; round++) {
    const records = Array.from({ length: 8 }, () => randomRecord(random));
    const events = Array.from({ length: 5 }, () => randomEvent(random));
    const one = JSON.stringify(membersAfter(records, events));
    const twice = shuffled([...records, ...records.slice(3)], random);
    const other = JSON.stringify(membersAfter(twice, shuffled([...events, ...events], random)));
    if (one !== other) different++;
  }
  check.equal(different, 0, "any order, any repetition: the same members");
}

function recordWinnerIsOneOfBoth(check: Check): void {
  const random = new SeededRandom(12);
  for (let round = 0; round < 200; round++) {
    const left = { ...randomRecord(random), id: IDS[0] };
    const right = { ...randomRecord(random), id: IDS[0], zone: `z${random.below(3)}` };
    const winner = newerRecord(left, right);
    const mirrored = newerRecord(right, left);
    if (JSON.stringify(winner) !== JSON.stringify(mirrored)) {
      check.ok(false, `order matters for ${JSON.stringify([left, right])}`);
    }
    if (winner.version < left.version || winner.version < right.version) {
      check.ok(false, "an older record won");
    }
  }
  check.equal(sinceOf(firstVersion(7) + 12), 7, "a version tells its layout");
}

const clock = { nowMs: () => 1_000, elapsedMs: () => 0 };

function newBuckets(node = IDS[0]): Buckets {
  const timer = { cancel: () => {} };
  const full = { ...clock, after: () => timer, soon: () => {} };
  return new Buckets(full, () => node, () => true);
}

function randomBucket(random: SeededRandom): BucketRecord {
  const properties = random.chance(1, 4)
    ? null
    : { policy: "lww" as const, n: 1 + random.below(3) };
  const node = IDS[random.below(3)];
  return { bucket: `b${random.below(3)}`, stamp: random.below(6), node, properties };
}

function bucketsCommute(check: Check): void {
  const random = new SeededRandom(13);
  let different = 0;
  for (let round = 0; round < 300; round++) {
    const records = Array.from({ length: 12 }, () => randomBucket(random));
    const one = newBuckets();
    const other = newBuckets();
    for (const record of records) one.apply(record);
    for (const record of shuffled([...records, ...records], random)) other.apply(record);
    if (JSON.stringify(one.records()) !== JSON.stringify(other.records())) different++;
  }
  check.equal(different, 0, "any order, any repetition: the same properties");
}

function bucketsBehave(check: Check): void {
  const buckets = newBuckets();
  const name = Uint8Array.from({ length: 255 }, (_, index) => (index === 47 ? 255 : index));
  check.same(buckets.get(name), { policy: "siblings" }, "defaults where nothing was set");
  check.equal(buckets.set(name, { policy: "lww", n: 2, ttlSeconds: 60 }, 3), "", "set");
  check.same(buckets.get(name), { policy: "lww", n: 2, ttlSeconds: 60 }, "and got");
  check.same(buckets.list()[0].bucket, name, "a bucket's bytes are kept");
  // Seen a change from the future, an own change still wins over it.
  buckets.apply({ bucket: "b", stamp: 9_999_999, node: IDS[2], properties: { policy: "lww" } });
  const b = new TextEncoder().encode("b");
  check.equal(buckets.set(b, { policy: "siblings", w: "all" }, 3), "", "set after it");
  check.same(buckets.get(b), { policy: "siblings", w: "all" }, "the later change wins");
  check.equal(buckets.reset(b), "", "reset");
  check.same(buckets.get(b), { policy: "siblings" }, "back to the defaults");
  check.equal(buckets.list().length, 1, "a reset bucket is not listed");
  check.equal(buckets.records().length, 2, "but remembered");
  const orWords = ", or one, quorum or all";
  for (const [properties, sentence] of [
    [{ policy: "lww", n: 4 }, "Property n is 4, wanted is a number from 1 to 3"],
    [{ policy: "lww", n: 0 }, "Property n is 0, wanted is a number from 1 to 3"],
    [{ policy: "lww", r: 4 }, `Property r is 4, wanted is a number from 1 to 3${orWords}`],
    [{ policy: "lww", n: 2, w: 3 }, `Property w is 3, wanted is a number from 1 to 2${orWords}`],
    [{ policy: "lww", r: 0 }, `Property r is 0, wanted is a number from 1 to 3${orWords}`],
    [
      { policy: "lww", ttlSeconds: 0 },
      "Property ttlSeconds is 0, wanted is a number from 1 to 316224000",
    ],
  ] as const) {
    check.equal(buckets.set(name, properties, 3), sentence, sentence);
  }
  check.equal(buckets.set(name, { policy: "lww", n: 3, dw: 0, pr: 3 }, 3), "", "at the edges");
}

function bucketLimit(check: Check): void {
  const buckets = newBuckets();
  const bytes = (index: number) => Uint8Array.of(index & 255, index >> 8, 1);
  for (let index = 0; index < BUCKETS_MAX; index++) {
    buckets.set(bytes(index), { policy: "lww" }, 3);
  }
  check.equal(buckets.list().length, BUCKETS_MAX, "that many can be set");
  const refused = buckets.set(bytes(BUCKETS_MAX), { policy: "lww" }, 3);
  check.ok(refused.startsWith("Cannot set bucket properties: 10000"), "one more is refused");
  check.equal(buckets.set(bytes(5), { policy: "siblings" }, 3), "", "known ones can be changed");
}

function founded(): Layout {
  const shape = { clusterId: "000000000000c1c1", partitionBits: 3, replicas: 2 };
  const founder = { id: IDS[0], incarnation: IDS[0], attributes: attributes("a") };
  return foundLayout(shape, founder, 5);
}

function grown(): Layout {
  const context = { issuer: IDS[0], timeMs: 9, oldestLive: 1, attributesOf: () => null };
  const admission = { id: IDS[1], incarnation: IDS[1], attributes: attributes("b") };
  return layoutWith(founded(), [admission], context);
}

function layoutsSurvive(check: Check): void {
  const layout = grown();
  const again = decodeLayout(layout.bytes);
  check.same(again.bytes, layout.bytes, "bytes");
  check.same(again.nodes, layout.nodes, "nodes");
  check.same([...again.owners], [...layout.owners], "owners");
  check.same([...again.preference], [...layout.preference], "preference lists");
  check.same(again.events, layout.events, "events");
  check.equal(layout.number, 2, "the next number");
  check.equal(layout.ownersPerPartition, 2, "N'");
  check.ok(layout.owns(IDS[0], 3) && layout.owns(IDS[1], 3), "both own everything");
  check.ok(!layout.owns(IDS[2], 3), "a stranger owns nothing");
  check.same([...layout.slotsOfNodes()], [8, 8], "slots");
}

/** Every byte of a layout, broken: an error or another well-formed layout, nothing else. */
function brokenLayouts(check: Check): void {
  const { bytes } = grown();
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (const bits of [0x01, 0x80, 0xff]) {
      const broken = bytes.slice();
      broken[at] ^= bits;
      try {
        decodeLayout(broken);
      } catch (error) {
        if (!(error instanceof MalformedDocument)) throw error;
        refused++;
      }
    }
    try {
      decodeLayout(bytes.subarray(0, at));
      check.ok(false, `cut at ${at} it is still a layout`);
    } catch (error) {
      if (!(error instanceof MalformedDocument)) throw error;
    }
  }
  check.ok(refused > bytes.length, `${refused} broken ones were refused`);
}

function recordsSurvive(check: Check): void {
  const random = new SeededRandom(15);
  for (let round = 0; round < 50; round++) {
    const record = randomRecord(random);
    const bytes = encodeDocument(recordDocument(record));
    check.same(readRecord(new Fields(decodeDocument(bytes))), record, "a record");
  }
  for (const broken of [null, [], 5, { id: "x" }, { ...randomRecord(random), capacity: 0 }]) {
    check.throws(() => readRecord(new Fields(broken)), `refused: ${JSON.stringify(broken)}`);
  }
}

function votesAreKept(check: Check): void {
  const disk = new SmallDisk();
  const ballot = (round: number, node = IDS[0]) => ({ round, node });
  const value = Uint8Array.of(1, 2, 3);
  const votes = new Votes(disk, silentLog);
  votes.load();
  check.same(votes.prepare(2, ballot(5)), { status: "yes", accepted: null }, "a first promise");
  check.equal(votes.prepare(2, ballot(4)).status, "no", "a smaller ballot is refused");
  check.equal(votes.accept(2, ballot(4), value).status, "no", "its value as well");
  check.equal(votes.accept(2, ballot(5), value).status, "yes", "the promised one may vote");
  const reborn = new Votes(disk, silentLog);
  reborn.load();
  check.equal(reborn.prepare(2, ballot(4, IDS[2])).status, "no", "a promise outlives the process");
  const seen = reborn.prepare(2, ballot(5, IDS[1]));
  check.same(seen, { status: "yes", accepted: { ballot: ballot(5), value } }, "a vote as well");
  check.equal(reborn.prepare(2, ballot(5)).status, "no", "equal rounds are ordered by node");
  disk.full = true;
  check.equal(reborn.prepare(3, ballot(1)).status, "unable", "no promise that is not durable");
  check.equal(reborn.accept(2, ballot(9), Uint8Array.of(9)).status, "unable", "no vote either");
  disk.full = false;
  const accepted = reborn.prepare(2, ballot(10));
  check.same(accepted, { status: "yes", accepted: { ballot: ballot(5), value } }, "none was kept");
  reborn.forgetUpTo(2);
  const fresh = reborn.prepare(2, ballot(1));
  check.same(fresh, { status: "yes", accepted: null }, "forgotten when told");
}

export const suite: readonly Case[] = [
  { name: "members merge in any order", run: recordsCommute },
  { name: "of two records the newer wins, whoever asks", run: recordWinnerIsOneOfBoth },
  { name: "bucket properties merge in any order", run: bucketsCommute },
  { name: "bucket properties are set, checked, reset", run: bucketsBehave },
  { name: "bucket properties have a limit", run: bucketLimit },
  { name: "a layout is its bytes", run: layoutsSurvive },
  { name: "broken layouts are refused", run: brokenLayouts },
  { name: "records survive, malformed ones are refused", run: recordsSurvive },
  { name: "votes are durable before they are told", run: votesAreKept },
];

