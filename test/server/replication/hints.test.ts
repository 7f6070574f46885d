/**
 * Hinted handoff: a hint is given up for a copy that is synced at its owner, and for nothing else.
 */

import t from "tap";
import { STATUS_DONE, STATUS_FULL } from "../../../core/replica-frames.ts";
import type { VersionSet } from "../../../storage/engine.ts";
import type { Change } from "../../../server/replication/change.ts";
import { bodiesOf, type OneVersion, setOfOne } from "./one-version.ts";
import { nameOf, SmallCluster, type SmallNode } from "./small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LABELS = { layout: 1, round: 0 };
const A: OneVersion = { actor: "a", counter: 1, body: "alpha", request: 1 };
const B: OneVersion = { actor: "b", counter: 1, body: "beta", request: 2 };

class Trial {
  readonly cluster: SmallCluster;
  readonly keeper: SmallNode;
  readonly owner: SmallNode;

  constructor(hintBytesMax = 0) {
    this.cluster = new SmallCluster(4, { hintBytesMax });
    const order = this.cluster.preference(NAME);
    [, , this.owner, this.keeper] = order;
  }

  store(set: VersionSet, name = NAME): Change {
    return this.keeper.replication.hints.store(this.owner.seenBy(this.keeper), name, set, LABELS);
  }

  get waiting(): number {
    return this.keeper.replication.hints.count;
  }

  /** What is kept for the owner. */
  get kept(): string[] {
    const owners = [this.owner.seenBy(this.keeper).idBytes];
    const kept: string[][] = [];
    this.keeper.replication.hints.collect(owners, NAME, (sets) => kept.push(...sets.map(bodiesOf)));
    return kept.flat();
  }
}

t.test("hints wait for their owner, grow by joins, and are handed over when it is back", (tt) => {
  const trial = new Trial();
  trial.cluster.lose(trial.owner);
  tt.equal(trial.store(setOfOne(A)).status, STATUS_DONE, "kept");
  tt.equal(trial.store(setOfOne(B)).status, STATUS_DONE, "kept");
  tt.equal(trial.waiting, 1, "one hint for one object and owner");
  tt.same(trial.kept, ["alpha", "beta"], "which holds both versions");
  tt.equal(trial.keeper.held(NAME), null, "it does not show as an object of the keeper");
  trial.cluster.run(600_000);
  tt.equal(trial.waiting, 1, "age does not delete it");
  trial.cluster.heal();
  trial.cluster.until("it is handed over", () => trial.waiting === 0);
  tt.same(bodiesOf(trial.owner.held(NAME)), ["alpha", "beta"], "the owner has both");
  tt.equal(trial.keeper.counters.hintsDelivered, 1, "counted");
  tt.end();
});

t.test("a hint stays until the owner says that it is durable", (tt) => {
  const trial = new Trial();
  trial.owner.objects.durable = false;
  trial.store(setOfOne(A));
  trial.cluster.run(20_000);
  tt.same(bodiesOf(trial.owner.held(NAME)), ["alpha"], "the owner has it, unsynced");
  tt.equal(trial.waiting, 1, "the hint stays");
  trial.owner.objects.durable = true;
  trial.cluster.until("it is durable there", () => trial.waiting === 0);
  tt.equal(trial.keeper.counters.hintsDelivered, 1, "given up once");
  tt.end();
});

t.test("a hint that grew while it was being delivered stays, and goes later", (tt) => {
  const trial = new Trial();
  trial.owner.objects.durable = null;
  trial.store(setOfOne(A));
  trial.cluster.until("the first is there", () => trial.owner.held(NAME) !== null);
  trial.store(setOfOne(B));
  trial.owner.objects.release(true);
  trial.cluster.run(100);
  tt.equal(trial.waiting, 1, "the acknowledgement was for less than is kept now");
  tt.same(trial.kept, ["alpha", "beta"], "nothing of it is given up");
  trial.cluster.until("the rest is handed over", () => trial.waiting === 0);
  tt.same(bodiesOf(trial.owner.held(NAME)), ["alpha", "beta"], "the owner has both");
  tt.end();
});

