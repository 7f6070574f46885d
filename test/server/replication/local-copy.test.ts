/**
 * A local copy: it changes by whole joins or events alone, says what came of them, and mends
 * damage.
 */

import t from "tap";
import { REQUEST_ID_KEPT_MS } from "../../../core/limits.ts";
import {
  HEAD_COUNT_MAX,
  payloadChecksum,
  POLICY_LWW,
  REQUEST_ID_OFFSET,
  VERSION_BYTES,
} from "../../../core/version-set.ts";
import {
  STATUS_DAMAGED,
  STATUS_DONE,
  STATUS_FAILED,
  STATUS_FULL,
  STATUS_INCOMPLETE,
  STATUS_NOT_READY,
} from "../../../core/replica-frames.ts";
import { toHex } from "../../../core/bytes.ts";
import { clockOfHead } from "../../../server/coordination/context-clock.ts";
import { Counters } from "../../../server/replication/counters.ts";
import type { Change } from "../../../server/replication/change.ts";
import { type EventMaker, STATUS_REFUSED_HERE } from "../../../server/replication/event.ts";
import { LocalCopy } from "../../../server/replication/local-copy.ts";
import { mergeSets } from "../../../server/replication/merge-sets.ts";
import { RequestList } from "../../../server/replication/request-list.ts";
import { StagedBodies } from "../../../server/replication/staged-bodies.ts";
import { SupersededRequests } from "../../../server/replication/superseded.ts";
import { DiskError } from "../../../storage/disk.ts";
import type { Engine, VersionSet } from "../../../storage/engine.ts";
import { openMemoryEngine } from "../../../storage/memory/memory-engine.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { Machine } from "../../storage/engine-beds.ts";
import { LABELS, nameOf, read } from "../../storage/sets.ts";
import { FaultyEngine } from "./faulty-engine.ts";
import { bodiesOf, bodiless, clockOf, FIRST_VERSION, type OneVersion, setOfOne } from "./one-version.ts";

const NAME = nameOf("b/k");
const A: OneVersion = { actor: "a", counter: 1, body: "alpha", request: 1 };
const B: OneVersion = { actor: "b", counter: 1, body: "beta", request: 2 };

class Bed {
  readonly engine: FaultyEngine;
  readonly counters = new Counters();
  readonly world = new World();
  readonly copy: LocalCopy;
  readonly told: string[] = [];
  /** Whether a new actor can be written. */
  mayForget = true;

  constructor(below?: Engine) {
    const treeKey = new Int32Array(4);
    const shape = { folder: "objects", partitionBits: 4, treeKey };
    const options = { ...shape, freeBytesMin: 0, totalBytesMax: 0 };
    this.engine = new FaultyEngine(below ?? openMemoryEngine(options));
    const clock = new SimulatedClock(this.world, "n");
    this.copy = new LocalCopy(
      this.engine,
      clock,
      new SupersededRequests(),
      this.counters,
      new StagedBodies(clock),
    );
    this.copy.onDamage = () => this.told.push("damage");
    this.copy.mayForget = () => this.told.push("forgotten") > 0 && this.mayForget;
  }

  join(set: VersionSet, told?: Uint8Array): Change {
    return this.copy.join(NAME, set, LABELS, told);
  }

  restore(set: VersionSet): Change {
    return one((done) => this.copy.restore(NAME, set, LABELS, done));
  }

  event(maker: Partial<EventMaker>): Change {
    const whole: EventMaker = {
      context: new Uint8Array(0),
      contextCount: 0,
      dotAsPair: false,
      clockEntriesMax: 10,
      make: () => null,
      check: () => "",
      ...maker,
    };
    return this.copy.event(NAME, whole, LABELS);
  }

  /** The bodies that are held, or why they cannot be read. */
  get held(): string[] {
    const outcome = read(this.engine, NAME);
    return outcome.status === "found" ? bodiesOf(outcome.set) : [outcome.status];
  }
}

function one(ask: (done: (change: Change) => void) => void): Change {
  const changes: Change[] = [];
  ask((change) => changes.push(change));
  if (changes.length !== 1) throw new Error(`called back ${changes.length} times`);
  return changes[0];
}

