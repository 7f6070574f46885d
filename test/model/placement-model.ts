/**
 * Placement as naively as it can be said: what a row must be, what the quotas must be, and the
 * fewest slots that any layout with these quotas must move.
 *
 *   quotas   one slot at a time to whoever is furthest behind, each step looked at by itself
 *   moves    the minimum-cost flow on the whole graph, slot by slot, Bellman and Ford throughout:
 *            source → partition → zone of that partition → node → sink
 *            slow, and as plain as the definition
 */

import type { PlacementNode } from "../../core/placement.ts";

export interface ModelTerms {
  readonly nodes: readonly PlacementNode[];
  readonly partitionCount: number;
  readonly copies: number;
}

/** What is wrong with the first row that is not legal; "" where all are. */
export function rowFault(terms: ModelTerms, rows: readonly (readonly number[])[]): string {
  if (rows.length !== terms.partitionCount) return `${rows.length} rows`;
  const zoneCount = new Set(terms.nodes.map((node) => node.zone)).size;
  for (const [partition, row] of rows.entries()) {
    if (row.length !== terms.copies) return `${partition}: ${row.length} owners`;
    if (row.some((node) => terms.nodes[node] === undefined)) return `${partition}: not a node`;
    if (new Set(row).size !== row.length) return `${partition}: a node twice`;
    const zones = new Set(row.map((node) => terms.nodes[node].zone)).size;
    if (zones !== Math.min(zoneCount, terms.copies)) return `${partition}: ${zones} zones`;
  }
  return "";
}

/** Slots of each node: grants one by one; `held` decides ties. */
export function modelQuotas(terms: ModelTerms, held: readonly number[]): number[] {
  const { nodes, partitionCount, copies } = terms;
  const zones = [...new Set(nodes.map((node) => node.zone))];
  const quotas = nodes.map(() => 0);
  const inZone = (zone: string) =>
    nodes.reduce((sum, node, index) => (node.zone === zone ? sum + quotas[index] : sum), 0);
  const grantOne = (mayHave: (index: number) => boolean) => {
    const candidates = nodes
      .map((node, index) => ({ index, waits: (2 * quotas[index] + 1) / node.capacity }))
      .filter(({ index }) => quotas[index] < partitionCount && mayHave(index));
    const least = Math.min(...candidates.map(({ waits }) => waits));
    const tied = candidates.filter(({ waits }) => waits === least).map(({ index }) => index);
    const winner = tied.find((index) => held[index] > quotas[index]) ?? tied[0];
    quotas[winner]++;
  };
  if (zones.length < copies) {
    for (const zone of zones) {
      const isInZone = (index: number) => nodes[index].zone === zone;
      for (let slot = 0; slot < partitionCount; slot++) grantOne(isInZone);
    }
  }
  while (quotas.reduce((sum, quota) => sum + quota, 0) < copies * partitionCount) {
    grantOne((index) => zones.length < copies || inZone(nodes[index].zone) < partitionCount);
  }
  return quotas;
}

/**
 * The fewest slots in new hands that any legal layout with these quotas has; -1 if there is none.
 */
export function fewestMoves(
  terms: ModelTerms,
  quotas: ArrayLike<number>,
  formerOwners: (partition: number) => readonly number[],
): number {
  const { nodes, partitionCount, copies } = terms;
  const zoneNames = [...new Set(nodes.map((node) => node.zone))];
  const repeatsMax = copies - Math.min(copies, zoneNames.length);
  const flow = new Flow();
  for (let partition = 0; partition < partitionCount; partition++) {
    const former = formerOwners(partition);
    flow.edge("source", `p${partition}`, copies, 0);
    flow.edge(`p${partition}`, `extra${partition}`, repeatsMax, 0);
    for (const zone of zoneNames) {
      flow.edge(`p${partition}`, `p${partition} ${zone}`, 1, 0);
      flow.edge(`extra${partition}`, `p${partition} ${zone}`, copies, 0);
    }
    for (let node = 0; node < nodes.length; node++) {
      const cost = former.includes(node) ? 0 : 1;
      flow.edge(`p${partition} ${nodes[node].zone}`, `node${node}`, 1, cost);
    }
  }
  for (let node = 0; node < nodes.length; node++) flow.edge(`node${node}`, "sink", quotas[node], 0);
  const { amount, cost } = flow.run("source", "sink");
  return amount === copies * partitionCount ? cost : -1;
}

interface Edge {
  readonly from: number;
  readonly to: number;
  left: number;
  readonly cost: number;
}

/** Minimum-cost flow by cheapest paths; edge i and edge i ^ 1 are each other's way back. */
class Flow {
  readonly #numbers = new Map<string, number>();
  readonly #edges: Edge[] = [];

  edge(from: string, to: string, capacity: number, cost: number): void {
    const [source, target] = [this.#number(from), this.#number(to)];
    this.#edges.push({ from: source, to: target, left: capacity, cost });
    this.#edges.push({ from: target, to: source, left: 0, cost: -cost });
  }

  run(from: string, to: string): { amount: number; cost: number } {
    const target = this.#number(to);
    let amount = 0;
    let cost = 0;
    for (;;) {
      const { price, by } = this.#prices(this.#number(from));
      if (price[target] === Infinity) return { amount, cost };
      for (let vertex = target; by[vertex] >= 0; vertex = this.#edges[by[vertex]].from) {
        this.#edges[by[vertex]].left--;
        this.#edges[by[vertex] ^ 1].left++;
      }
      amount++;
      cost += price[target];
    }
  }

  #prices(source: number): { price: number[]; by: number[] } {
    const price = Array.from(this.#numbers, () => Infinity);
    const by = price.map(() => -1);
    price[source] = 0;
    for (let changed = true; changed; ) {
      changed = false;
      for (const [index, edge] of this.#edges.entries()) {
        if (edge.left === 0 || price[edge.from] + edge.cost >= price[edge.to]) continue;
        price[edge.to] = price[edge.from] + edge.cost;
        by[edge.to] = index;
        changed = true;
      }
    }
    return { price, by };
  }

  #number(name: string): number {
    const number = this.#numbers.get(name) ?? this.#numbers.size;
    this.#numbers.set(name, number);
    return number;
  }
}

/**
 * What is wrong with the beginning of a preference list; "" where nothing is. The owners come first,
 * and of any beginning of them as many zones as can be; then every other node once, always one from a
 * zone that the list names least so far, of those that have a node left.
 */
export function listFault(
  nodes: readonly PlacementNode[],
  owners: readonly number[],
  list: readonly number[],
): string {
  const zoneCount = new Set(nodes.map((node) => node.zone)).size;
  const zonesOf = (members: readonly number[]) => members.map((member) => nodes[member].zone);
  for (const [rank, member] of list.entries()) {
    const before = list.slice(0, rank);
    if (nodes[member] === undefined || before.includes(member)) return `${rank}: not a new node`;
    if (rank < owners.length) {
      if (member !== owners[rank]) return `${rank}: not the owner`;
      const zones = new Set(zonesOf([...before, member])).size;
      if (zones !== Math.min(rank + 1, zoneCount)) return `${rank}: ${zones} zones of the owners`;
      continue;
    }
    const left = nodes.map((_, node) => node).filter((node) => !before.includes(node));
    const uses = (node: number) =>
      zonesOf(before).filter((zone) => zone === nodes[node].zone).length;
    if (left.some((node) => uses(node) < uses(member))) return `${rank}: a zone is left behind`;
  }
  return "";
}
