/** The memory watermark: both sides of both edges, garbage, accounts, and what the operator hears. */

import t from "tap";
import { MEMORY_CHECK_MS, MemoryWatermark } from "../../../server/admission/memory-watermark.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import { SimulatedMemory } from "../../simulation/memory.ts";

const BOUND = 8_000_000;
const HIGH = 7_000_000;
const LOW = 6_000_000;

class Bed {
  readonly world = new World();
  readonly memory = new SimulatedMemory();
  readonly told: string[] = [];
  accounted = 0;
  readonly watermark: MemoryWatermark;

  constructor(bytesMax = BOUND) {
    const tell = (event: string): void => void this.told.push(event);
    const log = { info: tell, warn: tell, error: tell };
    const clock = new SimulatedClock(this.world, "node");
    const ports = { clock, memory: this.memory, log };
    this.watermark = new MemoryWatermark(ports, bytesMax, () => this.accounted);
    this.watermark.start();
  }

  /** Whether new objects are refused after the next look. */
  refusesAt(resident: number): boolean {
    this.memory.resident = resident;
    this.world.run(MEMORY_CHECK_MS + 1);
    return this.watermark.refusal !== "";
  }
}

t.test("refuses from the high mark on, and again takes below the low one", (tt) => {
  const bed = new Bed();
  tt.equal(bed.refusesAt(HIGH - 1), false, "a byte below the high mark");
  tt.equal(bed.refusesAt(HIGH), true, "at the high mark");
  const wanted = `${HIGH} bytes of memory are in use, new objects are taken again below ${LOW}`;
  tt.equal(bed.watermark.refusal, wanted, "and says why");
  tt.equal(bed.refusesAt(HIGH - 1), true, "below it nothing changes yet");
  tt.equal(bed.refusesAt(LOW), true, "at the low mark neither");
  tt.equal(bed.refusesAt(LOW - 1), false, "below the low mark it goes on");
  tt.equal(bed.refusesAt(HIGH - 1), false, "and stays so up to the high one");
  tt.equal(bed.told.length, 2, "the operator hears of each change once");
  bed.watermark.stop();
  tt.end();
});

t.test("garbage makes nobody refuse: it is collected first, and not at every look", (tt) => {
  const bed = new Bed();
  bed.memory.garbage = HIGH;
  tt.equal(bed.refusesAt(HIGH + 1000), false, "garbage alone");
  tt.equal(bed.memory.collections, 1, "was collected");
  tt.equal(bed.refusesAt(HIGH), true, "what is held");
  bed.refusesAt(HIGH);
  tt.equal(bed.memory.collections, 1, "not each second");
  bed.memory.garbage = HIGH;
  for (let look = 0; look < 4; look++) bed.refusesAt(bed.memory.resident);
  tt.equal(bed.watermark.refusal, "", "what became garbage is found by and by");
  tt.end();
});

t.test("what the stores account for counts, however little is resident", (tt) => {
  const bed = new Bed();
  bed.accounted = HIGH;
  tt.equal(bed.refusesAt(1), true, "paged out is in use as well");
  tt.equal(bed.watermark.usedBytes, HIGH, "and shown");
  bed.accounted = 0;
  tt.equal(bed.refusesAt(1), false, "given back");
  tt.end();
});

t.test("without a bound nothing is looked at, and a stopped watermark looks no more", (tt) => {
  const free = new Bed(0);
  tt.equal(free.refusesAt(2 ** 50), false, "no bound");
  const stopped = new Bed();
  stopped.watermark.stop();
  tt.equal(stopped.refusesAt(HIGH), false, "stopped");
  tt.end();
});