/** The write of a version, as replicas tell each other of it. */
function requestsOf(version: OneVersion): Uint8Array {
  const { head } = setOfOne(version);
  const requests = new RequestList();
  const id = FIRST_VERSION + REQUEST_ID_OFFSET;
  requests.add(head, id, payloadChecksum(head, FIRST_VERSION));
  return requests.toBytes();
}

/** The maker of this version. */
function making(version: OneVersion): Partial<EventMaker> {
  const { head, payloads } = setOfOne(version);
  const entry = head.slice(FIRST_VERSION, FIRST_VERSION + VERSION_BYTES);
  return { make: () => ({ entry, payload: payloads[0] ?? new Uint8Array(0) }) };
}

t.test("a set that lacks bodies which are not stored applies nothing", (tt) => {
  const bed = new Bed();
  bed.join(setOfOne(A));
  const both = mergeSets(setOfOne(A), setOfOne({ ...B, over: [A] }));
  const change = bed.join(bodiless(both));
  tt.equal(change.status, STATUS_INCOMPLETE, "a body is missing");
  tt.same(bed.held, ["alpha"], "what it superseded is still there");
  tt.equal(bed.join(both).status, STATUS_DONE, "with the body");
  tt.same(bed.held, ["beta"], "it is applied");
  tt.equal(
    bed.join(bodiless(both)).status,
    STATUS_DONE,
    "a body that is stored need not come again",
  );
  tt.end();
});

t.test("a join may be repeated and come in any order; the second time nothing changes", (tt) => {
  const [left, right] = [new Bed(), new Bed()];
  left.join(setOfOne(A));
  const first = left.join(setOfOne(B));
  const again = left.join(setOfOne(A));
  right.join(setOfOne(B));
  const other = right.join(setOfOne(A));
  tt.same([first.isChanged, again.isChanged], [true, false], "changed once");
  tt.same(
    [other.digest0, other.digest1],
    [first.digest0, first.digest1],
    "one digest in both orders",
  );
  tt.same(
    [again.digest0, again.digest1],
    [first.digest0, first.digest1],
    "told without a change too",
  );
  tt.same(left.held, ["alpha", "beta"], "both versions");
  tt.end();
});

t.test("a late twin of a write that was superseded here stays superseded", (tt) => {
  const bed = new Bed();
  bed.join(setOfOne(A));
  bed.join(setOfOne({ ...B, over: [A] }));
  const twin = setOfOne({ ...A, actor: "z" });
  tt.equal(bed.join(twin).status, STATUS_DONE, "it is acknowledged");
  tt.same(bed.held, ["beta"], "and not shown again");
  tt.equal(bed.counters.lateTwins, 1, "counted");
  bed.join(setOfOne({ ...A, actor: "y", body: "other" }));
  tt.same(bed.held, ["beta", "other"], "the same id with another content is another write");
  bed.world.run(REQUEST_ID_KEPT_MS + 1);
  bed.join(setOfOne({ ...A, actor: "x" }));
  tt.same(bed.held, ["alpha", "beta", "other"], "after that nobody remembers");
  tt.end();
});

t.test("what superseded a write tells of it: its twins go, wherever they came from", (tt) => {
  const bed = new Bed();
  const told = requestsOf(A);
  bed.join(setOfOne({ ...A, actor: "z" }));
  tt.equal(bed.join(bodiless(setOfOne(B)), told).status, STATUS_INCOMPLETE, "a body is missing");
  tt.same(bed.held, ["alpha"], "what is told with it is not believed without it");
  tt.same(bed.engine.notes, [], "nor noted");
  bed.join(setOfOne(B), told);
  tt.same(bed.held, ["beta"], "the twin that was here");
  bed.join(setOfOne({ ...A, actor: "y" }));
  tt.same(bed.held, ["beta"], "and one that comes late");
  tt.same(bed.engine.notes, [], "the log tells of it");
  tt.end();
});

