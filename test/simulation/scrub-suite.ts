/**
 * Scrub on a simulated cluster: bits rot on one machine's disk, nobody reads, and some minutes later
 * everything that is held there can be read again, and is what the others hold.
 */

import { toHex } from "../../core/bytes.ts";
import { ACTOR_FILE } from "../../storage/actor.ts";
import { LogVerification, type VerificationReport } from "../../storage/log/verification.ts";
import { recordStarts } from "../crash/sample-log.ts";
import { SeededRandom } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import type { Node } from "../../server/node.ts";
import { World } from "./clock.ts";
import { SimulatedDisk } from "./disk.ts";
import { disagreements } from "./inspection.ts";
import { Stage } from "./stage.ts";

const KEYS = 60;
/** The machine whose disk rots: the last one. */
const HARMED = 2;
const FLIPS = 40;
/** The first round begins a minute after the start. */
const ROUND_MS = 120_000;

export const suite: Case[] = [
  { name: "bit flips on one replica are found and repaired, and nobody had to read", run: rot },
  { name: "siblings that do not fit a frame together are repaired one by one", run: large },
  { name: "damage that no replica can repair is told, and stays an error", run: alone },
  { name: "who finds lost names at its start goes on as a new actor, and else as who it was", run: lostNames },
  { name: "a helix: two of three copies of every object are damaged, and all are restored", run: helix },
  { name: "all three copies of every object are damaged: an error each, and never nothing", run: allDamaged },
];

function verify(stage: Stage, machine: number): VerificationReport {
  // On a copy: a disk serves one process, and that is the node.
  const disk = stage.cluster.disk(machine);
  const copy = new SimulatedDisk(new World(), new SeededRandom(1));
  for (const path of disk.files()) copy.setContents(path, disk.contents(path));
  const verification = new LogVerification(copy.mount(), "objects");
  while (verification.step());
  verification.close();
  return verification.report;
}

function nodeOf(stage: Stage, index: number): Node {
  const node = stage.cluster.node(index);
  if (node === null) throw new Error(`node ${index} is down`);
  return node;
}

/** Fourteen chunks of 2,072 bytes lie before the one that has this byte. */
const CHUNK_MIDDLE = 30_000;

function fill(stage: Stage): void {
  for (let index = 0; index < KEYS; index++) {
    // Every fourth value is a record of its own; every fifth name has two.
    const filler = "x".repeat(index % 4 === 0 ? 6_000 : 100);
    stage.put(index % stage.cluster.count, `sib/${index}`, `${index} ${filler}`);
    if (index % 5 === 0) stage.put(index % stage.cluster.count, `sib/${index}`, `${index} again ${filler}`);
  }
  stage.settle();
  stage.run(1_000);
}

/** Turns bits over all along the records of a machine. */
function harm(stage: Stage, machine: number): void {
  const random = new SeededRandom(7);
  const disk = stage.cluster.disk(machine);
  for (const path of disk.files().filter((one) => one.startsWith("objects/"))) {
    const file = disk.contents(path);
    const end = file.findLastIndex((byte) => byte !== 0);
    for (let flip = 0; end > 0 && flip < FLIPS; flip++) disk.flip(path, random.below(end * 8));
  }
}

function rot(check: Check): void {
  const stage = new Stage(3);
  fill(stage);
  harm(stage, HARMED);
  const before = verify(stage, HARMED);
  const hit = before.damages.filter(({ hits }) => hits === "live").length;
  check.ok(hit >= 10, `${hit} records of live objects are damaged`);
  const reads = nodeOf(stage, HARMED).statistics();
  stage.run(ROUND_MS);
  const after = nodeOf(stage, HARMED).statistics();
  check.equal(after["gets"], reads["gets"], "nobody read");
  check.equal(after["scrubRounds"], 1, "one round has ended");
  const names = new Set(before.damages.filter(({ hits }) => hits === "live").map(({ name }) => `${name}`));
  check.ok(after["scrubDamaged"] >= names.size, `${after["scrubDamaged"]} objects were found damaged`);
  check.equal(after["scrubRepaired"], after["scrubDamaged"], "and all of them repaired");
  const live = verify(stage, HARMED).damages.filter(({ hits }) => hits === "live");
  check.same(live, [], "what is held can be read");
  check.same(disagreements(stage.cluster), [], "and is what the others hold");
  for (let index = 0; index < KEYS; index++) {
    const values = stage.values(HARMED, `sib/${index}`, { r: 1 });
    check.equal(values.length, index % 5 === 0 ? 2 : 1, `sib/${index} as it was written`);
  }
}

function large(check: Check): void {
  const stage = new Stage(3);
  for (const letter of ["a", "b", "c"]) stage.put(0, "sib/large", letter.repeat(500_000));
  stage.settle();
  stage.run(1_000);
  const disk = stage.cluster.disk(HARMED);
  for (const path of disk.files().filter((one) => one.startsWith("objects/"))) {
    const size = disk.contents(path).length;
    // In the middle of a chunk of each segment, past its header.
    if (size > CHUNK_MIDDLE) disk.flip(path, CHUNK_MIDDLE * 8);
  }
  const hit = verify(stage, HARMED).damages.filter(({ hits }) => hits === "live").length;
  check.ok(hit > 3, `${hit} chunks of the bodies are damaged`);
  stage.run(ROUND_MS);
  check.equal(nodeOf(stage, HARMED).statistics()["scrubRepaired"], 1, "one object is repaired");
  const live = verify(stage, HARMED).damages.filter(({ hits }) => hits === "live");
  check.same(live, [], "what is held can be read");
  check.equal(stage.values(HARMED, "sib/large", { r: 1 }).length, 3, "three siblings");
}

