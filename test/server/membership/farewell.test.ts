import t from "tap";
import { Community } from "./community.ts";

/** What machine `left` thinks of machine `right`. */
function trusts(community: Community, left: number, right: number): boolean {
  const { membership } = community.machines[left];
  return membership.members.find((member) => member.name === `n${right}`)?.healthy === true;
}

function formed(seed: number): Community {
  const community = new Community(seed, 3);
  if (!community.form()) throw new Error(community.logs());
  community.world.run(5_000);
  return community;
}

t.test("who says that it stops is not counted on, though it still answers, and is again when it has come back", (tt) => {
  const community = formed(61);
  let isSaid = false;
  community.machines[1].membership.sayFarewell(() => (isSaid = true));
  tt.ok(community.world.runUntil(() => isSaid, 1_000), "it goes on once all have heard it");
  tt.same([trusts(community, 0, 1), trusts(community, 2, 1)], [false, false], "they have");
  community.world.run(5_000);
  tt.notOk(trusts(community, 0, 1), "its answers to pings change nothing");
  tt.ok(trusts(community, 1, 0), "it counts on the others: it has requests to end");
  community.machines[1].crash();
  community.world.run(2_000);
  community.machines[1].start();
  tt.ok(community.world.runUntil(() => trusts(community, 0, 1) && trusts(community, 2, 1), 20_000), "after its restart");
  tt.end();
});

t.test("who said so and is still there after half a minute is counted on again", (tt) => {
  const community = formed(62);
  community.machines[1].membership.sayFarewell(() => {});
  community.world.run(1_000);
  tt.notOk(trusts(community, 0, 1));
  tt.ok(community.world.runUntil(() => trusts(community, 0, 1), 40_000));
  tt.end();
});

t.test("a farewell waits for nobody who does not hear it", (tt) => {
  const community = formed(63);
  community.machines[2].crash({ silent: true });
  let isSaid = false;
  community.machines[1].membership.sayFarewell(() => (isSaid = true));
  tt.ok(community.world.runUntil(() => isSaid, 1_000), "it goes on");
  tt.notOk(trusts(community, 0, 1), "who could hear it has");
  tt.end();
});
