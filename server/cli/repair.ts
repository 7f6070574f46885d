/**
 * halo cluster repair: every member compares its copies with the others' now, and what differs is made good.
 *
 *   halo cluster repair              all of it
 *   halo cluster repair cart         the objects of a bucket
 *   halo cluster repair --partition 17
 */

import type { RepairsReport } from "../http/http-node.ts";
import { systemClock } from "../ports/clock.ts";
import { writeError, writeOut } from "../ports/process.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, UsageError } from "./command-line.ts";
import { DONE, FAILED } from "./exit-code.ts";
import { Progress } from "./progress.ts";
import { formatTable } from "./table.ts";

const LOOK_MS = 200;
const REQUEST = { target: "/cluster/repair", headers: { "Content-Type": "application/json" } };

export const clusterRepairCommand: Command = {
  name: "cluster repair",
  takes: "[BUCKET]",
  summary: "compare all replicas now, and make good what differs",
  examples: ["halo cluster repair cart"],
  about: `Waits until every member has compared its copies with those of all others that own the same. To be told
again, or broken off, is harmless. Ends with 1 where a member could not be compared with.
${EXIT_CODES}`,
  options: [
    option("partition", "NUMBER", "that partition alone (halo explain shows which)"),
    option("status", "", "begin nothing, show how the last one stands"),
    JSON_OPTION,
    ...NODE_OPTIONS,
  ],
  positionalsMin: 0,
  positionalsMax: 1,
  run: repair,
};

async function repair(line: CommandLine): Promise<number> {
  const api = apiOf(line);
  const wish = wishOf(line);
  let report = line.flag("status")
    ? await api.json<RepairsReport>({ method: "GET", ...REQUEST })
    : await api.json<RepairsReport>({ method: "POST", ...REQUEST, body: JSON.stringify(wish) });
  if (!line.flag("status")) report = await untilDone(api, report, !line.flag("json"));
  if (line.flag("json")) writeOut(`${JSON.stringify(report)}\n`);
  else show(report);
  const isWhole = report.silent.length === 0 && report.members.every(({ failed }) => failed.length === 0);
  return isWhole ? DONE : FAILED;
}

function wishOf(line: CommandLine): object {
  const [bucket] = line.positionals;
  const partition = line.text("partition");
  if (partition === "") return bucket === undefined ? {} : { bucket };
  if (bucket !== undefined) throw new UsageError("A bucket and --partition are both given, want one of them");
  if (/^\d{1,5}$/.test(partition)) return { partition: Number(partition) };
  throw new UsageError(`--partition is '${partition}', want a number from 0`);
}

async function untilDone(api: Api, begun: RepairsReport, isShown: boolean): Promise<RepairsReport> {
  const progress = new Progress("compared", isShown);
  let report = begun;
  while (report.members.some(({ state }) => state === "running")) {
    await new Promise<void>((resolve) => void systemClock.after(LOOK_MS, resolve));
    report = await api.json<RepairsReport>({ method: "GET", ...REQUEST });
    const compared = sum(report, ({ compared, failed }) => compared + failed.length);
    const of = sum(report, (member) => member.of);
    progress.update(compared, of, `${compared} of ${of} pairs, ${sum(report, (one) => one.repaired)} objects repaired`);
  }
  progress.end();
  return report;
}

type Told = RepairsReport["members"][number];

function sum({ members }: RepairsReport, of: (member: Told) => number): number {
  return members.reduce((total, member) => total + of(member), 0);
}

function show({ members, silent }: RepairsReport): void {
  const header = ["node", "state", "compared with", "partitions differed", "objects repaired", "not compared with"];
  const rows = members.map(({ name, state, compared, of, differing, repaired, failed }) => [
    name,
    state,
    `${compared} of ${of}`,
    String(differing),
    String(repaired),
    failed.length === 0 ? "-" : failed.join(", "),
  ]);
  writeOut(formatTable([header, ...rows]));
  if (silent.length > 0) writeError(`halo: ${silent.join(", ")} did not answer\n`);
}
