/**
 * The object buffer against a map of all that was ever held: what it answers is right, byte for byte,
 * however often its ring has gone round; what it does not answer costs a read and nothing else.
 */

import type { ObjectName } from "../../core/object-name.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { ObjectBuffer } from "../../storage/object-buffer.ts";
import { SeededRandom, seedFrom } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import { bytesAt, nameOf, payloadOf, setOf, textOf, without } from "./sets.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 61);
const SEGMENT = 3;

export const suite: Case[] = [
  { name: "a set that is held is found at its place alone, whole or as its head", run: found },
  { name: "what is found is the caller's", run: copied },
  { name: "a set with a payload left out is found as its head alone", run: leftOut },
  { name: "what was forgotten, is too large, or went to a buffer of 0 bytes is not found", run: gone },
  { name: "what is read all the time stays while the ring goes round", run: stays },
  ...[1_000, 8_192, 100_000, 3 << 20].map((bytes) => ({
    name: `in ${bytes} bytes nothing wrong is ever found`,
    run: (check: Check) => agrees(check, bytes),
  })),
];

function versions(seed: number, ...lengths: number[]): VersionSet {
  return setOf(...lengths.map((length, index) => {
    return { counter: index + 1, payload: payloadOf(seed + index, length) };
  }));
}

/** What is found, as text; "": nothing. */
function look(buffer: ObjectBuffer, name: ObjectName, offset: number, payloads = true): string {
  const set = buffer.find(name, SEGMENT, offset, payloads);
  return set === undefined ? "" : textOf(set);
}

function found(check: Check): void {
  const buffer = new ObjectBuffer(1 << 16);
  const name = nameOf("a/1");
  const set = versions(1, 10, 300);
  buffer.hold(name, set, SEGMENT, 72);
  check.equal(look(buffer, nameOf("a/1"), 72), textOf(set), "the set");
  check.equal(look(buffer, name, 72, false), textOf(without(set, 0, 1)), "its head");
  check.equal(look(buffer, name, 73), "", "another offset");
  check.equal(buffer.find(name, SEGMENT + 1, 72, true), undefined, "another segment");
  const twin = { ...nameOf("a/2"), position1: name.position1, tag: name.tag };
  // Has the fields of a name, with another's bytes: two names that share position and tag.
  check.equal(look(buffer, twin as ObjectName, 72), "", "another name at the place");
  const next = versions(5, 20);
  buffer.hold(name, next, SEGMENT, 500);
  check.equal(look(buffer, name, 500), textOf(next), "the newer set");
}

function copied(check: Check): void {
  const buffer = new ObjectBuffer(1 << 16);
  const name = nameOf("a/1");
  const set = versions(1, 10);
  const text = textOf(set);
  buffer.hold(name, set, SEGMENT, 72);
  set.head.fill(9);
  bytesAt(set, 0).fill(9);
  const answer = buffer.find(name, SEGMENT, 72, true);
  check.equal(answer === undefined ? "" : textOf(answer), text, "as it was given");
  answer?.head.fill(7);
  if (answer !== undefined) bytesAt(answer, 0).fill(7);
  check.equal(look(buffer, name, 72), text, "and again, whatever was done to the first answer");
}

function leftOut(check: Check): void {
  const buffer = new ObjectBuffer(1 << 16);
  const name = nameOf("a/1");
  const set = versions(1, 10, 20);
  buffer.hold(name, without(set, 0), SEGMENT, 72);
  check.equal(look(buffer, name, 72), "", "not whole");
  check.equal(look(buffer, name, 72, false), textOf(without(set, 0, 1)), "its head");
}

function gone(check: Check): void {
  const buffer = new ObjectBuffer(1 << 20);
  const [name, large] = [nameOf("a/1"), nameOf("a/2")];
  buffer.hold(name, versions(1, 10), SEGMENT, 72);
  buffer.hold(large, versions(1, 4_096), SEGMENT, 500);
  check.equal(look(buffer, large, 500), "", "too large");
  buffer.forget(name.position1, SEGMENT, 72);
  check.equal(look(buffer, name, 72), "", "forgotten");
  const none = new ObjectBuffer(0);
  none.hold(name, versions(1, 10), SEGMENT, 72);
  none.forget(name.position1, SEGMENT, 72);
  check.equal(look(none, name, 72), "", "no buffer");
}

function stays(check: Check): void {
  const buffer = new ObjectBuffer(1 << 16);
  const hot = nameOf("hot/1");
  const set = versions(1, 100);
  buffer.hold(hot, set, SEGMENT, 1);
  let missed = 0;
  for (let index = 0; index < 2_000; index++) {
    buffer.hold(nameOf(`cold/${index}`), versions(index, 100), SEGMENT, 10 + index);
    if (index % 20 === 0 && look(buffer, hot, 1) === "") missed++;
  }
  check.equal(missed, 0, "found each time");
  check.equal(look(buffer, nameOf("cold/0"), 10), "", "what nobody read has made room");
}

function agrees(check: Check, bytes: number): void {
  const random = new SeededRandom(SEED);
  const buffer = new ObjectBuffer(bytes);
  const names = Array.from({ length: 200 }, (_, index) => nameOf(`a/${index}`));
  const places = new Map<ObjectName, { offset: number; text: string }[]>();
  let [wrong, hits] = [0, 0];
  for (let step = 1; step < 6_000; step++) {
    const name = names[random.below(names.length)];
    const held = places.get(name) ?? [];
    if (random.chance(1, 2) || held.length === 0) {
      const set = versions(step, ...Array.from({ length: 1 + random.below(3) }, () => random.below(500)));
      buffer.hold(name, set, SEGMENT, step);
      places.set(name, [...held.slice(-3), { offset: step, text: textOf(set) }]);
    } else {
      const { offset, text } = held[random.below(held.length)];
      const answer = look(buffer, name, offset);
      if (answer !== "") hits++;
      if (answer !== "" && answer !== text) wrong++;
    }
  }
  check.equal(wrong, 0, `nothing wrong among ${hits} found (SEED=${SEED})`);
  check.ok(hits > 2, `${hits} were found at all`);
}
