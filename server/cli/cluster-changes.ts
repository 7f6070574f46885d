/**
 * The commands that change the layout: stage something, see the plan, commit or revert.
 *
 *   halo cluster stage n2 --capacity 2     stage one change, print the plan
 *   halo cluster leave n3                  the same
 *   halo cluster plan                      the plan again, ending in the command that commits it
 *   halo cluster commit 7-1f03a2b4         the layout and the changes that were looked at
 *   halo cluster remove n4 --commit        all in one
 */

import type { LayoutPlan } from "../membership/plan.ts";
import { writeError, writeOut } from "../ports/process.ts";
import { type Api, apiOf, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import { type CommandLine, option, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { formatPlan, planName } from "./plan-text.ts";

const COMMIT = option("commit", "", "commit the plan at once");
const FORCE = option("force", "", "with --commit: also where it is refused, or a majority is lost");
const ABOUT_NODES = "NODE is a name or an id.";

type Answer = Record<string, unknown>;

function changeCommand(
  name: string,
  takes: string,
  summary: string,
  example: string,
  about: string,
  options: Command["options"],
  body: (line: CommandLine) => Answer,
): Command {
  const count = takes.split(" ").length;
  return {
    name: `cluster ${name}`,
    takes,
    summary,
    examples: [`halo cluster ${name} ${example}`],
    about: `${about} ${ABOUT_NODES}\n${EXIT_CODES}`,
    options: [...options, COMMIT, FORCE, JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: count,
    positionalsMax: count,
    run: (line) => change(line, `/cluster/${name}`, body(line)),
  };
}

const oneNode = (line: CommandLine): Answer => ({ node: line.positionals[0] ?? "" });

export const CLUSTER_CHANGES: readonly Command[] = [
  changeCommand(
    "stage",
    "NODE",
    "stage another capacity or zone of a node",
    "n2 --capacity 2",
    "What moves follows from both.",
    [
      option("capacity", "C", "share of the data, in the unit that all nodes share"),
      option("zone", "Z", "what fails together: copies go to different zones"),
    ],
    readAttributes,
  ),
  changeCommand(
    "join",
    "NODE",
    "stage that a node is let in",
    "n4",
    "The node waits (halo serve --join-staged); its first join is staged by itself.",
    [],
    oneNode,
  ),
  changeCommand(
    "leave",
    "NODE",
    "stage that a node hands over its data and goes",
    "n3",
    "When halo cluster status shows it as left, or no more, it can be stopped.",
    [],
    oneNode,
  ),
  changeCommand(
    "remove",
    "NODE",
    "stage that a dead node goes",
    "n3 --commit",
    "What it alone held is lost: a node that answers is to leave instead.",
    [],
    oneNode,
  ),
  changeCommand(
    "replace",
    "NODE BY",
    "stage that a new node takes the place of another",
    "n3 n4",
    "BY waits to be let in (halo serve --join-staged) and gets what NODE has, and nothing else moves.",
    [],
    ({ positionals: [node = "", by = ""] }) => ({ node, by }),
  ),
  {
    name: "cluster plan",
    takes: "",
    summary: "show what the staged changes come to",
    examples: ["halo cluster plan"],
    about: `Bytes are estimated from what the asked node holds.\n${EXIT_CODES}`,
    options: [JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: 0,
    positionalsMax: 0,
    run: async (line) => {
      const request = { method: "GET", target: "/cluster/plan" };
      return show(await apiOf(line).json<LayoutPlan>(request), line);
    },
  },
  {
    name: "cluster commit",
    takes: "VERSION",
    summary: "make the staged changes the next layout",
    examples: ["halo cluster commit 7-1f03a2b4"],
    about: `VERSION is what the plan ends with, as in 7-1f03a2b4; or the layout's number alone, for
whatever is staged. By force, a plan is committed that is refused for lack of nodes or of holders, and
nodes that it removes have no vote: where these live, two layouts may get one number.
${EXIT_CODES}`,
    options: [option("force", "", "see above"), JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: 1,
    positionalsMax: 1,
    run: (line) => {
      const { version, plan } = readVersion(line.positionals[0] ?? "");
      return commit(apiOf(line), line, version, plan);
    },
  },
  {
    name: "cluster revert",
    takes: "[NODE]",
    summary: "drop what is staged",
    examples: ["halo cluster revert n3"],
    about: `With NODE, only what is staged for it. ${ABOUT_NODES}\n${EXIT_CODES}`,
    options: [JSON_OPTION, ...NODE_OPTIONS],
    positionalsMin: 0,
    positionalsMax: 1,
    run: async (line) => {
      const [node] = line.positionals;
      const api = apiOf(line);
      return show(await post<LayoutPlan>(api, "/cluster/revert", node === undefined ? {} : { node }), line);
    },
  },
];

/** The body of /cluster/stage. @throws UsageError */
function readAttributes(line: CommandLine): Answer {
  const change: Answer = { change: "change", node: line.positionals[0] ?? "" };
  if (line.has("capacity")) {
    const capacity = line.text("capacity");
    if (!/^\d{1,16}$/.test(capacity)) {
      throw new UsageError(`--capacity is '${capacity}', want a whole number from 1`);
    }
    change["capacity"] = Number(capacity);
  }
  if (line.has("zone")) change["zone"] = line.text("zone");
  if (Object.keys(change).length > 2) return { changes: [change] };
  throw new UsageError("Nothing is given to change, want --capacity or --zone");
}

/** "7-1f03a2b4" or "7". @throws UsageError */
function readVersion(text: string): { version: number; plan: string } {
  const found = /^(\d{1,15})(?:-([0-9a-f]{8}))?$/.exec(text);
  if (found === null) {
    throw new UsageError(`The version is '${text}', want what the plan ends with, as in 7-1f03a2b4`);
  }
  return { version: Number(found[1]), plan: found[2] ?? "" };
}

async function change(line: CommandLine, target: string, body: Answer): Promise<number> {
  if (line.flag("force") && !line.flag("commit")) {
    throw new UsageError("--force is given without --commit, want both or neither");
  }
  const api = apiOf(line);
  const plan = await post<LayoutPlan>(api, target, body);
  if (!line.flag("commit")) return show(plan, line);
  if (!line.flag("json")) writeOut(formatPlan(plan));
  return commit(api, line, plan.version, plan.token);
}

async function commit(api: Api, line: CommandLine, version: number, plan: string): Promise<number> {
  const force = line.flag("force");
  if (force) writeError("halo: forced: it is your word that the nodes which are removed are dead\n");
  const answer = await post<{ version: number }>(api, "/cluster/commit", { version, plan, force });
  if (line.flag("json")) writeOut(`${JSON.stringify(answer)}\n`);
  else writeOut(`committed layout ${answer.version}\n`);
  return DONE;
}

async function post<Shape>(api: Api, target: string, body: Answer): Promise<Shape> {
  const headers = { "Content-Type": "application/json" };
  return api.json<Shape>({ method: "POST", target, headers, body: JSON.stringify(body) });
}

/** Prints a plan; one that cannot be committed is a failure that says why. */
function show(plan: LayoutPlan, line: CommandLine): number {
  if (line.flag("json")) writeOut(`${JSON.stringify(plan)}\n`);
  else writeOut(formatPlan(plan));
  if (plan.refusal === "" || plan.staged.every(({ kind }) => kind === "none" || kind === "waiting")) {
    return DONE;
  }
  const force = plan.isForceable ? ` (or halo cluster commit ${planName(plan)} --force)` : "";
  throw new CommandFailure(FAILED, `${plan.refusal}${force}`);
}
