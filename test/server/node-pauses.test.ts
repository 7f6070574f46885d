import t from "tap";
import { Background } from "../../server/admission/background.ts";
import { LatencyWindow } from "../../server/admission/latency-window.ts";
import { NodePauses, PAUSES_FILE } from "../../server/node-pauses.ts";
import { saveDocument } from "../../server/membership/state-file.ts";
import { SimulatedClock, World } from "../simulation/clock.ts";
import { SmallDisk } from "./membership/small-disk.ts";

/** A node's start on this disk: what it has paused, and why it does not know. */
function start(disk: SmallDisk) {
  const clock = new SimulatedClock(new World(), "n");
  const background = new Background(clock, new LatencyWindow(clock), 20);
  const pauses = new NodePauses(disk, background);
  const problem = pauses.restore();
  const paused = (): string[] => background.report().filter((kind) => kind.isPaused).map(({ kind }) => kind);
  return { pauses, problem, paused };
}

t.test("what was paused is paused after a restart, what was resumed is not", (tt) => {
  const disk = new SmallDisk();
  const { pauses, problem } = start(disk);
  tt.equal(problem, "", "nothing was ever paused");
  tt.same([pauses.set("compaction", true), pauses.set("scrub", true)], ["", ""], "two kinds are paused");
  tt.same(start(disk).paused(), ["compaction", "scrub"], "and still are");
  const again = start(disk);
  tt.equal(again.pauses.set("compaction", false), "", "one is resumed");
  tt.same([again.paused(), start(disk).paused()], [["scrub"], ["scrub"]], "now, and after the next restart");
  tt.end();
});

t.test("an order that the disk does not take changes nothing", (tt) => {
  const disk = new SmallDisk();
  const { pauses, paused } = start(disk);
  pauses.set("scrub", true);
  disk.full = true;
  tt.match(pauses.set("compaction", true), /no space/, "a pause");
  tt.match(pauses.set("scrub", false), /no space/, "an end of one");
  disk.full = false;
  tt.same([paused(), start(disk).paused()], [["scrub"], ["scrub"]], "as before, and after a restart");
  tt.end();
});

t.test("a file that cannot be read pauses nothing and is told of; kinds of a newer version are left out", (tt) => {
  const disk = new SmallDisk();
  saveDocument(disk, PAUSES_FILE, { paused: ["sleep", "handoff"] });
  tt.same(start(disk).paused(), ["handoff"], "the kind that is known");
  saveDocument(disk, PAUSES_FILE, { paused: "handoff" });
  tt.match(start(disk).problem, /field paused is "handoff", wanted is a list/, "another shape");
  const bytes = disk.files.get(PAUSES_FILE);
  if (bytes !== undefined) bytes[bytes.length - 1] ^= 1;
  const { problem, paused } = start(disk);
  tt.match(problem, /pauses.cbor is damaged/, "a flipped bit");
  tt.same(paused(), [], "nothing is paused");
  tt.end();
});
