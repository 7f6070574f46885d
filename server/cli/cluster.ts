/** halo explain and halo cluster status: where a name lives, and who is there. */

import type { Explanation, ReplicaReport } from "../coordination/store.ts";
import type { ClusterReport, MemberReport } from "../http/http-node.ts";
import { writeOut } from "../ports/process.ts";
import { apiOf, nameTarget, NODE_OPTIONS } from "./api.ts";
import { type Command, EXIT_CODES, JSON_OPTION } from "./command.ts";
import type { CommandLine } from "./command-line.ts";
import { DONE } from "./exit-code.ts";
import { formatTable } from "./table.ts";

export const explainCommand: Command = {
  name: "explain",
  takes: "BUCKET/KEY",
  summary: "show where a name lives and how its replicas stand",
  examples: ["halo explain cart/user-17"],
  about: EXIT_CODES,
  options: [JSON_OPTION, ...NODE_OPTIONS],
  positionalsMin: 1,
  positionalsMax: 1,
  run: explain,
};

export const clusterStatusCommand: Command = {
  name: "cluster status",
  takes: "",
  summary: "show the members of the cluster",
  examples: ["halo cluster status --node http://10.0.0.2:7070"],
  about: EXIT_CODES,
  options: [JSON_OPTION, ...NODE_OPTIONS],
  positionalsMin: 0,
  positionalsMax: 0,
  run: status,
};

async function explain(line: CommandLine): Promise<number> {
  const [name = ""] = line.positionals;
  const target = nameTarget("/explain", name);
  const explanation = await apiOf(line).json<Explanation>({ method: "GET", target });
  if (line.flag("json")) {
    writeOut(`${JSON.stringify(explanation)}\n`);
    return DONE;
  }
  const { position, partition, partitions, layout, preference } = explanation;
  writeOut(`${name}\n`);
  writeOut(`position ${position}, partition ${partition} of ${partitions}, layout ${layout}\n`);
  const header = ["node", "role", "healthy", "state", "siblings", "etag"];
  writeOut(formatTable([header, ...preference.map(replicaRow)]));
  return DONE;
}

function replicaRow(replica: ReplicaReport): string[] {
  const { name, role, healthy, state, complete, siblings, etag } = replica;
  const standing = state === "empty" && !complete ? "empty, partial" : state;
  return [name, role, healthy ? "yes" : "no", standing, String(siblings), etag];
}

async function status(line: CommandLine): Promise<number> {
  const api = apiOf(line);
  const report = await api.json<ClusterReport>({ method: "GET", target: "/cluster" });
  if (line.flag("json")) {
    writeOut(`${JSON.stringify(report)}\n`);
    return DONE;
  }
  const { cluster, layout, members, self } = report;
  const shape = `${layout.partitions} partitions, ${layout.replicas} copies`;
  writeOut(`cluster ${cluster}: ${members.length} members, layout ${layout.version}, ${shape}\n`);
  const header = ["node", "id", "http", "address", "zone", "capacity", "slots", "status"];
  const byName = [...members].sort((left, right) => (left.name < right.name ? -1 : 1));
  writeOut(formatTable([header, ...byName.map((member) => memberRow(member, self))]));
  if (layout.live.length > 1) writeOut(`layouts in use: ${layout.live.join(", ")}\n`);
  const waiting = report.staged.filter(({ kind }) => kind === "waiting" || kind === "join");
  for (const { kind, attributes } of waiting) {
    const what = kind === "join" ? "commit its join" : "stage its join, or let it replace another";
    writeOut(`${attributes?.name ?? ""} at ${attributes?.address ?? ""} asks to be let in: ${what}\n`);
  }
  const staged = report.staged.length - waiting.length;
  if (staged > 0) writeOut(`changes staged: ${staged} (halo cluster plan)\n`);
  return DONE;
}

function memberRow(member: MemberReport, self: string): string[] {
  const { id, name, http, address, zone, capacity, partitions, status, healthy } = member;
  const asked = id === self ? " (asked)" : "";
  const standing = healthy ? status : `${status}, down`;
  return [
    name + asked,
    id,
    http,
    address,
    zone === "" ? "-" : zone,
    String(capacity),
    String(partitions),
    standing,
  ];
}