t.test("what the log does not tell of superseded writes is noted, once", (tt) => {
  const [told, dead] = [new Bed(), new Bed()];
  for (let round = 0; round < 2; round++) told.join(setOfOne(B), requestsOf(A));
  tt.same(told.engine.notes, [toHex(requestsOf(A), 0, 20)], "a write that never was here");
  dead.join(setOfOne({ ...B, over: [A] }));
  for (let round = 0; round < 2; round++) dead.join(setOfOne(A));
  tt.same(dead.engine.notes, [toHex(requestsOf(A), 0, 20)], "a version that was dead when it came");
  const old = new Bed();
  old.world.run(REQUEST_ID_KEPT_MS + 4_000_000);
  old.join(setOfOne({ ...B, over: [A] }));
  old.join(setOfOne(A));
  tt.same(old.engine.notes, [], "not of a write that is too old to be retried");
  tt.end();
});

t.test("an event tells which writes it superseded", (tt) => {
  const bed = new Bed();
  bed.join(setOfOne(A));
  const { entries, count } = clockOfHead(setOfOne(A).head);
  const over = bed.event({ ...making(B), context: entries, contextCount: count });
  tt.same([...over.superseded], [...requestsOf(A)], "one");
  tt.equal(bed.event(making({ ...B, counter: 2 })).superseded.length, 0, "or none");
  tt.end();
});

t.test("a late twin of policy lww is left to the greater stamp", (tt) => {
  const bed = new Bed();
  const write = { ...A, policy: POLICY_LWW, stampMs: 100 };
  bed.join(setOfOne(write));
  bed.join(setOfOne({ ...B, policy: POLICY_LWW, stampMs: 200 }));
  bed.join(setOfOne({ ...write, actor: "z", stampMs: 300 }));
  tt.same(bed.held, ["alpha"], "elsewhere it may have won already");
  tt.end();
});

// Simulation seed 20323: a delete that had read its context was sent again, and read another one.
t.test("a late twin that read its own context superseded other writes, and stays", (tt) => {
  const bed = new Bed();
  const write = { ...A, contextRead: true };
  bed.join(setOfOne(write));
  bed.join(setOfOne({ ...B, over: [A] }));
  bed.join(setOfOne({ ...write, actor: "z", over: [A, B] }));
  tt.same(bed.held, ["alpha"], "it replaced what had replaced its first attempt: something is left");
  const other = new Bed();
  other.join(setOfOne(write));
  other.join(setOfOne(B));
  other.join(setOfOne({ ...write, actor: "z", over: [A, B] }));
  tt.same(other.held, ["alpha"], "and where it replaced its first attempt itself");
  tt.end();
});

t.test("an event adds its version to what is held, unless a check refuses it before", (tt) => {
  const bed = new Bed();
  bed.join(setOfOne(A));
  const refused = bed.event({ ...making(B), check: () => "No more" });
  tt.same([refused.status, refused.detail], [STATUS_REFUSED_HERE, "No more"], "refused");
  tt.same(bed.held, ["alpha"], "with nothing written");
  const made = bed.event(making(B));
  tt.equal(made.status, STATUS_DONE, "made");
  tt.same(bodiesOf(made.set), ["-", "beta"], "what travels is the head, and the new body");
  tt.same(bed.held, ["alpha", "beta"], "both are held");
  tt.end();
});

t.test("a full disk, a dot that cannot be had: each says so and changes nothing", (tt) => {
  const bed = new Bed();
  bed.join(setOfOne(A));
  bed.engine.isFull = true;
  tt.equal(bed.join(setOfOne(B)).status, STATUS_FULL, "a join");
  tt.equal(bed.event(making(B)).status, STATUS_FULL, "an event");
  bed.engine.isFull = false;
  const failing = bed.event({
    make: () => {
      throw new DiskError("ENOSPC", "no space left");
    },
  });
  tt.equal(failing.status, STATUS_FULL, "a dot that cannot be reserved");
  tt.same(bed.held, ["alpha"], "nothing has changed");
  tt.end();
});