t.test("an owner that refuses is not asked for each hint, and others' hints go on", (tt) => {
  const trial = new Trial();
  const [other] = trial.cluster.preference(NAME);
  trial.owner.objects.isFull = true;
  for (let number = 0; number < 100; number++) trial.store(setOfOne(A), nameOf(`many/${number}`));
  trial.keeper.replication.hints.store(other.seenBy(trial.keeper), NAME, setOfOne(B), LABELS);
  tt.equal(trial.waiting, 101, "a hundred, and one for another owner");
  trial.cluster.until("the other's is gone", () => trial.waiting === 100);
  trial.cluster.run(9_000);
  const { refusals } = trial.owner.objects;
  tt.ok(refusals > 0 && refusals < 50, `the full owner was asked ${refusals} times in two scans`);
  trial.owner.objects.isFull = false;
  trial.cluster.until("it has room again", () => trial.waiting === 0);
  tt.end();
});

t.test("a hint that does not fit is not acknowledged, and leaves nothing behind", (tt) => {
  const trial = new Trial(2_000);
  trial.cluster.lose(trial.owner);
  tt.equal(trial.store(setOfOne({ ...A, body: "x".repeat(1_000) })).status, STATUS_DONE, "fits");
  const refused = trial.store(setOfOne({ ...B, body: "y".repeat(1_000) }), nameOf("cart/other"));
  tt.equal(refused.status, STATUS_FULL, "does not fit");
  tt.equal(trial.waiting, 1, "the first alone is kept");
  tt.equal(trial.keeper.counters.hintsFull, 1, "counted");
  tt.end();
});

t.test("hundreds of hints for several owners are all handed over", (tt) => {
  const trial = new Trial();
  const owners = trial.cluster.nodes.filter((node) => node !== trial.keeper);
  for (const owner of owners) trial.cluster.network.cut(trial.keeper.name, owner.name);
  trial.cluster.until(
    "all are suspected",
    () => owners.every((owner) => !owner.seenBy(trial.keeper).healthy),
  );
  for (let number = 0; number < 300; number++) {
    const owner = owners[number % owners.length];
    trial.keeper.replication.hints.store(
      owner.seenBy(trial.keeper),
      nameOf(`many/${number}`),
      setOfOne({ ...A, counter: number + 1 }),
      LABELS,
    );
  }
  tt.equal(trial.waiting, 300, "all wait");
  trial.cluster.heal();
  trial.cluster.until("all are handed over", () => trial.waiting === 0);
  for (let number = 0; number < 300; number++) {
    const owner = owners[number % owners.length];
    if (owner.held(nameOf(`many/${number}`)) === null) tt.fail(`object ${number} is missing`);
  }
  tt.equal(trial.keeper.counters.hintsDelivered, 300, "each once");
  tt.end();
});

t.test("an owner that is slow to answer does not hold up another one", (tt) => {
  const trial = new Trial();
  const { keeper, cluster } = trial;
  const owners = cluster.nodes.filter((node) => node !== keeper);
  const [slow, fast] = owners;
  cluster.network.setBoth(keeper.name, slow.name, { delayMsMean: 100, delayMsMin: 100 });
  const hints = keeper.replication.hints;
  for (let number = 0; number < 400; number++) {
    const owner = number % 2 === 0 ? slow : fast;
    hints.store(owner.seenBy(keeper), nameOf(`many/${number}`), setOfOne({ ...A, counter: number + 1 }), LABELS);
  }
  hints.scan();
  const delivered = (owner: SmallNode): number => hints.report().find(({ to }) => to === owner.name)?.delivered ?? 0;
  cluster.until("the fast one has all of its own", () => delivered(fast) === 200);
  tt.ok(delivered(slow) < 60, `${delivered(slow)} of 200 have come to the slow one`);
  cluster.until("and at last so has the slow one", () => trial.waiting === 0);
  tt.equal(delivered(slow), 200);
  tt.end();
});
