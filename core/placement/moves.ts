/**
 * What changes hands between two layouts of one ring: for every slot that a node gains, who has the
 * partition already, and for every slot that a node loses, who takes it over.
 *
 *   partition 7   before  a b c      after  a c d      d gains it, its source is b: b loses it
 *   partition 8   before  a b c      after  a b c      nothing
 *
 * A gain is paired with a loss of the same partition as far as there are any. A loser that cannot
 * give (it is dead) is not named as the source: the first former owner that stays is. Nodes are ids
 * here, since the two layouts number theirs differently.
 */

/** A layout's rows: whole rows of indexes into its nodes. */
export interface Ownership {
  readonly nodes: readonly { readonly id: string }[];
  readonly owners: Uint16Array;
}

/** One slot that moves. */
export interface Move {
  readonly partition: number;
  /** Who gains it. */
  readonly to: string;
  /** Who has it already and gives it; "" where nobody is left that could. */
  readonly from: string;
  /** Who loses it for this; "" where nobody does: there are more copies than before. */
  readonly loser: string;
}

/**
 * Every slot that moves, by rising partition.
 * @param partitions Q, of both layouts
 * @param canGive whether a node's copy can be read
 */
export function movesBetween(
  before: Ownership,
  after: Ownership,
  partitions: number,
  canGive: (id: string) => boolean,
): Move[] {
  const moves: Move[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const former = rowOf(before, partition, partitions);
    const next = rowOf(after, partition, partitions);
    const gainers = next.filter((id) => !former.includes(id));
    const losers = former.filter((id) => !next.includes(id));
    const givers = former.filter(canGive);
    gainers.forEach((to, index) => {
      const loser = losers[index] ?? "";
      const from = givers.includes(loser) ? loser : givers[0] ?? "";
      moves.push({ partition, to, from, loser });
    });
  }
  return moves;
}

function rowOf({ nodes, owners }: Ownership, partition: number, partitions: number): string[] {
  const width = owners.length / partitions;
  const row = owners.subarray(partition * width, (partition + 1) * width);
  return Array.from(row, (node) => nodes[node].id);
}