t.test("on damage no version is made; a set from a replica takes its place", (tt) => {
  const bed = new Bed();
  bed.join(setOfOne(A));
  bed.engine.damage(NAME);
  tt.equal(bed.event(making(B)).status, STATUS_DAMAGED, "an event is refused");
  tt.equal(
    bed.join(bodiless(setOfOne(A))).status,
    STATUS_INCOMPLETE,
    "a body that cannot be read is missing",
  );
  tt.same(bed.told, ["damage", "damage"], "nothing is forgotten by looking");
  bed.mayForget = false;
  tt.equal(bed.join(setOfOne(A)).status, STATUS_FAILED, "nor while its dots could not be told from new ones");
  tt.same(bed.held, ["damaged"], "what cannot be read is still there");
  bed.mayForget = true;
  bed.told.length = 2;
  tt.equal(bed.join(setOfOne(A)).status, STATUS_DONE, "a whole set is taken");
  tt.same(bed.told, ["damage", "damage", "damage", "forgotten"], "in place of what cannot be read");
  tt.same(bed.held, ["alpha"], "and can be read");
  tt.end();
});

for (const [size, length] of [["small", 100], ["large", 20_000]] as const) {
  t.test(`restore() mends a ${size} body in the log that is damaged under a sound head`, (tt) => {
    const machine = new Machine(3);
    const bed = new Bed(machine.open());
    const whole = mergeSets(setOfOne({ ...A, body: "x".repeat(length) }), setOfOne(B));
    bed.join(whole);
    machine.sync(bed.engine);
    const path = machine.disk.files().find((file) => file.endsWith(".log")) ?? "";
    const log = machine.disk.contents(path);
    const place = new TextDecoder("latin1").decode(log).indexOf("x".repeat(length)) + length - 1;
    tt.ok(place > length, "the body is in the log");
    machine.disk.flip(path, 8 * place);
    tt.same(bed.held, ["damaged"], "it cannot be read");
    bed.join(whole);
    tt.same(bed.held, ["damaged"], "a join reads heads alone, and does not see it");
    tt.equal(
      bed.restore(bodiless(whole)).status,
      STATUS_DONE,
      "nor does a restore without bodies help",
    );
    tt.same(bed.held, ["damaged"], "as there is nothing to help with");
    tt.equal(bed.restore(whole).status, STATUS_DONE, "a restore");
    tt.same(bed.held, ["beta", "x".repeat(length)], "writes the bodies anew");
    tt.notOk(bed.told.includes("forgotten"), "no dot was forgotten: the head is sound");
    tt.equal(bed.restore(whole).isChanged, false, "and there is nothing more to do");
    tt.end();
  });
}

t.test("two heads that are too large for one are refused, and nothing is thrown", (tt) => {
  const bed = new Bed();
  const half = (first: number): VersionSet => clockOf(first, 40_000);
  tt.equal(bed.join(half(1)).status, STATUS_DONE, "forty thousand entries");
  const change = bed.join(half(1_000_000));
  tt.equal(change.status, STATUS_FAILED, `eighty thousand are more than ${HEAD_COUNT_MAX}`);
  tt.equal(bed.join(half(1)).isChanged, false, "what was held is held");
  tt.end();
});

t.test("an event on top of what leaves no room for it is refused", (tt) => {
  const full = new Bed();
  full.join(clockOf(1, HEAD_COUNT_MAX));
  const refused = full.event({ ...making(A), clockEntriesMax: 2 * HEAD_COUNT_MAX });
  tt.same([refused.status, full.held], [STATUS_REFUSED_HERE, []], "no entry more");
  const late = new Bed();
  const stamps = (): never => {
    throw new RangeError("no stamp more");
  };
  const unstamped = late.event({ make: stamps });
  tt.same([unstamped.status, unstamped.detail], [STATUS_REFUSED_HERE, "no stamp more"], "no stamp");
  tt.end();
});

t.test("a dot that a broken disk does not reserve is no full disk", (tt) => {
  const failing = (code: string): Change => {
    const make = (): never => {
      throw new DiskError(code, "said the disk");
    };
    return new Bed().event({ make });
  };
  tt.equal(failing("ENOSPC").status, STATUS_FULL, "no room");
  tt.equal(failing("EIO").status, STATUS_NOT_READY, "broken: others may write");
  tt.end();
});
