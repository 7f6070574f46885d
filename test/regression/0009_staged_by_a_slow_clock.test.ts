/**
 * `make sim SEED=106` (2026-11-26). An administrator whose node's clock was ahead had a change of a node
 * committed. A node that had not seen that entry, with a clock that was right, then staged another change
 * of the same node with a lower stamp: it was taken for one that the history has answered, and "done" was
 * said of nothing. A leaving node never left.
 */

import t from "tap";
import { Community, type Machine } from "../server/membership/community.ts";

function changeCapacity(community: Community, machine: Machine, capacity: number): string {
  const { administration, layouts } = machine.membership;
  const staging = administration.stage([{ change: "change", node: "n1", capacity }]);
  if (staging.status !== "done") return staging.sentence;
  let outcome = "";
  const order = { version: layouts.newestNumber, token: "", isForced: false };
  administration.commit(order, (end) => {
    outcome = "sentence" in end ? `${end.status}: ${end.sentence}` : end.status;
  });
  community.world.runUntil(() => outcome !== "", 20_000);
  community.world.runUntil(() => community.isSettled(), 60_000);
  return outcome;
}

t.test("a change is staged, however far ahead the clock was that the last one came from", (t) => {
  const community = new Community(7, 3, { config: { partitions: 64 } });
  if (!community.form()) throw new Error(community.logs());
  const [fast, , right] = community.machines;
  fast.wall.jump(3_600_000);
  t.equal(changeCapacity(community, fast, 2), "done", "by the fast clock");
  right.start();
  community.world.runUntil(() => community.isSettled(), 60_000);
  t.equal(changeCapacity(community, right, 3), "done", "by the right one");
  t.equal(right.membership.layouts.current.nodes.find(({ name }) => name === "n1")?.capacity, 3);
  t.end();
});
