/**
 * A set on its way to one replica: what it takes to arrive whole, and that it ends once, whatever
 * happens.
 */

import { BodyPushes } from "../../../server/replication/body-push.ts";
import t from "tap";
import {
  PURPOSE_WRITE,
  STATUS_DONE,
  STATUS_FULL,
  STATUS_INCOMPLETE,
} from "../../../core/replica-frames.ts";
import {
  type Delivered,
  Delivery,
  type DeliveryOptions,
} from "../../../server/replication/delivery.ts";
import { mergeSets } from "../../../server/replication/merge-sets.ts";
import { NO_REQUESTS } from "../../../server/replication/request-list.ts";
import type { VersionSet } from "../../../storage/engine.ts";
import { bodiesOf, bodiless, setOfOne } from "./one-version.ts";
import { nameOf, SmallCluster, type SmallNode } from "./small-cluster.ts";

const NAME = nameOf("cart/user-17");
const SET_BYTES_MAX = 1_500;

/** What all of the versions below supersede: only the head over them tells of it. */
const SUPERSEDED = { actor: "o", counter: 7, body: "old" };

/** Ten siblings of 300 bytes: two frames of the size above would not hold them. */
function largeSet(): VersionSet {
  const versions = [..."abcdefghij"].map((actor, index) =>
    setOfOne({ actor, counter: 1, body: actor.repeat(300), request: index + 1, over: [SUPERSEDED] })
  );
  return versions.reduce(mergeSets);
}

class Trial {
  readonly cluster = new SmallCluster(2);
  readonly sender: SmallNode;
  readonly receiver: SmallNode;
  readonly ends: Delivered[] = [];
  loads = 0;

  constructor() {
    [this.sender, this.receiver] = this.cluster.nodes;
  }

  /** Sends a set; `whole` is what the sender can load when it is asked for more. */
  send(
    set: VersionSet,
    whole: VersionSet | null,
    options: Partial<DeliveryOptions> = {},
  ): Delivered {
    const load = (give: (set: VersionSet | null) => void): void => {
      this.loads++;
      give(whole);
    };
    const delivery = new Delivery(
      {
        member: this.receiver.seenBy(this.sender),
        name: NAME,
        set,
        purpose: PURPOSE_WRITE,
        durable: true,
        superseded: NO_REQUESTS,
        hintFor: null,
        layout: this.sender.membership.layouts.current.number,
        round: 0,
        timeoutMs: 500,
        setBytesMax: SET_BYTES_MAX,
        load,
        pushes: new BodyPushes(1 << 10),
        moved: () => {},
        ...options,
      },
      (end) => this.ends.push(end),
    );
    delivery.start();
    this.cluster.run(2_000);
    return this.ends[this.ends.length - 1];
  }
}

t.test("a set that is larger than a frame arrives whole, version by version", (tt) => {
  const trial = new Trial();
  const set = largeSet();
  trial.cluster.run(100);
  const before = trial.receiver.peers.counters.framesIn;
  const end = trial.send(set, set);
  tt.same([end.status, end.failure, end.isDurable], [STATUS_DONE, "", true], "stored and durable");
  tt.same(bodiesOf(trial.receiver.held(NAME)), bodiesOf(set), "all ten versions");
  tt.same(
    [...(trial.receiver.held(NAME)?.head ?? [])],
    [...set.head],
    "the head is the sender's to the byte",
  );
  const frames = trial.receiver.peers.counters.framesIn - before;
  tt.ok(frames >= 11, `${frames} frames: one a version, and the head`);
  tt.equal(trial.ends.length, 1, "ended once");
  tt.end();
});

t.test("bodies that the receiver turns out to lack are sent when it said so", (tt) => {
  const trial = new Trial();
  const small = setOfOne({ actor: "z", counter: 1, body: "small" });
  tt.equal(trial.send(bodiless(small), small).status, STATUS_DONE, "stored in the end");
  tt.equal(trial.loads, 1, "the bodies were loaded once");
  tt.same(bodiesOf(trial.receiver.held(NAME)), ["small"], "with its body");
  const large = largeSet();
  tt.equal(trial.send(bodiless(large), large).status, STATUS_DONE, "a large one too");
  tt.equal(trial.receiver.held(NAME)?.payloads.length, 11, "beside what was there");
  tt.equal(trial.send(bodiless(large), large).status, STATUS_DONE, "once more");
  tt.equal(trial.loads, 2, "what is stored there need not be loaded");
  tt.end();
});

t.test("a delivery whose bodies cannot be loaded ends as incomplete", (tt) => {
  const trial = new Trial();
  const set = bodiless(setOfOne({ actor: "a", counter: 1, body: "small" }));
  tt.equal(trial.send(set, null).status, STATUS_INCOMPLETE, "nothing to load");
  tt.equal(trial.send(set, set).status, STATUS_INCOMPLETE, "nothing better to load");
  tt.equal(trial.loads, 2, "asked once each");
  tt.equal(trial.receiver.held(NAME), null, "nothing was applied");
  tt.equal(trial.ends.length, 2, "ended once each");
  tt.end();
});

t.test("a refusal, a silence and a missing link are told as what they are", (tt) => {
  const trial = new Trial();
  const set = setOfOne({ actor: "a", counter: 1, body: "small" });
  trial.receiver.objects.isFull = true;
  const full = trial.send(set, set);
  tt.same([full.status, full.failure], [STATUS_FULL, ""], "full");
  trial.receiver.objects.isFull = false;
  const self = trial.send(set, set, { member: trial.sender.member });
  tt.equal(self.failure, "unreachable", "there is no link to oneself");
  trial.cluster.isolate(trial.receiver);
  tt.equal(trial.send(set, set).failure, "timeout", "silence");
  tt.equal(trial.ends.length, 3, "ended once each");
  tt.end();
});

t.test("a frame that came twice over is one delivery; the digest says what is held", (tt) => {
  const trial = new Trial();
  const [one, other] = ["a", "b"].map((actor) => setOfOne({ actor, counter: 1, body: actor }));
  const first = trial.send(one, one);
  const both = trial.send(other, other);
  const again = trial.send(one, one);
  tt.not(both.digest0, first.digest0, "another set is held after the second");
  tt.same(
    [again.digest0, again.digest1],
    [both.digest0, both.digest1],
    "and still after a repetition",
  );
  tt.end();
});
