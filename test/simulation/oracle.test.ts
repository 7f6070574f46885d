/**
 * The tests' own test: an oracle that accuses a correct store is useless, and one that lets a
 * planted bug through is worse. Simulated clients work on the model store, first as it is, then
 * with each bug.
 */

import t from "tap";
import { ModelStore, type Plant, PLANTS } from "../model/model-store.ts";
import { VirtualClock } from "../model/virtual-clock.ts";
import { SeededRandom } from "../random.ts";
import { History, nothingKnown, type Write } from "./history.ts";
import { Losses } from "./losses.ts";
import { Oracle, type Verdict, type Violation } from "./oracle.ts";
import { Trace } from "./trace.ts";
import { idOfBody } from "./values.ts";
import { Workload, type WorkloadShape } from "./workload.ts";

const OWNERS = 3;

const shape: WorkloadShape = {
  clients: 6,
  operations: 1200,
  thinkMs: 20,
  timeoutMs: 500,
  keys: { siblings: 6, lww: 3, carts: 2 },
  weights: {
    read: 4,
    putBlind: 2,
    putAfterRead: 4,
    putRemembered: 2,
    deleteAfterRead: 2,
    deleteBlind: 1,
    create: 1,
  },
  attemptsMax: 3,
  fillerBytesMax: 2000,
  drawQuorums: true,
  owners: OWNERS,
  listings: { everyMs: 100, seed: 1 },
};

interface Run {
  readonly violations: readonly Violation[];
  readonly workload: Workload;
  readonly trace: Trace;
}

function runOnModel(seed: number, plant: Plant | null): Run {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const history = new History();
  const losses = new Losses();
  const truncated = (): boolean => false;
  const accused = (): void => {};
  const judged = { history, losses, owners: OWNERS, restartsForget: false, truncated, accused };
  const oracle = new Oracle(judged, idOfBody);
  const store = new ModelStore(clock, new SeededRandom(seed + 1), OWNERS, plant);
  const servers = {
    count: 3,
    tells: () => true,
    reach: (_node: number, use: (store: ModelStore) => void): boolean => {
      use(store);
      return true;
    },
  };
  const trace = new Trace(false);
  const workload = new Workload({
    servers,
    clock,
    random,
    history,
    losses,
    oracle,
    trace,
    shape,
    acknowledged: () => {},
    retried: () => () => true,
    finished: () => {},
  });
  workload.start();
  clock.run();
  workload.calls.checkAnswered();
  for (const key of history.keys()) oracle.checkHealed(key, store.held(key));
  return { violations: oracle.violations, workload, trace };
}

t.test("the oracle finds nothing in a correct store", (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const { violations, workload } = runOnModel(seed, null);
    t.same(violations.slice(0, 3), [], `seed ${seed}`);
    t.ok(workload.counts.acknowledged > 400, `seed ${seed} acknowledged enough to mean something`);
  }
  t.end();
});

const verdictsOf: Readonly<Record<Plant, readonly Verdict[]>> = {
  "acknowledges and loses": ["lost", "quorum missed"],
  "refuses and writes": ["refused but seen"],
  "brings a deleted value back": ["returned"],
  "drops a sibling": ["lost", "quorum missed"],
  "forgets a dot in a context": ["returned", "shown with its successor"],
  "context covers what was not shown": ["lost", "quorum missed"],
  "answers another key's value": ["foreign value"],
  "answers a cut value": ["foreign value"],
  "answers twice": ["answered twice"],
  "never answers": ["never answered"],
  "lets the older write win": ["returned", "quorum missed"],
  "retry makes a second version": ["shown twice", "returned"],
  "counts replicas that were not there": ["too few replicas"],
  "reads before its own writes": ["quorum missed"],
  "leaves a key out of a listing": ["missing in listing"],
  "lists a key twice": ["listed twice"],
  "lists what was deleted": ["listed in error"],
};

for (const plant of PLANTS) {
  t.test(`the oracle finds the bug: ${plant}`, (t) => {
    const missing = new Set<Verdict>(verdictsOf[plant]);
    for (let seed = 1; seed <= 5 && missing.size > 0; seed++) {
      for (const { verdict } of runOnModel(seed, plant).violations) missing.delete(verdict);
    }
    t.same([...missing], []);
    t.end();
  });
}

t.test("one seed takes the same steps each time, another seed others", (t) => {
  const first = runOnModel(7, null).trace;
  t.ok(first.count > 1000);
  t.equal(runOnModel(7, null).trace.hash, first.hash);
  t.not(runOnModel(8, null).trace.hash, first.hash);
  t.end();
});

function acknowledged(copies: number, durable: number): Write {
  const plan = {
    key: "sib/k0",
    policy: "siblings" as const,
    isDelete: false,
    isBlind: false,
    requestId: "00",
    knowledge: nothingKnown,
    beganMs: 1000,
  };
  const write = new History().begin(plan, () => new Uint8Array(1));
  write.outcome = "done";
  write.endedMs = 1050;
  write.copies = copies;
  write.durable = durable;
  return write;
}

t.test("the fault atlas", (t) => {
  const losses = new Losses();
  losses.power(0, 1100, 900);
  t.not(losses.atRisk(acknowledged(1, 1)), "power loss takes no durable copy");
  t.ok(losses.atRisk(acknowledged(1, 0)), "the only copy was not synced");
  t.not(losses.atRisk(acknowledged(2, 0)), "the other copy is on another node");
  losses.power(1, 9000, 8800);
  t.not(losses.atRisk(acknowledged(2, 0)), "which had synced long before it lost power");
  losses.wipe(2, 9500);
  t.ok(losses.atRisk(acknowledged(1, 1)), "a wiped disk takes durable copies");
  t.ok(losses.atRisk(acknowledged(2, 1)), "one copy wiped, the other not synced");
  t.not(losses.atRisk(acknowledged(3, 1)), "three copies, two gone");
  t.end();
});
