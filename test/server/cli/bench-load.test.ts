/** The load of halo bench: open loop latencies count from when a request was due, and keys are drawn as they should be. */

import t from "tap";
import { Load } from "../../../server/cli/bench-load.ts";
import { zipf } from "../../../server/cli/zipf.ts";

const PAUSE_MS = 300;

t.test("open loop: all that a pause delayed has the pause in its latency", async (tt) => {
  const shape = { connections: 1, rate: 100, warmUpMs: 0, measuredMs: 500, gets: 0 };
  let sent = 0;
  const load = new Load(shape, async () => {
    if (sent++ === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return "";
  }, () => 0.5);
  tt.equal(await load.run(), 500);
  const { put, get } = load.counts.latencies;
  tt.same([put.count, get.count, sent], [50, 0, 50], "one for each time that was due, late or not");
  // Due at 0, 10, … 150 ms and answered after 300: sixteen of fifty waited for 150 ms at least.
  tt.ok(put.quantileMs(0.7) >= 145, String(put.quantileMs(0.7)));
  tt.ok(put.maxMs >= PAUSE_MS - 2);
});

t.test("closed loop: each connection asks once more; errors are counted by what they are, and end nothing", async (tt) => {
  const shape = { connections: 4, rate: 0, warmUpMs: 0, measuredMs: 60_000, gets: 1 };
  let sent = 0;
  let most = 0;
  let now = 0;
  const load: Load = new Load(shape, async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    if (++sent === 100) load.stop();
    return sent % 10 === 0 ? "503 overloaded" : "";
  }, () => 0.5);
  await load.run();
  const { latencies, failed, errors } = load.counts;
  tt.equal(latencies.get.count, sent);
  tt.equal(most, 4);
  tt.equal(errors.get("503 overloaded"), failed.get);
  tt.ok(failed.get >= 10);
});

t.test("closed loop: a connection whose requests fail rests before the next one, and no longer once one is answered", async (tt) => {
  const shape = { connections: 1, rate: 0, warmUpMs: 0, measuredMs: 300, gets: 1 };
  let sent = 0;
  const failing = new Load(shape, () => {
    sent++;
    return Promise.resolve("refused");
  }, () => 0.5);
  await failing.run();
  // 10, 20, 40, 80, 160 ms of rest fill the time.
  tt.ok(sent >= 2 && sent <= 6, `${sent} were sent`);
  tt.end();
});

t.test("zipf: every number is in range, and the first ones come as often as their chance says", (tt) => {
  for (const count of [1, 2, 3, 1_000]) {
    const draw = zipf(count);
    const times = new Map<number, number>();
    for (let step = 0; step < 100_000; step++) {
      const number = draw(step / 100_000);
      times.set(number, (times.get(number) ?? 0) + 1);
    }
    tt.ok([...times.keys()].every((number) => Number.isInteger(number) && number >= 0 && number < count), `${count}`);
    let sum = 0;
    for (let index = 1; index <= count; index++) sum += 1 / index ** 0.99;
    tt.ok(Math.abs((times.get(0) ?? 0) / 100_000 - 1 / sum) < 0.001, `${count}: the first`);
    if (count > 1) tt.ok(Math.abs((times.get(1) ?? 0) / 100_000 - 1 / 2 ** 0.99 / sum) < 0.001, `${count}: the second`);
  }
  tt.end();
});