function alone(check: Check): void {
  const stage = new Stage(1);
  fill(stage);
  harm(stage, 0);
  stage.run(ROUND_MS);
  const statistics = nodeOf(stage, 0).statistics();
  check.ok(statistics["scrubDamaged"] > 0, `${statistics["scrubDamaged"]} records are damaged`);
  check.equal(statistics["scrubRepaired"], 0, "nobody can repair them");
  let absent = 0;
  for (let index = 0; index < KEYS; index++) {
    if (stage.get(0, `sib/${index}`, { r: 1 }).code === "not-found") absent++;
  }
  check.equal(absent, 0, "none of them reads as not found");
}

/** The eight bytes that stand in the dots that the harmed machine makes (storage/FORMAT.md). */
function actorOf(stage: Stage): string {
  return toHex(stage.cluster.disk(HARMED).contents(ACTOR_FILE), 12, 20);
}

/** Kills the harmed machine's process, and starts it again. */
function startAgain(stage: Stage, meanwhile: (disk: SimulatedDisk) => void): void {
  stage.cluster.kill(HARMED);
  stage.run(1_000);
  meanwhile(stage.cluster.disk(HARMED));
  stage.cluster.start(HARMED);
  stage.settle();
}

/** Flips a bit in the header of a record of each segment, so that nobody can tell what it was of. */
function loseNames(disk: SimulatedDisk): void {
  for (const path of disk.files().filter((one) => /^objects\/[0-9]+\.log$/.test(one))) {
    const file = disk.contents(path);
    const [, , third] = recordStarts(file.slice(0, file.findLastIndex((byte) => byte !== 0)));
    if (third !== undefined) disk.flip(path, third * 8 + 90);
  }
}

function lostNames(check: Check): void {
  const stage = new Stage(3);
  fill(stage);
  const before = actorOf(stage);
  startAgain(stage, () => {});
  check.equal(actorOf(stage), before, "after a kill -9 alone it forgot nothing");
  startAgain(stage, loseNames);
  check.ok(actorOf(stage) !== before, "its next dot of a name that it forgot would cover those before");
}

const HELIX_KEYS = 1_000;
/** Values are found in the files of the log by what they begin with. */
const valueOf = (index: number): string => `<${index}>${"x".repeat(40)}`;

function fillHelix(stage: Stage): void {
  for (let index = 0; index < HELIX_KEYS; index++) stage.put(index % 3, `sib/${index}`, valueOf(index), { w: 3 });
  stage.settle();
  stage.run(1_000);
}

/** Turns a bit over in the value of an object on a machine; false where it is not found. */
function harmValue(stage: Stage, machine: number, index: number): boolean {
  const disk = stage.cluster.disk(machine);
  for (const path of disk.files().filter((one) => one.startsWith("objects/") && one.endsWith(".log"))) {
    const at = Buffer.from(disk.contents(path)).indexOf(`<${index}>`);
    if (at >= 0) disk.flip(path, at * 8 + 3);
    if (at >= 0) return true;
  }
  return false;
}

function helix(check: Check): void {
  const stage = new Stage(3);
  fillHelix(stage);
  let harmed = 0;
  for (let index = 0; index < HELIX_KEYS; index++) {
    for (const machine of [index % 3, (index + 1) % 3]) if (harmValue(stage, machine, index)) harmed++;
  }
  check.equal(harmed, 2 * HELIX_KEYS, "every node is damaged, and no two in the same way");
  // What was read lately is in memory; a new process has to read the log.
  restartAll(stage);
  for (let index = 0; index < HELIX_KEYS; index += 7) {
    const shown = stage.values(index % 3, `sib/${index}`, { r: 1 });
    if (shown.length > 0 && shown.join() !== valueOf(index)) check.ok(false, `sib/${index} shows ${shown.join()}`);
  }
  stage.run(2 * ROUND_MS);
  const wrong: number[] = [];
  for (let index = 0; index < HELIX_KEYS; index++) {
    const shown = stage.values(index % 3, `sib/${index}`, { r: 3, pr: 3 });
    if (shown.join() !== valueOf(index)) wrong.push(index);
  }
  check.same(wrong, [], "objects that are not what they were at all three");
  for (let machine = 0; machine < 3; machine++) {
    const live = verify(stage, machine).damages.filter(({ hits }) => hits === "live");
    check.equal(live.length, 0, `damaged records of live objects at node ${machine}`);
  }
}

function allDamaged(check: Check): void {
  const stage = new Stage(3);
  fillHelix(stage);
  for (let index = 0; index < HELIX_KEYS; index += 5) for (let machine = 0; machine < 3; machine++) harmValue(stage, machine, index);
  restartAll(stage);
  const lied: number[] = [];
  const look = (): void => {
    for (let index = 0; index < HELIX_KEYS; index += 5) {
      const { outcome, code } = stage.get(index % 3, `sib/${index}`);
      if (outcome === "done" || code === "not-found") lied.push(index);
    }
  };
  look();
  stage.run(2 * ROUND_MS);
  look();
  check.same(lied, [], "objects that were answered as if they were sound, or were not there");
  check.same(stage.values(0, "sib/1"), [valueOf(1)], "others are as before");
}

function restartAll(stage: Stage): void {
  for (const machine of [0, 1, 2]) stage.cluster.kill(machine);
  for (const machine of [0, 1, 2]) stage.cluster.start(machine);
  stage.settle();
  stage.run(10_000);
}
