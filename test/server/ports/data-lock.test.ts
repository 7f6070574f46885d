/**
 * One process a data directory, with real processes: refusal names the holder, `kill -9` leaves no
 * stale lock, and of many that find a stale one at once a single one wins.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import t from "tap";
import { openDataDirectory } from "../../../server/ports/disk.ts";

const HOLDER = fileURLToPath(new URL("data-lock-holder.ts", import.meta.url));
const BUN = fileURLToPath(new URL("../../../node_modules/.bin/bun", import.meta.url));

interface Holder {
  readonly child: ChildProcess;
  readonly said: string;
}

/** Starts a process on the directory and waits for what it says. */
function start(folder: string): Promise<Holder> {
  const child = spawn(BUN, [HOLDER, folder], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve) => {
    let said = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      if (said.endsWith("\n")) resolve({ child, said: said.trim() });
    });
  });
}

function kill({ child }: Holder): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

function makeFolder(test: { teardown(run: () => void): void }): string {
  const folder = mkdtempSync(`${tmpdir()}/halo-lock-`);
  test.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

void t.test("a held directory is refused, with the holder's pid; kill -9 frees it", async (tt) => {
  const folder = makeFolder(tt);
  const first = await start(folder);
  tt.equal(first.said, "held");
  const second = await start(folder);
  tt.match(second.said, `process ${first.child.pid} is using it`);
  tt.match(second.said, folder);
  await kill(first);
  const third = await start(folder);
  tt.equal(third.said, "held", "no stale lock");
  await kill(third);
});

void t.test("a released directory can be opened again, by this process too", async (tt) => {
  const folder = makeFolder(tt);
  const data = openDataDirectory(folder);
  tt.throws(() => openDataDirectory(folder), { code: "EBUSY" }, "twice by one process");
  data.release();
  const holder = await start(folder);
  tt.equal(holder.said, "held");
  await kill(holder);
  openDataDirectory(folder).release();
  tt.equal(readdirSync(folder).length, 1, "one lock file is left");
});

void t.test("of many that find a stale lock at once, one wins", async (tt) => {
  const folder = makeFolder(tt);
  for (let round = 0; round < 3; round++) {
    const holders = await Promise.all(Array.from({ length: 6 }, () => start(folder)));
    const winners = holders.filter(({ said }) => said === "held");
    tt.equal(winners.length, 1, holders.map(({ said }) => said).join("; "));
    await Promise.all(holders.map(kill));
  }
});

void t.test("a holder of another boot, with a pid that is used again, or torn, is dead", (tt) => {
  for (
    const text of [
      JSON.stringify({ pid: process.pid, began: "1", bootId: "another", isReleased: false }),
      JSON.stringify({ pid: process.pid, began: "1", bootId: "", isReleased: false }),
      '{"pid": 12',
      "",
    ]
  ) {
    const folder = makeFolder(tt);
    writeFileSync(`${folder}/lock.3`, text);
    openDataDirectory(folder).release();
    tt.same(readdirSync(folder), ["lock.4"], text);
  }
  tt.end();
});
