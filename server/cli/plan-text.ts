/** A plan for people: what is staged, who gets what from whom, how even it is, what is missing. */

import type { LayoutPlan, NodePlan, Share } from "../membership/plan.ts";
import type { StagedChange } from "../membership/staged.ts";
import { formatTable } from "./table.ts";

/** What a commit of exactly this plan is asked with. */
export function planName({ version, token }: LayoutPlan): string {
  return `${version}-${token}`;
}

export function formatPlan(plan: LayoutPlan): string {
  const wanted = plan.staged.filter(({ kind }) => kind !== "none" && kind !== "waiting");
  if (wanted.length === 0) return `layout ${plan.version}, nothing is staged\n`;
  const parts = [`layout ${plan.version}, staged:\n`, formatTable(wanted.map(stagedRow(plan)))];
  if (plan.movedSlots > 0 || plan.refusal === "") parts.push(moves(plan));
  if (plan.refusal === "") parts.push(`commit it with: halo cluster commit ${planName(plan)}\n`);
  return parts.join("");
}

/** A line of "staged:". */
export function stagedRow(plan: Pick<LayoutPlan, "nodes">) {
  const nameOf = (id: string): string => plan.nodes.find((node) => node.id === id)?.name ?? id;
  return (entry: StagedChange): string[] => {
    const name = entry.attributes?.name ?? nameOf(entry.node);
    return [`  ${entry.kind}`, name, details(entry, nameOf)];
  };
}

function details(entry: StagedChange, nameOf: (id: string) => string): string {
  const { kind, attributes, by, drains, capacity, zone } = entry;
  if (kind === "replace") return `by ${nameOf(by)}${drains ? ", hands over first" : ", is dead"}`;
  if (attributes !== null) return `at ${attributes.address}, capacity ${attributes.capacity}`;
  const parts: string[] = [];
  if (capacity > 0) parts.push(`capacity ${capacity}`);
  if (zone !== null) parts.push(`zone ${zone === "" ? "-" : zone}`);
  return parts.join(", ");
}

function moves(plan: LayoutPlan): string {
  const { slots, movedSlots, movedBytes, balanceBefore, balanceAfter, zones, missing } = plan;
  const nameOf = (id: string): string => plan.nodes.find((node) => node.id === id)?.name ?? "-";
  const header = ["node", "zone", "capacity", "slots", "then", "ideal", "reached", "gets", "gives"];
  const rows = plan.nodes.map((node) => nodeRow(node, nameOf));
  const share = slots === 0 ? 0 : movedSlots / slots;
  const lines = [
    formatTable([header, ...rows]),
    `${movedSlots} of ${slots} slots move (${percent(share)}), about ${size(movedBytes)}\n`,
    `balance ${balanceBefore.toFixed(3)} before, ${balanceAfter.toFixed(3)} then\n`,
  ];
  if (zones.length > 1) {
    const all = zones.map(({ zone, slotsBefore, slotsAfter }) => {
      return `${zone === "" ? "-" : zone} ${slotsBefore} to ${slotsAfter}`;
    });
    lines.push(`zones: ${all.join(", ")}\n`);
  }
  const { ownerDown, allOwnersDown, zoneShared, tooFewOwners } = missing;
  const lacks = [
    [tooFewOwners, "with too few copies"],
    [ownerDown, "with an owner that does not answer"],
    [allOwnersDown, "with none that does"],
    [zones.length > 1 ? zoneShared : 0, "with two copies in a zone"],
  ] as const;
  const told = lacks.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (told.length > 0) lines.push(`partitions: ${told.join(", ")}\n`);
  return lines.join("");
}

function nodeRow(node: NodePlan, nameOf: (id: string) => string): string[] {
  const { name, zone, capacity, slotsBefore, slotsAfter, idealShare, reachedShare } = node;
  return [
    name,
    zone === "" ? "-" : zone,
    String(capacity),
    String(slotsBefore),
    String(slotsAfter),
    percent(idealShare),
    percent(reachedShare),
    shares(node.gains, "from", nameOf),
    shares(node.losses, "to", nameOf),
  ];
}

function shares(all: readonly Share[], word: string, nameOf: (id: string) => string): string {
  if (all.length === 0) return "-";
  return all.map(({ node, partitions }) => `${partitions} ${word} ${nameOf(node)}`).join(", ");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** "1.5 GiB". */
export function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
