/**
 * The commands about work in the background:
 *
 *   halo cluster transfers            partitions on their way to new owners: progress, rate, time left
 *   halo cluster transfers --wait     until all have come
 *   halo cluster background           every kind of work: pace, what is paused
 *   halo cluster pause scrub          that kind, everywhere or (--at) at one node; resume: likewise
 */

import { BACKGROUND_KINDS, type BackgroundReport } from "../admission/background.ts";
import type { WorkReport, WorksReport } from "../http/http-node.ts";
import { systemClock } from "../ports/clock.ts";
import { writeError, writeOut } from "../ports/process.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, UsageError } from "./command-line.ts";
import { DONE, FAILED } from "./exit-code.ts";
import { bytesText, durationText, Progress } from "./progress.ts";
import { formatTable } from "./table.ts";

const LOOK_MS = 500;
const KINDS = BACKGROUND_KINDS.join(", ");

export const WORK_COMMANDS: readonly Command[] = [
  {
    name: "cluster transfers",
    takes: "",
    summary: "show what is on its way to new owners",
    examples: ["halo cluster transfers --wait"],
    about: `Shows, for each member, what it is to own and does not have yet, and why it does not get on if it does not.
Ends with 1 where something is stuck or a member does not answer.
${EXIT_CODES}`,
    options: [option("wait", "", "until all of it has come, with progress"), JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: 0,
    positionalsMax: 0,
    run: transfers,
  },
  {
    name: "cluster background",
    takes: "",
    summary: "show the work in the background, and its pace",
    examples: ["halo cluster background"],
    about: EXIT_CODES,
    options: [JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: 0,
    positionalsMax: 0,
    run: background,
  },
  pauseCommand("pause", "let a kind of work in the background rest"),
  pauseCommand("resume", "let it go on"),
];

function pauseCommand(name: "pause" | "resume", summary: string): Command {
  return {
    name: `cluster ${name}`,
    takes: "KIND",
    summary,
    examples: [`halo cluster ${name} compaction`],
    about: `KIND is one of ${KINDS}. It stays so when a node is restarted.\n${EXIT_CODES}`,
    options: [option("at", "NODE", "at that member alone (name or id)"), JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: 1,
    positionalsMax: 1,
    run: (line) => pause(line, name),
  };
}

function ask(api: Api, target: string): Promise<WorksReport> {
  return api.json<WorksReport>({ method: "GET", target });
}

async function transfers(line: CommandLine): Promise<number> {
  const api = apiOf(line);
  let report = await ask(api, "/cluster/transfers");
  if (line.flag("wait")) report = await untilCome(api, report, !line.flag("json"));
  if (line.flag("json")) writeOut(`${JSON.stringify(report)}\n`);
  else showTransfers(report);
  const isWell = report.silent.length === 0 && report.members.every(({ transfer }) => transfer.stuck === "");
  return isWell ? DONE : FAILED;
}

async function untilCome(api: Api, begun: WorksReport, isShown: boolean): Promise<WorksReport> {
  const progress = new Progress("transferred", isShown);
  let report = begun;
  while (report.silent.length > 0 || report.members.some(({ transfer }) => transfer.left > 0)) {
    await new Promise<void>((resolve) => void systemClock.after(LOOK_MS, resolve));
    report = await ask(api, "/cluster/transfers");
    const left = sum(report, ({ left }) => left);
    const of = sum(report, (transfer) => transfer.of);
    const rate = bytesText(sum(report, ({ bytesPerSecond }) => bytesPerSecond));
    progress.update(of - left, of, `${of - left} of ${of} partitions, ${rate} a second`);
  }
  progress.end();
  return report;
}

function sum({ members }: WorksReport, of: (transfer: WorkReport["transfer"]) => number): number {
  return members.reduce((total, { transfer }) => total + of(transfer), 0);
}

function showTransfers({ members, silent }: WorksReport): void {
  const header = ["node", "partitions", "objects", "from", "a second", "time left", "to be given up", "stands still"];
  const rows = members.map(({ name, transfer }) => {
    const { left, of, entries, entriesOf, from, bytesPerSecond, secondsLeft, surplus, stuck } = transfer;
    return [
      name,
      left === 0 ? "all here" : `${of - left} of ${of}`,
      left === 0 ? "-" : `${entries} of ${entriesOf}`,
      from === "" ? "-" : from,
      from === "" ? "-" : bytesText(bytesPerSecond),
      secondsLeft === null ? "-" : durationText(secondsLeft * 1000),
      surplus === 0 ? "-" : `${surplus} partitions`,
      stuck === "" ? "-" : stuck,
    ];
  });
  writeOut(formatTable([header, ...rows]));
  tellSilent(silent, "did not answer");
}

async function background(line: CommandLine): Promise<number> {
  const report = await ask(apiOf(line), "/cluster/background");
  return showBackground(line, report, "did not answer");
}

async function pause(line: CommandLine, name: "pause" | "resume"): Promise<number> {
  const [kind = ""] = line.positionals;
  if (!BACKGROUND_KINDS.some((known) => known === kind)) {
    throw new UsageError(`'${kind}' is not a kind of work, want one of ${KINDS}`);
  }
  const node = line.text("at");
  const report = await apiOf(line).json<WorksReport>({
    method: "POST",
    target: `/cluster/${name}`,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(node === "" ? { kind } : { kind, node }),
  });
  return showBackground(line, report, "did not answer, or cannot keep the order on disk (its log says so)");
}

function showBackground(line: CommandLine, report: WorksReport, whySilent: string): number {
  if (line.flag("json")) writeOut(`${JSON.stringify(report)}\n`);
  else {
    const header = ["node", "p99 ms", "pace", ...BACKGROUND_KINDS];
    writeOut(formatTable([header, ...report.members.map(backgroundRow)]));
    for (const { name, reaping } of report.members) {
      if (reaping.stuck === "") continue;
      writeOut(`${name}: ${reaping.waiting} deletes cannot be forgotten yet: ${reaping.stuck}\n`);
    }
    tellSilent(report.silent, whySilent);
  }
  return report.silent.length === 0 ? DONE : FAILED;
}

function backgroundRow({ name, p99Ms, bytesPerSecondMax, background }: WorkReport): string[] {
  const kinds = BACKGROUND_KINDS.map((kind) => kindText(background.find((one) => one.kind === kind)));
  return [name, p99Ms.toFixed(1), `${bytesText(bytesPerSecondMax)}/s`, ...kinds];
}

function kindText(kind: BackgroundReport | undefined): string {
  if (kind === undefined) return "?";
  if (kind.isPaused) return "paused";
  return kind.bytesPerSecond === 0 ? "-" : `${bytesText(kind.bytesPerSecond)}/s`;
}

function tellSilent(silent: readonly string[], why: string): void {
  if (silent.length > 0) writeError(`halo: ${silent.join(", ")} ${why}\n`);
}
