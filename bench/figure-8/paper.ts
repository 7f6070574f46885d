/**
 * What the plot of the Dynamo paper shows (Figure 8): efficiency = mean load / load of the hottest
 * node, over the size of the metadata that each node keeps, in entries. 30 nodes, 3 copies.
 *
 * Read off the plot by eye, good to about 0.01 in height; the axis is linear and its points lie near
 * these numbers of entries. Strategy 1 cannot be told from the others at 1,000.
 */

/** A curve of the plot: points (entries, efficiency). */
export type Readings = readonly (readonly [entries: number, efficiency: number])[];

export const PAPER_STRATEGY_1: Readings = [
  [2_000, 0.87],
  [4_000, 0.91],
  [8_000, 0.93],
  [15_000, 0.95],
  [30_000, 0.96],
];

export const PAPER_STRATEGY_2: Readings = [
  [1_000, 0.82],
  [2_000, 0.85],
  [4_000, 0.88],
  [8_000, 0.87],
  [15_000, 0.85],
  [30_000, 0.84],
];

export const PAPER_STRATEGY_3: Readings = [
  [1_000, 0.94],
  [2_000, 0.96],
  [4_000, 0.97],
  [8_000, 0.98],
  [15_000, 0.99],
  [30_000, 0.99],
];
